"""What the rules find of what is wrong, and of what is not: precision and recall of every kind of rule.

One monthly form of a synthetic authority has columns of its own for every kind, another is its partner. Submissions are
generated, faults are planted into some by seed, the workbooks are taken in and checked as ever, and what is found is
held against what was planted. Then clean submissions are checked, of these forms and of the forms of this repository:
every error in them is a false one. Unless every fault is found and no clean submission has an error, the command fails.

    python benchmarks/detection.py [--units 40] [--faults 60] [--clean 10000] [--publish]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from enforcement_reporting import generator, intake  # noqa: E402
from enforcement_reporting.generator import Submission, Workbook  # noqa: E402
from enforcement_reporting.local.postgres import LocalServer  # noqa: E402
from enforcement_reporting.quality import check_submissions  # noqa: E402
from enforcement_reporting.settings import PROJECT_ROOT, Settings  # noqa: E402
from enforcement_reporting.warehouse import connect, migrate  # noqa: E402
from report import publish, table  # noqa: E402
from run import running_server  # noqa: E402

AUTHORITY, MONTHS = "detect", 26
STARTS = date(2023, 1, 1)

# Of every kind of rule: what is declared, and the columns that are its own. A column is a count of the month unless it
# says something else behind a colon.
RULES: dict[str, tuple[str, str]] = {
    "part_whole": ("{parts: [pw_part], whole: [pw_whole]}", "pw_part pw_whole"),
    "sum": ("{parts: [s_a, s_b], whole: s_whole}", "s_a s_b s_whole"),
    "partitions_agree": ("{partitions: [[p_a, p_b], [q_a, q_b, q_c]]}", "p_a p_b q_a q_b q_c"),
    "amount_count": ("{amount: [ac_amount], count: [ac_count]}", "ac_amount:money ac_count"),
    "rate": ("{stated: r_rate, numerator: [r_over], denominator: [r_under]}", "r_over r_under r_rate:rate"),
    "not_applicable": ("{indicators: [na]}", "na:departments"),
    "whole_base": ("{value: wb, change: wb_change}", "wb wb_change:rate"),
    "change_triple": (
        "{value: ct, base: ct_base, delta: ct_delta, percent: ct_percent}",
        "ct ct_base ct_delta:rate ct_percent:rate",
    ),
    "never_fixed": ("{found: [nf_found], fixed: [nf_fixed], minimum: 10}", "nf_found nf_fixed"),
    "total_row": ("{indicators: [tr]}", "tr"),
    "overall_rate": ("{rate: o_rate}", "o_over o_under o_rate:rate"),
    "equal_across_forms": ("{left: eq, right: detect_other.eq}", "eq"),
    "part_whole_across_forms": ("{parts: [pa], whole: [detect_other.pa]}", "pa"),
    "not_falling": ("{indicators: [fall]}", "fall:cumulative"),
    "accumulates": ("{indicators: [acc]}", "acc:cumulative acc_month:of_acc"),
    "stated_change": ("{stated: sc_change, of: sc, against: previous}", "sc sc_change:rate"),
    "last_years_value": ("{indicators: [ly_a, ly_b, ly_c]}", "ly_a ly_b ly_c"),
    "copied": ("{indicators: [cp_a, cp_b, cp_c, cp_d]}", "cp_a cp_b cp_c cp_d"),
    "jump": ("{indicators: [jump]}", "jump"),
    "zero_run": ("{indicators: [zr_a, zr_b], periods: 3}", "zr_a zr_b"),
}
# A total's rate is worked out by a rule of its own: what it finds beside a planted mean is no other fault.
BESIDE, BESIDE_DECLARED = "o_right", "{stated: o_rate, numerator: [o_over], denominator: [o_under]}"
WITHIN = (
    *("part_whole", "sum", "partitions_agree", "amount_count", "rate", "not_applicable", "whole_base"),
    *("change_triple", "never_fixed"),
)
OF_TOTALS = ("total_row", "overall_rate")
ACROSS = tuple(kind for kind in RULES if kind not in (*WITHIN, *OF_TOTALS))
# What a bulletin states about the other form, month by month, and the ways in which it is wrong in turn.
BULLETIN = {
    "form_id": "detect_bulletin",
    "authority_id": AUTHORITY,
    "title": "执法情况通报",
    "calendar": {"kind": "month"},
    "figures": "single",
    "bulletin": {
        "speaks_of": "detect_all",
        "phrases": [
            "共同检查{eq}[，复核{pa}][，复核比{share}]",
            "上月复核比{last_share}",
            "其中重点检查{key}（{each:key}）",
        ],
    },
    "indicators": [
        {"indicator_id": "eq", "label": ["共同检查"], "unit_of_measure": "件"},
        {"indicator_id": "pa", "label": ["复核"], "unit_of_measure": "件"},
        {"indicator_id": "key", "label": ["重点检查"], "unit_of_measure": "件"},
        {"indicator_id": "share", "label": ["复核比"], "unit_of_measure": "%", "measure_kind": "rate"},
        {"indicator_id": "last_share", "label": ["上月复核比"], "unit_of_measure": "%", "measure_kind": "rate"},
    ],
}
BULLETIN_RULES = """
- {rule_id: eq, kind: stated_figure, stated: eq, of: [detect_other.eq]}
- {rule_id: pa, kind: stated_figure, stated: pa, of: [detect_other.pa]}
- {rule_id: share, kind: rate, stated: share, numerator: [detect_other.pa], denominator: [detect_other.eq]}
- {rule_id: last, kind: wrong_period, stated: last_share, numerator: [detect_other.pa], denominator: [detect_other.eq]}
"""
IN_BULLETINS = ("stated_figure", "wrong_period", "stated_differently", "enumeration_differs")
APART = 5  # months between two faults of one kind in one unit: each is to be seen for itself

Key = tuple[str, str, str]  # rule, unit, period


def write_definitions(folder: Path, units: int) -> None:
    """Write the catalog and the rules."""
    labels = {"money": "万元", "rate": "%"}

    def column(text: str) -> dict[str, object]:
        name, _, kind = text.partition(":")
        column: dict[str, object] = {
            "indicator_id": name,
            "label": [f"栏目{name}"],
            "unit_of_measure": labels.get(kind, "件"),
        }
        if kind == "rate":
            column["measure_kind"] = "rate"
        if kind == "cumulative":
            column["figures"] = "cumulative"
        if kind.startswith("of_"):
            column["counterpart"] = kind.removeprefix("of_")
        if kind == "departments":
            column["applies_to"] = ["部门"]
        return column

    reporting = [
        {"unit_id": f"detect_u{n:04}", "name": f"合成{n:04}号单位", "kind": "部门" if n % 4 == 0 else "镇街"}
        for n in range(1, units + 1)
    ]
    form = {
        "authority_id": AUTHORITY,
        "calendar": {"kind": "month"},
        "figures": "single",
        "unit_labels": ["单位"],
    }
    files: dict[str, object] = {
        "catalog/landing.yaml": {"places": [{"place_id": "inbox", "path": "inbox", "policy": "collect"}]},
        f"catalog/{AUTHORITY}/authority.yaml": {
            "authority_id": AUTHORITY,
            "name": "合成市应急管理局",
            "units": {"unit_id": "detect_all", "name": "合成市", "kind": "汇总", "members": reporting},
        },
        f"catalog/{AUTHORITY}/forms/detect_main.yaml": {
            **form,
            "form_id": "detect_main",
            "title": "合成执法综合月报",
            "total_row": {"labels": ["合计"], "states": "detect_all"},
            "indicators": [column(text) for _, columns in RULES.values() for text in columns.split()],
        },
        f"catalog/{AUTHORITY}/forms/detect_other.yaml": {
            **form,
            "form_id": "detect_other",
            "title": "合成检查情况月报",
            "indicators": [column("eq"), column("pa")],
        },
        f"catalog/{AUTHORITY}/forms/detect_bulletin.yaml": BULLETIN,
        f"expectations/{AUTHORITY}/detect_bulletin.yaml": {
            "form": "detect_bulletin",
            "rules": yaml.safe_load(BULLETIN_RULES),
        },
        f"expectations/{AUTHORITY}/detect_main.yaml": {
            "form": "detect_main",
            "rules": [
                {"rule_id": rule_id, "kind": kind, **yaml.safe_load(declared)}
                for rule_id, kind, declared in (
                    *((kind, kind, declared) for kind, (declared, _) in RULES.items()),
                    (BESIDE, "rate", BESIDE_DECLARED),
                )
            ],
        },
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")


# --- planting -------------------------------------------------------------------------------------------------------


@dataclass
class Planting:
    """What is planted: which faults are due where, what each unit stated before, and what is to be found."""

    random: Random
    due: dict[tuple[str, str], set[str]]  # by unit and period: the kinds of rules to be broken
    truth: set[Key] = field(default_factory=set)
    stated: dict[str, dict[str, Submission]] = field(default_factory=lambda: defaultdict(dict))

    def plant(self, workbook: Workbook) -> None:
        """Plant the faults that are due in a month's workbook."""
        main, other = ({row.unit_id: row for row in rows} for rows in workbook.sheets)
        for unit_id, row in main.items():
            self.stated[unit_id][row.period.period_id] = row
            if row.row_role == "unit":
                _liven_up(row, self.random)
            for kind in sorted(self.due.get((unit_id, row.period.period_id), ())):
                if row.row_role == "unit" and PLANTED[kind](Place(self, row, other[unit_id])):
                    self.truth.add((kind, unit_id, row.period.period_id))
        total = next(row for row in main.values() if row.row_role == "total")
        rows = [row for row in main.values() if row.row_role == "unit"]
        for item in total.form.indicators:
            if item.measure_kind == "flow":
                total.figures[item.indicator_id] = sum(
                    (value for row in rows if isinstance(value := row.figures[item.indicator_id], Decimal)), Decimal(0)
                )
        for kind in self.due.get((total.unit_id, total.period.period_id), ()):
            if kind == "total_row":
                total.figures["tr"] = number(total, "tr") + self.random.choice([1, -1, 20])
            else:
                rates = [value for row in rows if isinstance(value := row.figures["o_rate"], Decimal)]
                mean = sum(rates, Decimal(0)) / len(rates)
                total.figures["o_rate"] = mean.quantize(Decimal("0.01"), ROUND_HALF_UP)
            self.truth.add((kind, total.unit_id, total.period.period_id))

    def before(self, row: Submission, months: int = 1) -> Submission | None:
        """Return what a unit stated some months before."""
        period_id = row.period.previous_period_id if months == 1 else row.period.year_ago_period_id
        return self.stated[row.unit_id].get(period_id or "")


def number(row: Submission, name: str) -> Decimal:
    """Return a figure, zero where there is none."""
    value = row.figures[name]
    return value if isinstance(value, Decimal) else Decimal(0)


def _liven_up(row: Submission, random: Random) -> None:
    """Let something be there where a fault is to be the only nothing."""
    for name in ("zr_a", "zr_b", "ly_a", "ly_b", "ly_c", "cp_a", "cp_b", "cp_c", "cp_d"):
        row.figures[name] = number(row, name) + random.randint(10, 40)
    row.figures["jump"] = Decimal(random.randint(80, 120))


@dataclass
class Place:
    """Where a fault is planted: a unit's report of a month, and what it states on the other form."""

    planting: Planting
    row: Submission
    other: Submission

    @property
    def random(self) -> Random:
        """Return what faults are drawn by."""
        return self.planting.random

    def __getitem__(self, name: str) -> Decimal:
        return number(self.row, name)

    def to(self, **figures: object) -> bool:
        """State other figures."""
        self.row.figures.update({name: Decimal(str(value)) for name, value in figures.items()})
        return True

    def add(self, name: str, amount: object) -> bool:
        """State a figure that is more by an amount."""
        return self.to(**{name: self[name] + Decimal(str(amount))})

    def repeat(self, months: int, *names: str) -> bool:
        """State what was stated some months before, where something was."""
        before = self.planting.before(self.row, months)
        return before is not None and self.to(**{name: number(before, name) for name in names})


def _no_whole_base(at: Place) -> bool:
    """State the change that lies in the middle between those of two neighbouring bases."""
    value, base = at.random.randint(20, 90), at.random.randint(15, 90)
    changes = [Decimal(100 * (value - b)) / b for b in (base, base + 1)]
    return at.to(wb=value, wb_change=(sum(changes) / 2).quantize(Decimal("0.01")))


def _wrong_change(at: Place) -> bool:
    before = at.planting.before(at.row)
    return before is not None and number(before, "sc") > 0 and at.add("sc_change", "1.5")


def _fallen(at: Place) -> bool:
    before = at.planting.before(at.row)
    if before is None or at.row.period.opens_window or number(before, "fall") < 1:
        return False
    return at.to(fall=number(before, "fall") - 1)


def _silent(at: Place) -> bool:
    """Let nothing be done for three months: what is to be found is found in the last of them."""
    for place, later in enumerate(_months_from(at.row.period.period_id, 3)[1:], 1):
        at.planting.due.setdefault((at.row.unit_id, later), set()).add(f"silent_{place}")
    return not at.to(zr_a=0, zr_b=0)


def _silent_to_the_end(at: Place) -> bool:
    at.planting.truth.add(("zero_run", at.row.unit_id, at.row.period.period_id))
    return not at.to(zr_a=0, zr_b=0)


def _months_from(period_id: str, count: int) -> list[str]:
    year, month = map(int, period_id.split("-"))
    return [f"{year + (month - 1 + n) // 12}-{(month - 1 + n) % 12 + 1:02}" for n in range(count)]


# Each returns whether it could plant its fault.
PLANTED: dict[str, Callable[[Place], bool]] = {
    "part_whole": lambda at: at.to(pw_part=at["pw_whole"] + at.random.randint(1, 9)),
    "sum": lambda at: at.add("s_whole", at.random.choice([1, 20, 9])),
    "partitions_agree": lambda at: at.add(at.random.choice(["p_a", "q_c"]), at.random.choice([1, 10])),
    "amount_count": lambda at: at.to(ac_amount="3.5", ac_count=0),
    "rate": lambda at: at["r_under"] > 0 and at.add("r_rate", at.random.choice(["0.02", "10", "-0.02"])),
    "not_applicable": lambda at: at["na"] == 0 and int(at.row.unit_id[-4:]) % 4 != 0 and at.to(na=3),
    "whole_base": _no_whole_base,
    "change_triple": lambda at: at.add("ct_delta", at.random.choice([1, -2, 10])),
    "never_fixed": lambda at: at.to(nf_found=max(Decimal(10), at["nf_found"]), nf_fixed=0),
    "equal_across_forms": lambda at: at.add("eq", at.random.choice([1, 9])),
    "part_whole_across_forms": lambda at: at.to(pa=number(at.other, "pa") + 1),
    "not_falling": _fallen,
    "accumulates": lambda at: at.planting.before(at.row) is not None and at.add("acc_month", 3),
    "stated_change": _wrong_change,
    "last_years_value": lambda at: at.repeat(12, "ly_a", "ly_b", "ly_c"),
    "copied": lambda at: at.repeat(1, "cp_a", "cp_b", "cp_c", "cp_d"),
    "jump": lambda at: at.to(jump=at.random.choice([400, 1000])),
    "zero_run": _silent,
    "silent_1": lambda at: not at.to(zr_a=0, zr_b=0),
    "silent_2": _silent_to_the_end,
}


@dataclass
class Text:
    """A bulletin as a text file."""

    file_name: str
    text: str

    def content(self) -> bytes:
        """Return its bytes."""
        return self.text.encode()


def bulletin_of(workbook: Workbook, number_of_month: int, planting: Planting) -> Text:
    """Return the month's bulletin; in turn one of the ways of being wrong is planted in it, or none."""
    rows = [row for row in workbook.sheets[1] if row.row_role == "unit"]
    period = rows[0].period
    ways = (*IN_BULLETINS, "")
    wrong = ways[number_of_month % len(ways)]
    eq, pa = (sum((number(row, name) for row in rows), Decimal(0)) for name in ("eq", "pa"))
    share = (100 * pa / eq).quantize(Decimal("0.01"), ROUND_HALF_UP)
    names = [(unit_name(row), number(row, "eq")) for row in rows[:2]]
    key = sum(figure for _, figure in names)
    if wrong:
        planting.truth.add((wrong, "detect_all", period.period_id))
    lines = [
        f"合成市{period.name}执法情况通报",
        "",
        f"本月，全市共同检查{eq + (wrong == 'stated_figure')}件，复核{pa}件，复核比{share}%。"
        f"上月复核比{share if wrong == 'wrong_period' else share + 1}%。",
        f"其中重点检查{key + 2 * (wrong == 'enumeration_differs')}件（"
        + "，".join(f"{name}{figure}件" for name, figure in names)
        + "）。",
        f"各单位要抓好落实，全市共同检查{eq + 3}件。" if wrong == "stated_differently" else "各单位要抓好落实。",
    ]
    return Text(f"{period.period_id}.txt", "\n".join(lines))


def unit_name(row: Submission) -> str:
    """Return the name that write_definitions gives a unit."""
    return f"合成{row.unit_id[-4:]}号单位"


def places_of_faults(units: int, faults: int, random: Random) -> dict[tuple[str, str], set[str]]:
    """Return where which faults are due.

    Errors within a report stand in other units than what is held against other reports: a report with an error of its
    own is nobody's history.
    """
    due: dict[tuple[str, str], set[str]] = defaultdict(set)
    periods = _months_from(f"{STARTS:%Y-%m}", MONTHS)
    for kind in RULES:
        numbers = [n for n in range(1, units + 1) if (n % 2 == 0) == (kind in WITHIN)]
        whose = ["detect_all"] if kind in OF_TOTALS else [f"detect_u{n:04}" for n in numbers]
        free = [(unit, place) for unit in whose for place in range(13, MONTHS - 3)]
        random.shuffle(free)
        taken: list[tuple[str, int]] = []
        for unit, place in free:
            apart = 1 if kind in OF_TOTALS else APART
            if len(taken) < faults and all(u != unit or abs(place - p) >= apart for u, p in taken):
                taken.append((unit, place))
                due[unit, periods[place]].add(kind)
    return due


# --- checking -------------------------------------------------------------------------------------------------------


def check(server: LocalServer, folder: Path, definitions: Path, workbooks: Iterable[Workbook | Text]) -> Settings:
    """Take workbooks in, a day each, and check them as ever."""
    database = folder.name
    server.create_database(database)
    settings = replace(
        Settings.from_environment(definitions),
        state=folder,
        landing=str(folder / "landing"),
        store=str(folder / "store"),
        warehouse_url=server.url(database),
    )
    migrate(settings)
    intake.prepare(settings)
    (folder / "in").mkdir(parents=True)
    for day, workbook in enumerate(workbooks):
        path = folder / "in" / workbook.file_name
        path.write_bytes(workbook.content())
        intake.ingest_files(settings, [str(path)], "collect", datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day))
    check_submissions(settings)
    return settings


def query(settings: Settings, question: str) -> list[tuple[Any, ...]]:
    """Return the answer of the warehouse."""
    with connect(settings) as connection:
        return connection.execute(question.encode()).fetchall()


def detection(server: LocalServer, folder: Path, definitions: Path, faults: int, units: int) -> tuple[str, bool]:
    """Return the table of what was planted and found, and whether all of it was."""
    random = Random(1)
    planting = Planting(random, places_of_faults(units, faults, random))

    def planted() -> Iterator[Workbook | Text]:
        for month, workbook in enumerate(generated(definitions, AUTHORITY, STARTS, MONTHS, seed=1)):
            planting.plant(workbook)
            yield workbook
            yield bulletin_of(workbook, month, planting)

    settings = check(server, folder / "planted", definitions, planted())
    found: dict[str, set[Key]] = defaultdict(set)
    severities: dict[str, str] = {}
    for kind, form_id, unit_id, period_id, severity in query(
        settings,
        "select rule_kind, form_id, coalesce(unit_id, 'detect_all'), period_id, severity from quality.findings",
    ):
        if (form_id, unit_id) == ("detect_main", "detect_all") and kind not in OF_TOTALS:
            continue  # what is wrong in a row is wrong in the total, too, and so is the rate that is a mean
        found[kind].add((kind, unit_id, period_id))
        severities[kind] = severity
    rows, is_complete = [], True
    known = (*RULES, *IN_BULLETINS)
    for kind in (*known, *sorted(found.keys() - set(known))):
        truth = {key for key in planting.truth if key[0] == kind}
        right = len(truth & found[kind])
        is_complete &= bool(truth) and right == len(truth)
        rows.append(
            [
                *(f"`{kind}`", severities.get(kind, "—"), str(len(truth)), str(len(found[kind]))),
                *(share(right, len(truth)), share(right, len(found[kind]))),
            ]
        )
    (reports,) = query(settings, "select count(*) from intake.submissions")
    text = (
        f"{len(planting.truth)} faults in {reports[0]:,} submissions of {units} units and {MONTHS} months, each kind in"
        " columns of its own.\n\n"
    )
    return text + table(["kind of rule", "asks as", "planted", "found", "recall", "precision"], rows), is_complete


def share(part: int, whole: int) -> str:
    """Return a share to two decimals, cut off: what is not all is not 1.00."""
    return f"{100 * part // whole / 100:.2f}" if whole else "—"


def clean(server: LocalServer, folder: Path, definitions: Path, wanted: int) -> tuple[str, bool]:
    """Return the table of what is found in clean submissions, and whether no error was."""
    rows = []
    errors = seed = 0
    counted: Counter[str] = Counter()
    questions: dict[str, Counter[str]] = defaultdict(Counter)
    while sum(counted.values()) < wanted:
        seed += 1
        for authority, where, starts, periods in (
            (AUTHORITY, definitions, STARTS, MONTHS),
            ("kezhou", PROJECT_ROOT, date(2024, 1, 1), 18),
            ("licheng", PROJECT_ROOT, date(2023, 5, 1), 7),
            ("zhumadian", PROJECT_ROOT, date(2024, 1, 1), 24),
            ("alar", PROJECT_ROOT, date(2022, 1, 1), 4),
        ):
            workbooks = generated(where, authority, starts, periods, seed=100 + seed)
            settings = check(server, folder / f"clean_{authority}_{seed}", where, workbooks)
            ((count,),) = query(settings, "select count(*) from intake.submissions")
            counted[authority] += count
            for kind, severity, number in query(
                settings, "select rule_kind, severity, count(*) from quality.findings group by 1, 2"
            ):
                errors += number if severity == "error" else 0
                questions[authority][f"{number} {severity} `{kind}`"] += 1
    for authority, count in counted.items():
        said = ", ".join(f"{text} × {times}" if times > 1 else text for text, times in questions[authority].items())
        rows.append([authority, f"{count:,}", said or "nothing"])
    text = f"{sum(counted.values()):,} clean submissions have {errors} errors.\n\n"
    return text + table(["forms of", "clean submissions", "found in them"], rows), not errors


def generated(definitions: Path, authority: str, starts: date, periods: int, seed: int) -> Iterator[Workbook]:
    """Yield the workbooks of all units of an authority, month by month."""
    yield from generator.workbooks(
        definitions, authority=authority, starting=starts, periods=periods, seed=seed, layout="consolidated"
    )


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="What the rules find of what is wrong, and of what is not.")
    parser.add_argument("--units", type=int, default=40, help="that report the synthetic forms")
    parser.add_argument("--faults", type=int, default=60, help="of each kind, at most")
    parser.add_argument("--clean", type=int, default=10_000, help="clean submissions, at least")
    parser.add_argument("--publish", action="store_true", help="write the tables into docs/benchmarks.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, running_server() as server:
        folder = Path(name)
        folder.chmod(0o755)
        write_definitions(folder / "definitions", options.units)
        of_faults, all_found = detection(server, folder, folder / "definitions", options.faults, options.units)
        print(of_faults, flush=True)
        of_clean, no_errors = clean(server, folder, folder / "definitions", options.clean)
        print(of_clean)
    if options.publish:
        publish("Detection", f"{of_faults}\n{of_clean}")
    return 0 if all_found and no_errors else 1


if __name__ == "__main__":
    sys.exit(main())
