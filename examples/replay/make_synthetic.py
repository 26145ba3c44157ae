"""Make the synthetic issues of the campaign replay, byte for byte the same on every run: synthetic_*.csv.

One issue of the campaign is published, that of 2023-09-26 (tables/licheng/dispatch.csv). This script makes six earlier
ones that lead up to it. Each unit's published figure is taken apart into single events, each event is given the issue
in which it was first reported, and an issue's figure is the number of events up to then. So cumulative figures never
fall, and they end in the published ones. What must not exceed something else is drawn from it: a hazard is put right
when it was found or later, a typical case is one of the penalties. What the document says of September, of August and
of three wrong reports is written down below and not left to chance. Everything else is invented.

    python examples/replay/make_synthetic.py [OUTDIR]
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from random import Random

HERE = Path(__file__).resolve().parent
PUBLISHED = HERE.parent / "tables" / "licheng" / "dispatch.csv"
SEED = 20230926

ISSUES = ("0628", "0728", "0829", "0904", "0912", "0919", "0926")
AUGUST, LAST = ISSUES.index("0829"), ISSUES.index("0926")
PACE = (30, 28, 26, 4, 5, 4, 3)  # how much of all work falls into the time up to each issue; September slackens
# The published total of this column is 20 less than its rows; lest the total fall, much falls into the last week.
TOWNS_GUIDED, TOWNS_GUIDED_PACE = "部门检查 > 帮扶指导重点县区（镇街）", (28, 27, 25, 3, 4, 4, 9)

UNIT, TOTAL = "地区/部门", "累计"
FOUND, FIXED = "一般隐患 > 排查", "一般隐患 > 已整改"
SELF_FOUND, DEPT_FOUND = "重大隐患 > 企业自查上报 > 排查", "重大隐患 > 部门排查 > 排查"
SUPERVISED = "重大隐患 > 部门挂牌督办 > 排查"
INSPECTED, GUIDED = "部门检查 > 抽查检查企业数", "部门检查 > 帮扶指导重点企业"
PENALTIES, FINES = (f"部门精准严格执法情况 > 行政处罚 > {label}" for label in ("次数", "罚款金额"))
LEADERS, LECTURES, SESSIONS, ATTENDANCES = (
    f"其他相关工作跟踪落实情况 > {label}"
    for label in (
        "分管本部门的党委政府领导现场督导检查",
        "行业部门负责同志到企业宣讲",
        "组织开展本系统安全生产监管执法人员专题培训 > 场次",
        "组织开展本系统安全生产监管执法人员专题培训 > 人次",
    )
)
# Each event of the first is an event of the second, reported in the same issue or up to two issues later.
PART_OF = {
    FIXED: FOUND,
    "重大隐患 > 企业自查上报 > 已整改": SELF_FOUND,
    "重大隐患 > 部门排查 > 已整改": DEPT_FOUND,
    SUPERVISED: DEPT_FOUND,
    "重大隐患 > 部门挂牌督办 > 已整改": SUPERVISED,
    "部门精准严格执法情况 > 企业和企业主要负责人“一案双罚”": PENALTIES,
    "部门精准严格执法情况 > 移送司法机关": PENALTIES,
    "部门精准严格执法情况 > 公布典型执法案例": PENALTIES,
    "部门精准严格执法情况 > 责令停产整顿": INSPECTED,
    "其他相关工作跟踪落实情况 > 关闭取缔": INSPECTED,
}

# 13 new major hazards in August, 6 in September (1 found by an enterprise itself, 5 by departments), as the document
# says; which units found them it does not say. Those of September are all industrial, so industrial units have them.
NEW_MAJOR_HAZARDS = {
    SELF_FOUND: {
        "0829": {"区应急局": 2, "黄石工业园区": 1, "区卫健局": 1},
        "0919": {"黄石工业园区": 1},
    },
    DEPT_FOUND: {
        "0829": {"区应急局": 3, "西天尾镇": 2, "镇海街道": 2, "拱辰街道": 1, "区交通运输局": 1},
        "0904": {"西天尾镇": 1, "区应急局": 1},
        "0912": {"区应急局": 1},
        "0919": {"镇海街道": 1},
        "0926": {"西天尾镇": 1},
    },
}
NO_GENERAL_HAZARDS_IN_SEPTEMBER = {"区商务局", "区交警大队"}

# 区自然资源局 reports a fine without a penalty at 0904 and withdraws it.
FINE_WITHOUT_PENALTY = ("0904", "区自然资源局", "14")
# 拱辰街道 is missing from the consolidated table of 0912 and reports by itself.
LATE = ("0912", "拱辰街道")
# 西天尾镇 counts every enterprise visited instead of every visit, three a visit, until it is told at 0904.
OVERSTATED = (("0728", "0829", "0904"), "西天尾镇", (LEADERS, LECTURES), 3)

Row = dict[str, str]
Events = list[int]  # the issue, by its position, in which each event was first reported


class Unit:
    """One unit's way to its published figures."""

    def __init__(self, published: Row, random: Random) -> None:
        self.published = published
        self.name = published[UNIT]
        self.random = random
        self.events: dict[str, Events] = {}
        for column in published:
            if column not in (UNIT, FINES):
                self.happen(column)

    def happen(self, column: str) -> Events:
        """Return when the events of a column were reported, those they depend on first."""
        if column not in self.events:
            count = int(Decimal(self.published[column]).scaleb(self.decimals(column)))
            self.events[column] = self.draw(column, count)
        return self.events[column]

    def draw(self, column: str, count: int) -> Events:
        if column in PART_OF:
            return self.part(self.happen(PART_OF[column]), count)
        if column in NEW_MAJOR_HAZARDS:
            return self.major_hazards(NEW_MAJOR_HAZARDS[column], count)
        if column == FOUND:
            return self.general_hazards(count)
        if column == ATTENDANCES and count:  # nobody attends without a session, and somebody attends each
            sessions = self.happen(SESSIONS)
            return sessions + self.random.choices(sessions, k=count - len(sessions))
        events = self.any_time(count, TOWNS_GUIDED_PACE if column == TOWNS_GUIDED else PACE)
        return [0, *events[1:]] if events and column in (INSPECTED, GUIDED) else events

    def any_time(self, count: int, pace: Sequence[int] = PACE) -> Events:
        return self.random.choices(range(len(pace)), pace, k=count)

    def part(self, whole: Events, count: int) -> Events:
        """Return ``count`` events out of ``whole``, some of them later; what goes beyond the whole comes last of all.

        The published table itself goes beyond in one case: a hazard under supervision that was never found.
        """
        delays = self.random.choices((0, 1, 2), (7, 2, 1), k=count)
        chosen = self.random.sample(whole, min(count, len(whole)))
        chosen += [LAST] * (count - len(chosen))
        return [min(event + delay, LAST) for event, delay in zip(chosen, delays, strict=True)]

    def major_hazards(self, told: Mapping[str, Mapping[str, int]], count: int) -> Events:
        events = [ISSUES.index(issue) for issue, units in told.items() for _ in range(units.get(self.name, 0))]
        return events + self.any_time(count - len(events), PACE[:AUGUST])

    def general_hazards(self, count: int) -> Events:
        if not count or not self.happen(INSPECTED) + self.happen(GUIDED):
            # Hazards that nobody's visit can have found are in the published table only.
            return [LAST] * count
        if self.name in NO_GENERAL_HAZARDS_IN_SEPTEMBER:
            return self.any_time(count, PACE[: AUGUST + 1])
        return [*self.any_time(count - 1), self.random.randint(AUGUST + 1, LAST)]  # nobody else reports zero

    def decimals(self, column: str) -> int:
        exponent = Decimal(self.published[column]).as_tuple().exponent
        assert isinstance(exponent, int)
        return -exponent

    def row(self, issue: int) -> Row:
        """Return the unit's cumulative figures at an issue."""
        row = {UNIT: self.name}
        for column in self.published:
            if column == FINES:
                row[column] = self.fines(issue)
            elif column != UNIT:
                count = sum(event <= issue for event in self.events[column])
                row[column] = text(Decimal(count).scaleb(-self.decimals(column)))
        return row

    def fines(self, issue: int) -> str:
        """Return the fines in proportion to the penalties, at the decimals that were published."""
        penalties, published = self.events[PENALTIES], Decimal(self.published[FINES])
        if not penalties:
            return text(published)
        until = sum(event <= issue for event in penalties)
        share = (published * until / len(penalties)).quantize(published, rounding=ROUND_DOWN)
        return text(share)


def text(number: Decimal) -> str:
    """Return a number as the published table prints it: without zeros at the end."""
    whole = number == number.to_integral_value()
    return f"{number.quantize(Decimal(1)) if whole else number.normalize():f}"


def total(rows: Sequence[Row]) -> Row:
    """Return the total row of the rows on a sheet: their sum, no more and no less."""
    return {
        column: TOTAL if column == UNIT else text(sum((Decimal(row[column]) for row in rows), Decimal(0)))
        for column in rows[0]
    }


def tables() -> dict[str, list[Row]]:
    """Return the rows of every synthetic table by its name: six issues as sent in, and what units sent afterwards."""
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        published = [row for row in csv.DictReader(file) if row[UNIT] != TOTAL]
    random = Random(SEED)  # noqa: S311  # invented figures, not secrets
    units = [Unit(row, random) for row in published]
    made: dict[str, list[Row]] = {}
    for number, issue in enumerate(ISSUES[:LAST]):
        rows = {unit.name: unit.row(number) for unit in units}
        wrong_issue, name, fine = FINE_WITHOUT_PENALTY
        if issue == wrong_issue:
            made[f"{issue}_ziran_ziyuan"] = [dict(rows[name])]
            rows[name][FINES] = fine
        late_issue, name = LATE
        if issue == late_issue:
            made[f"{issue}_gongchen"] = [rows.pop(name)]
        wrong_issues, name, columns, times = OVERSTATED
        if issue in wrong_issues:
            made[f"{issue}_xitianwei"] = [dict(rows[name])]
            rows[name] |= {column: str(int(rows[name][column]) * times) for column in columns}
        made[issue] = [total(list(rows.values())), *rows.values()]
    return made


def main(arguments: list[str] | None = None) -> int:
    """Write the tables into the folder named on the command line, or where this script is."""
    parser = argparse.ArgumentParser(description="Make the synthetic issues of the campaign replay.")
    parser.add_argument("out_dir", type=Path, metavar="OUTDIR", nargs="?", default=HERE)
    out_dir = parser.parse_args(arguments).out_dir
    for name, rows in tables().items():
        with (out_dir / f"synthetic_{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
