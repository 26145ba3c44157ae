"""Checking workbooks before they are sent, and bulletins before they are printed: what reading and the rules find.

Nothing is recorded anywhere, and no warehouse is asked but for what the units report that a bulletin speaks of: see
``quality.at_hand`` for what is checked.
"""

from __future__ import annotations

import json
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enforcement_reporting.catalog import Catalog, load_catalog
from enforcement_reporting.findings import ReadingFinding, Severity
from enforcement_reporting.quality.at_hand import (
    Known,
    NotChecked,
    RuleFinding,
    Submission,
    check_at_hand,
    nothing_known,
)
from enforcement_reporting.quality.mending import Proposal
from enforcement_reporting.quality.rules import load_suites
from enforcement_reporting.workbook import Reader, ReadWorkbook, Unbound, UnreadableWorkbook
from enforcement_reporting.workbook.package import MAX_FILE_BYTES, too_many_bytes

_SIGNS = {Severity.ERROR: "✗ 错误", Severity.QUESTION: "？ 核实", Severity.NOTICE: "· 提示"}
_CLEAN, _FINDINGS, _UNREADABLE = 0, 1, 2


@dataclass(frozen=True)
class Finding:
    """A finding with all that is known of where it belongs; unit, form and period are ids, or None."""

    file: str
    unit: str | None
    form: str | None
    period: str | None
    rule_id: str
    severity: Severity
    cells: str
    stated: str | None
    expected: str | None
    message: str
    sentences: tuple[str, ...] = ()
    proposals: tuple[Proposal, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as it is printed for programs."""
        return vars(self) | {"proposals": [proposal.as_json() for proposal in self.proposals]}


@dataclass
class CheckedFile:
    """What one file holds and what was found in it; ``reason`` says why nothing can be taken from it."""

    name: str
    submissions: Sequence[Submission]
    findings: Sequence[Finding]
    reason: str = ""
    unbound: Sequence[Unbound] = ()


@dataclass
class Checked:
    """What became of all files."""

    catalog: Catalog
    files: Sequence[CheckedFile]
    skipped: NotChecked

    @property
    def exit_status(self) -> int:
        """Return 2 where a file cannot be taken, 1 where there are findings, else 0."""
        if any(file.reason for file in self.files):
            return _UNREADABLE
        return _FINDINGS if any(file.findings for file in self.files) else _CLEAN

    def as_json(self) -> str:
        """Return all findings as a JSON list; a file that cannot be read has one that says why."""
        found = [finding.as_json() for file in self.files for finding in self._findings_of(file)]
        return json.dumps(found, ensure_ascii=False, indent=2)

    def lines(self) -> Iterator[str]:
        """Yield what a person reads: what was recognised, each finding, how many there are, what was not checked."""
        names = {unit.unit_id: unit.name for item in self.catalog.authorities for unit in item.units.tree()}
        counts: Counter[Severity] = Counter()
        for file in self.files:
            yield file.name
            yield from self._recognised(file.submissions, names)
            if file.reason:
                yield f"  ✗ 无法采集：{file.reason}"
            for finding in file.findings:
                counts[finding.severity] += 1
                cells = "、".join(dict.fromkeys(finding.cells.split("、"))) if finding.sentences else finding.cells
                where = " ".join(filter(None, (names.get(finding.unit or ""), cells)))
                yield f"  {_SIGNS[finding.severity]} {where}{' ' if where else ''}{finding.message}"
                yield from (f"      原句：{sentence}" for sentence in finding.sentences)
                yield from (f"      → {proposal.text}" for proposal in finding.proposals)
            if file.unbound:
                yield f"  未能对应到指标的数字，请人工核对（{len(file.unbound)} 句）："
                for item in file.unbound:
                    yield f"    {item.sheet}!{item.cell} {'、'.join(item.figures)}：{item.sentence}"
        unreadable = sum(bool(file.reason) for file in self.files)
        said = f"，无法采集 {unreadable} 个" if unreadable else ""
        yield (
            f"共 {len(self.files)} 个文件{said}：错误 {counts[Severity.ERROR]} 处，"
            f"核实 {counts[Severity.QUESTION]} 处，提示 {counts[Severity.NOTICE]} 处。"
        )
        if unchecked := self.not_checked():
            yield unchecked

    def not_checked(self) -> str:
        """Return how many rules were not checked and why, in one line, or nothing where all were."""
        why = (
            (self.skipped.across_periods, "须与其他各期比较"),
            (self.skipped.across_forms, "须与未提供（或自身有错误）的报表比较"),
        )
        parts = [f"{len(rules)} 条规则{reason}" for rules, reason in why if rules]
        return f"本次未核对：{'，'.join(parts)}。" if parts else ""

    def _recognised(self, submissions: Iterable[Submission], names: dict[str, str]) -> Iterator[str]:
        """Yield a line for each form and period with the units that report it."""
        units: dict[tuple[str, str], list[str]] = {}
        for item in submissions:
            read = item.read
            title = self.catalog.form_by_id[read.form_id].version_of(read.period).form.title
            whose = names[read.unit_id] + ("（合计行）" if read.row_role == "total" and not read.said else "")
            if read.said:
                whose += f"（{len(read.said)} 个数字）"
            units.setdefault((title, read.period.name), []).append(whose)
        for (title, period), whose_all in units.items():
            yield f"  《{title}》 {period}：{'、'.join(whose_all)}"

    @staticmethod
    def _findings_of(file: CheckedFile) -> Iterator[Finding]:
        if file.reason:
            nothing = (None, None, None)
            yield Finding(file.name, *nothing, "reading.unreadable", Severity.ERROR, "", None, None, file.reason)
        yield from file.findings
        for item in file.unbound:
            message = ReadingFinding("statement_not_bound", item.sheet, stated=item.sentence).message()
            figures = "、".join(item.figures)
            place = (f"{item.sheet}!{item.cell}", figures, None, message, (item.sentence,))
            yield Finding(file.name, None, None, None, "reading.statement_not_bound", Severity.NOTICE, *place)


def check_files(
    definitions: Path, paths: Sequence[str], *, as_printed: bool = False, known: Known = nothing_known
) -> Checked:
    """Return what was found in files of this machine. Raises CatalogError where the definitions are not sound.

    For bulletins everything is taken ``as_printed``, errors and all, and what they say of units whose reports are not
    in the files is held against what is ``known`` of them.
    """
    catalog = load_catalog(definitions)
    suites = load_suites(definitions, catalog)
    reader = Reader(catalog)
    read = [_read(reader, Path(path)) for path in paths]
    workbooks = [workbook for workbook, _ in read]
    submissions, skipped = check_at_hand(catalog, suites, workbooks, as_printed=as_printed, known=known)
    files = []
    for path, (workbook, reason) in zip(paths, read, strict=True):
        own = [item for item in submissions if item.workbook is workbook]
        name = Path(path).name
        files.append(CheckedFile(name, own, list(_findings(name, workbook, own)), reason, workbook.unbound))
    return Checked(catalog, files, skipped)


def _read(reader: Reader, path: Path) -> tuple[ReadWorkbook, str]:
    """Return what is in a file, and why nothing can be taken from it if so."""
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and status.st_size > MAX_FILE_BYTES:
            raise too_many_bytes(status.st_size)
        with path.open("rb") as file:  # of what is no file and has no size, no more than may be read
            read = reader.read(file.read(MAX_FILE_BYTES + 1), path.name)
    except FileNotFoundError:
        return ReadWorkbook(), "文件不存在。"
    except OSError:
        return ReadWorkbook(), "文件无法打开。"
    except UnreadableWorkbook as error:
        return ReadWorkbook(), error.reason
    return read, "" if read.submissions or read.unbound else "其中没有可以采集的报表。"


def _findings(name: str, workbook: ReadWorkbook, submissions: Iterable[Submission]) -> Iterator[Finding]:
    """Yield all that was found in a file: of the file, of its sheets, of each submission."""

    def said(finding: ReadingFinding, unit: str | None, form: str | None, period: str | None) -> Finding:
        return Finding(
            *(name, unit, form or None, period or None, f"reading.{finding.kind}", finding.severity),
            *(finding.cells, finding.stated or None, finding.expected or None, finding.message()),
        )

    for finding in workbook.file_findings:
        yield said(finding, None, finding.form_id, finding.period_id)
    for (_, form_id), findings in workbook.sheet_findings.items():
        for finding in findings:
            if finding.kind == "statement_not_bound":
                continue  # these are listed by themselves, see CheckedFile
            yield said(finding, None, form_id, finding.period_id)
    for item in submissions:
        place = (item.read.unit_id, item.read.form_id, item.read.period.period_id)
        for finding in item.read.findings:
            yield said(finding, *place)
        for broken in item.findings:
            yield _of_rule(name, place, broken)


def _of_rule(name: str, place: tuple[str, str, str], broken: RuleFinding) -> Finding:
    return Finding(
        *(name, *place, broken.rule_id, broken.severity),
        *(broken.cells, broken.stated, broken.expected, broken.message, broken.sentences, broken.proposals),
    )
