"""Bulletins: the figures that an authority states in sentences, or in a list of them, bound to what they speak of.

A sentence binds a figure where a declared phrase says it, or the name of an indicator stands right before it; the
longest phrase counts. A list has the columns 指标 and 数值, and may have 范围, 期 and 陈述. Nothing is guessed: what no
phrase binds is kept as it stands.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from enforcement_reporting.catalog import Catalog, Form, Indicator, Unit
from enforcement_reporting.findings import ReadingFinding
from enforcement_reporting.periods import Period, speaks_of_time
from enforcement_reporting.phrases import (
    DIRECTION,
    EXACT,
    INEXACT,
    NUMBER,
    Phrase,
    compiled,
    flat,
    named,
    signed,
)
from enforcement_reporting.texts import MONEY, joined, plain
from enforcement_reporting.workbook.cells import Cell
from enforcement_reporting.workbook.grid import Grid, as_text
from enforcement_reporting.workbook.labels import EXAMPLES
from enforcement_reporting.workbook.measures import Measure, Reading, agree, measure_of, read_typed
from enforcement_reporting.workbook.submission import Observations, ReadSubmission, ReadWorkbook, Unbound

_TITLE_ROWS = 12  # in which a bulletin's title stands, perhaps over several of them
_LONGEST_LINE = 40  # characters: what is longer is no line of its own that dates a bulletin
_SENTENCE = re.compile(r"[^。；;！!？?]+[。；;！!？?]?")
_IN_SENTENCES = re.compile("[，。；,;]")
_BROKEN = 20  # characters: a line without an end that is at least so long goes on in the next
_ENDED = re.compile(r"[。；;：:！!？?]['”’）)]?\s*$")
_HEADING = re.compile(r"\s*(?:[（(]?[一二三四五六七八九十]{1,3}[）)、.．]|[（(]?[0-9]{1,2}[）)、.．](?![0-9]))")
_MEASURES = "家户个条项次件人起份宗处名场"  # what things are counted in
_COUNTED = f"{_MEASURES}元万亿分%"
# Numbers that are no figures: days and periods, the numbers of documents, headings and annexes.
_NO_FIGURES = re.compile(
    rf"[〔\[(]?(?<![0-9.])(?:19|20)[0-9]{{2}}(?![0-9.{_COUNTED}])[〕\])]?(?:年度?|号)?"
    r"|(?<![0-9])(?:[0-9]{1,2}(?:月份?)?[-至到~][0-9]{1,2}月份?|[0-9]{1,2}月份?(?:[0-9]{1,2}[日号])?)"
    r"|(?<![0-9])(?:[0-9]{1,2}[日号时点]|[0-9]++(?:号|期|周|季度)|[0-9]{1,2}·[0-9]{1,2})|第[0-9]+"
    rf"|(?:附件|表)[0-9.]++(?![{_COUNTED}])|^[(]?[0-9]{{1,2}}[)、.](?![0-9])"
)
_FIGURE = re.compile(f"{NUMBER}(?:%|个?百分点|[{_MEASURES}元万亿分]{{0,2}})")
_NOT_A_COUNT = "(?![%‰余多几十百千万亿倍]|个?月|个百分点|分之)"
_OF_A_CHANGE = re.compile("[同环]比|百分点|变化|变动|提高|[较增减升降幅]")  # in the name of an indicator
# What a clause begins with that speaks of a time before, and what speaks of the bulletin's own again.
_BEFORE = re.compile("(?:^|[、;:(])(?:而)?(?:去年|上年|前年|上一年|上个?月|上个?季度|上个?周|上期)")
_NOW = re.compile("今年|本年|本月|本季|本周|本期|目前|截至")
_DENIED = re.compile("(?:未|没有|无|不)$")  # right before a phrase: 未排查隐患12条
_LONGEST_TIME = 12  # characters with which a sentence begins that say a time
_TOGETHER = re.compile("等|单位|部门")
_LIST_COLUMNS = {"指标": "indicator", "数值": "figure", "范围": "scope", "期": "period", "陈述": "sentence"}
_NOT_APPLICABLE: frozenset[str] = frozenset()


class _Statement(NamedTuple):
    """A figure that a bulletin states: of what, about whom, for when, and where it stands."""

    indicator_id: str
    unit_id: str
    period: Period
    reading: Reading
    cell: str
    sentence: str


@dataclass(frozen=True)
class _Line:
    """A sentence of prose with the cell it begins in, and that cell's column."""

    text: str
    cell: str
    column: int = 0


class BulletinReader:
    """Reads the figures of one form's bulletins."""

    def __init__(self, catalog: Catalog, form: Form) -> None:
        assert form.bulletin is not None
        self.form, self.calendar = form, form.calendar.calendar()
        authority = catalog.authority_by_id[form.authority_id]
        self.titles = [plain(title) for title in (form.title, *form.title_aliases)]
        self._speaks_of = form.bulletin.speaks_of
        self._units = {plain(name): unit for unit in authority.units.tree() for name in (unit.name, *unit.aliases)}
        self._indicators = {item.indicator_id: item for item in form.indicators}
        self._counted = {(group, unit) for unit, group, _, counts in authority.members_by_group() if counts}
        whole = [name for name, unit in self._units.items() if unit.unit_id == self._speaks_of]
        parts = "|".join(sorted(map(re.escape, self._units.keys() - set(whole)), key=len, reverse=True)) or "(?!)"
        # A clause that begins with a unit is about it, unless several are only named for what they are together.
        self._of_a_unit = re.compile(f"(?:^|[、;:(])(?:其中|而)?(?:{parts})")
        self._of_the_whole = re.compile("|".join(["全[区县市州省师镇]", *map(re.escape, whole)]))
        self._own_unit = any(unit.unit_id == self._speaks_of for unit in authority.reporting_units)
        self._declared = form.bulletin.phrases
        self._by_name: dict[str, Indicator] = {}
        for item in form.indicators:
            for name in (item.caption, *(joined(path) for path in (item.label, *item.aliases))):
                self._by_name.setdefault(plain(name), item)

    @cached_property
    def _phrases(self) -> list[tuple[Phrase, dict[str, Decimal]]]:
        """The phrases as patterns, each with what it states besides; most readers never meet a bulletin."""
        phrases = [(compiled(phrase.text, self._pattern, self._units), phrase.states) for phrase in self._declared]
        for indicator_id in self._indicators:
            names = [name for name, item in self._by_name.items() if item.indicator_id == indicator_id]
            phrases.append((named(names, indicator_id, self._pattern(indicator_id)), {}))
        return phrases

    def read(self, grid: Grid, file_name: str, dated: Sequence[str], result: ReadWorkbook) -> None:
        """Add the figures that a sheet states, and what could not be bound.

        Its period is said by its title, by a line of its own, by the first sentence that speaks of time, or else by
        what does in the rest of the workbook.
        """
        listed = _list_columns(grid)
        texts = [[as_text(text) for text in texts] for texts in grid.texts[: listed.get("row")]]
        head = [text for row in texts[:_TITLE_ROWS] for text in row if not _IN_SENTENCES.search(text)]
        lines = [text for row in texts for text in row if len(text) < _LONGEST_LINE and not _IN_SENTENCES.search(text)]
        opening = [line.text for line in _lines(grid) if speaks_of_time(line.text)][:1]
        titles = [text for text in head if any(title in plain(text) for title in self.titles)]
        title = titles or ["".join(head)]
        recognition = self.calendar.recognise(titles or head, title, lines, opening, dated, [file_name])
        if recognition.period is None:
            stated = "、".join(period.name for period in recognition.candidates)
            kind = "ambiguous_period" if stated else "period_not_recognised"
            example = EXAMPLES[self.calendar.kind.value]
            finding = ReadingFinding(kind, grid.name, stated=stated, expected=example, form=f"《{self.form.title}》")
            result.file_findings.append(replace(finding, form_id=self.form.form_id))
            return
        read = self._listed(grid, listed, recognition.period, result) if listed else None
        statements = list(read if read is not None else self._said(grid, recognition.period, result))
        result.submissions.extend(self._submissions(grid, statements))

    def _said(self, grid: Grid, period: Period, result: ReadWorkbook) -> Iterator[_Statement]:
        """Yield what the sentences of a sheet state; what is not bound is added to the result.

        A sentence that begins with another time, 8月，…, speaks of that, but for a phrase that has these words in it.
        """
        for line in _lines(grid):
            text = flat(line.text)
            left = list(text)
            begins, _, _ = text.partition("、")
            other = self._period_in(begins, period) if len(begins) <= _LONGEST_TIME < len(text) else None
            for start, end, found in self._matches(text):
                left[start:end] = " " * (end - start)
                own = other if other and start else period
                said = [self._statement(*figure, own, line) for figure in found]
                result.sheet_findings[grid.name, self.form.form_id].extend(self._enumerations(grid, said))
                yield from said
            rest = _NO_FIGURES.sub(" ", "".join(left))
            if figures := _FIGURE.findall(rest):
                result.unbound.append(Unbound(grid.name, line.cell, line.text.strip(), tuple(figures)))

    def _period_in(self, text: str, context: Period) -> Period | None:
        """Return the period that a text itself speaks of; ``context`` may say the year."""
        recognition = self.calendar.recognise([text], [context.name])
        return recognition.period if recognition.evidence == text else None

    def _matches(self, text: str) -> Iterator[tuple[int, int, list[tuple[str, str, str]]]]:
        """Yield where phrases stand in a sentence, and the indicator, unit and number of each figure in them."""
        found = [
            (match, phrase, states)
            for phrase, states in self._phrases
            for match in phrase.pattern.finditer(text)
            if match[0]
        ]
        of_units = {
            match.span() for match, phrase, _ in found if any(item.kind != "figure" for item in phrase.places.values())
        }
        is_of_others = self._of_others(text, of_units)
        taken = bytearray(len(text))
        for match, phrase, states in sorted(found, key=lambda item: (item[0].start() - item[0].end(), item[0].start())):
            if taken.find(1, *match.span()) >= 0:
                continue
            if _DENIED.search(text, max(0, match.start() - 3), match.start()):
                continue
            taken[match.start() : match.end()] = bytes([1]) * len(match[0])
            if match.span() not in of_units and is_of_others(match.start()):
                continue
            yield *match.span(), list(self._figures(match, phrase, states))

    def _of_others(self, text: str, of_units: Iterable[tuple[int, int]]) -> Callable[[int], bool]:
        """Return what tells whether a place in a sentence is said of one of the units, or of an earlier time."""
        left = list(text)
        for start, end in of_units:  # what a phrase says of units by itself tells nothing of what comes after
            left[start:end] = "。" * (end - start)
        others = "".join(left)
        patterns = (self._of_a_unit, self._of_the_whole, _BEFORE, _NOW)
        ends = [[match.end() for match in pattern.finditer(others)] for pattern in patterns]

        def is_of_others(place: int) -> bool:
            last = (bisect_right(each, place) for each in ends)
            unit, whole, before, now = (
                each[count - 1] if count else -1 for each, count in zip(ends, last, strict=True)
            )
            together = _TOGETHER.search(text, unit, min(place, unit + _BROKEN)) if unit > whole else None
            return (unit > whole and not together) or before > now

        return is_of_others

    def _figures(
        self, match: re.Match[str], phrase: Phrase, states: dict[str, Decimal]
    ) -> Iterator[tuple[str, str, str]]:
        units = [self._speaks_of]
        for group, place in phrase.places.items():
            if place.kind == "units" and match[group]:
                units = [unit.unit_id for unit in self._named(match[group])]
        for group, place in phrase.places.items():
            if not match[group] or place.kind == "units":
                continue
            if place.kind == "each":
                for name, number in _each(match[group], self._units, self._pattern(place.indicator_id)):
                    yield place.indicator_id, self._units[name].unit_id, number
            else:
                for unit_id in units:
                    yield place.indicator_id, unit_id, match[group]
        for indicator_id, value in states.items():
            for unit_id in units:
                yield indicator_id, unit_id, f"{value:f}"

    def _named(self, text: str) -> list[Unit]:
        names = sorted(self._units, key=len, reverse=True)
        return [self._units[name] for name in re.findall("|".join(map(re.escape, names)), text)]

    def _pattern(self, indicator_id: str, behind: str = "") -> str:
        """Return the pattern of an indicator's number, with its unit of measure or without.

        Another unit of measure makes it another figure, unless the phrase has it ``behind`` the number.
        """
        item = self._indicators[indicator_id]
        if item.unit_of_measure == "%":
            captions = (item.caption, *(joined(path) for path in (item.label, *item.aliases)))
            if any(map(_OF_A_CHANGE.search, captions)):
                return f"(?:{DIRECTION})?{EXACT}(?:%|个百分点)(?!{INEXACT})"
            return f"{EXACT}%(?!{INEXACT})"  # 整改率提高1.2个百分点 says nothing of the rate itself
        names = [*MONEY] if item.unit_of_measure in MONEY else [item.unit_of_measure]
        unit = "|".join(sorted(map(re.escape, map(plain, names)), key=len, reverse=True))
        if item.unit_of_measure in MONEY:
            return f"{EXACT}(?:{unit})(?!{INEXACT})"
        alone = _NOT_A_COUNT if behind and behind in _MEASURES else f"{_NOT_A_COUNT}(?![{_MEASURES}])"
        return f"{EXACT}(?:(?:{unit})(?![次月]|百分点|{INEXACT})|{alone}(?!(?:{unit})?(?:{INEXACT})))"

    def _measure(self, item: Indicator) -> Measure:
        return measure_of(item.unit_of_measure, "", _NOT_APPLICABLE, item.measure_kind in ("flow", "stock"))

    def _enumerations(self, grid: Grid, said: Sequence[_Statement]) -> Iterator[ReadingFinding]:
        """Yield a finding where a figure is followed by what it is unit by unit, and these add up to something else."""
        for whole in (item for item in said if item.unit_id == self._speaks_of):
            if self._indicators[whole.indicator_id].measure_kind not in ("flow", "stock"):
                continue
            parts, counted = [], []
            for item in said:
                if item.indicator_id == whole.indicator_id and item is not whole and item.reading.value is not None:
                    parts.append(item.reading.value)
                    if (self._speaks_of, item.unit_id) in self._counted:
                        counted.append(item.reading.value)
            if parts and whole.reading.value not in (None, sum(parts), sum(counted)):
                finding = self._finding(grid, "enumeration_differs", whole)
                yield replace(finding, expected="＋".join(f"{part:f}" for part in parts) + f"＝{sum(parts):f}")

    def _statement(self, indicator_id: str, unit_id: str, typed: str, period: Period, line: _Line) -> _Statement:
        item = self._indicators[indicator_id]
        number = signed(typed).replace("个百分点", "")
        reading = read_typed(number, self._measure(item))
        return _Statement(indicator_id, unit_id, period, reading, line.cell, line.text.strip())

    def _listed(
        self, grid: Grid, columns: dict[str, int], period: Period, result: ReadWorkbook
    ) -> Iterator[_Statement]:
        """Yield what the rows of a list state; a row that is not bound is added to the result."""
        header = columns.pop("row")
        for row in range(header + 1, len(grid.rows)):
            said = {name: as_text(_cell(grid.rows[row], column)).strip() for name, column in columns.items()}
            if not said["figure"] and not said["indicator"]:
                continue
            cell = grid.address(row, columns["figure"])
            item = self._by_name.get(plain(said["indicator"]))
            unit = self._units.get(plain(said.get("scope", "")))
            own = self._period_in(said["period"], period) if said.get("period") else period
            sentence = said.get("sentence", "")
            shown_as, number = grid.formats.get(cell), _cell(grid.rows[row], columns["figure"])
            if shown_as and isinstance(number, float) and item and item.measure_kind not in ("flow", "stock"):
                said["figure"] = shown_as.show(number) or said["figure"]
            if item is None or own is None or not said["figure"] or (unit is None and said.get("scope")):
                words = sentence or " ".join(filter(None, said.values()))
                result.unbound.append(Unbound(grid.name, cell, words, tuple(filter(None, [said["figure"]]))))
                continue
            unit_id = unit.unit_id if unit else self._speaks_of
            yield self._statement(item.indicator_id, unit_id, said["figure"], own, _Line(sentence, cell))

    def _submissions(self, grid: Grid, statements: Iterable[_Statement]) -> Iterator[ReadSubmission]:
        """Yield the statements by unit and period; what is stated once more, and otherwise, is a finding."""
        by_key: dict[tuple[str, str], dict[str, _Statement]] = {}
        again: dict[tuple[str, str], list[_Statement]] = {}
        for item in statements:
            key = (item.unit_id, item.period.period_id)
            first = by_key.setdefault(key, {}).setdefault(item.indicator_id, item)
            if first is not item and not agree(first.reading, item.reading):
                again.setdefault(key, []).append(item)
        for key, by_indicator in by_key.items():
            some = next(iter(by_indicator.values()))
            role = "unit" if self._own_unit and some.unit_id == self._speaks_of else "total"
            stated = list(by_indicator.values())
            observations = Observations(
                [f"{self.form.form_id}.{item.indicator_id}" for item in stated],
                [item.reading for item in stated],
                [item.cell for item in stated],
            )
            said = {f"{self.form.form_id}.{item.indicator_id}": item.sentence for item in stated}
            read = ReadSubmission(
                self.form.form_id, some.unit_id, some.period, role, grid.name, observations, said=said
            )
            read.findings.extend(self._oddities(grid, stated))
            read.findings.extend(
                self._finding(grid, "stated_differently", item, by_indicator[item.indicator_id])
                for item in again.get(key, ())
            )
            yield read

    def _oddities(self, grid: Grid, stated: Iterable[_Statement]) -> Iterator[ReadingFinding]:
        for item in stated:
            if item.reading.oddity:
                yield self._finding(grid, item.reading.oddity, item)

    def _finding(self, grid: Grid, kind: str, item: _Statement, first: _Statement | None = None) -> ReadingFinding:
        indicator = self._indicators[item.indicator_id]
        cells = [f"{grid.name}!{place.cell}" for place in (first, item) if place]
        return ReadingFinding(
            kind,
            grid.name,
            cells="、".join(dict.fromkeys(cells)),
            stated=item.reading.text,
            expected=first.reading.text if first else indicator.unit_of_measure,
            indicator=indicator.caption,
            form=f"《{self.form.title}》",
            form_id=self.form.form_id,
            period_id=item.period.period_id,
        )


class Bulletins:
    """All bulletins of a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._readers = [BulletinReader(catalog, form) for form in catalog.forms if form.bulletin]

    def read(self, grid: Grid, file_name: str, dated: Sequence[str], result: ReadWorkbook) -> bool:
        """Add what a sheet states if it carries a bulletin's title; return whether it does."""
        if not self._readers or not _may_be_bulletin(grid):
            return False
        head = plain("".join(as_text(text) for texts in grid.texts[:_TITLE_ROWS] for text in texts))
        titled = [(title, reader) for reader in self._readers for title in reader.titles if title in head]
        if not titled:
            return False
        _, reader = max(titled, key=lambda item: len(item[0]))
        unbound = len(result.unbound)
        reader.read(grid, file_name, dated, result)
        for item in result.unbound[unbound:]:
            result.sheet_findings[grid.name, reader.form.form_id].append(
                ReadingFinding(
                    "statement_not_bound",
                    grid.name,
                    cells=f"{grid.name}!{item.cell}",
                    stated=item.sentence,
                    form_id=reader.form.form_id,
                )
            )
        return True


def _may_be_bulletin(grid: Grid) -> bool:
    """Return whether a sheet has a row that is a sentence, or the header of a list; most have not."""
    return any(
        (len(texts) == 1 and ("，" in texts[0] or "。" in texts[0])) or ("指标" in texts and "数值" in texts)
        for texts in grid.texts
    )


def _list_columns(grid: Grid) -> dict[str, int]:
    """Return the columns of a list of statements and, as ``row``, its header row; nothing where it is none."""
    for number, row in enumerate(grid.rows):
        columns = {
            _LIST_COLUMNS[plain(cell)]: column
            for column, cell in enumerate(row)
            if isinstance(cell, str) and plain(cell) in _LIST_COLUMNS
        }
        if {"indicator", "figure"} <= columns.keys():
            return {**columns, "row": number}
    return {}


def _lines(grid: Grid) -> Iterator[_Line]:
    """Yield the sentences of the cells that hold prose; one that was broken over several lines is whole again."""
    pending = _Line("", "")
    for row, cells in enumerate(grid.rows):
        filled = [(column, cell) for column, cell in enumerate(cells) if cell != ""]
        if not filled:
            continue
        (column, cell), *others = filled
        text = "" if others or not isinstance(cell, str) else cell.replace("\0", "").strip()
        goes_on = len(pending.text) >= _BROKEN and column == pending.column and text
        is_broken = _IN_SENTENCES.search(pending.text) and not _ENDED.search(pending.text[-_BROKEN:])
        if goes_on and is_broken and not _HEADING.match(text):
            pending = replace(pending, text=pending.text + text)
            continue
        yield from _sentences(pending)
        pending = _Line(text, grid.address(row, column), column)
    yield from _sentences(pending)


def _sentences(line: _Line) -> Iterator[_Line]:
    if _IN_SENTENCES.search(line.text):  # else a heading, or a cell of a table
        for sentence in _SENTENCE.findall(line.text):
            if sentence.strip():
                yield replace(line, text=sentence)


def _each(text: str, units: Iterable[str], number: str) -> list[tuple[str, str]]:
    names = "|".join(sorted(map(re.escape, units), key=len, reverse=True))
    return re.findall(f"({names})(?:为|:)?({number})", text)


def _cell(row: Sequence[Cell], column: int) -> Cell:
    return row[column] if column < len(row) else ""
