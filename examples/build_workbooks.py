"""Build the example workbooks, byte for byte the same on every run, as the authorities and their units send them.

``layout.yaml`` says how each workbook looks, the CSVs beside it hold its figures; this file knows neither.

    python examples/build_workbooks.py OUTDIR
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import xlsxwriter
import yaml
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

HERE = Path(__file__).resolve().parent
CREATED = datetime(2000, 1, 1)  # one date for all, so that equal figures give equal bytes
FONT = "宋体"
PAPER = {"A3": 8, "A4": 9}
PATH_SEPARATOR = " > "


@dataclass(frozen=True)
class Heading:
    """One node of a header tree: a column of the table, or a label over several."""

    label: str
    unit: str | None = None
    over: tuple[Heading, ...] = ()
    rows: int = 1
    only_unit: bool = False  # printed in the row of units alone, without a cell of its own in the header

    @classmethod
    def from_yaml(cls, node: Any) -> Heading:
        """Return the heading a layout node describes; the forms a node can take are explained in layout.yaml."""
        if isinstance(node, str):
            return cls(node)
        ((label, content),) = node.items()
        if isinstance(content, str):
            return cls(label, unit=content)
        if isinstance(content, list):
            return cls(label, over=tuple(map(cls.from_yaml, content)))
        if "units" in content:
            return cls(label, over=tuple(cls(unit, unit=unit, only_unit=True) for unit in content["units"]))
        return cls(label, over=tuple(map(cls.from_yaml, content["over"])), rows=content["rows"])

    @property
    def width(self) -> int:
        """The number of columns below this heading."""
        return sum(child.width for child in self.over) or 1

    @property
    def depth(self) -> int:
        """The number of header rows this heading and what is below it need."""
        if self.only_unit:
            return 0
        return self.rows + max((child.depth for child in self.over), default=0)

    def columns(self, parents: tuple[str, ...] = ()) -> Iterator[tuple[str, Heading]]:
        """Yield the columns below this heading from left to right, each with its name in the CSV."""
        path = (*parents, re.sub(r"\s", "", self.label))
        if not self.over:
            yield PATH_SEPARATOR.join(path), self
        for child in self.over:
            yield from child.columns(path)


class Styles:
    """The cell formats of one workbook."""

    def __init__(self, workbook: xlsxwriter.Workbook) -> None:
        def style(**properties: Any) -> Format:
            return workbook.add_format({"font_name": FONT, "valign": "vcenter", **properties})

        boxed = {"border": 1, "align": "center", "text_wrap": True, "font_size": 10}
        self.heading = style(**boxed, bold=True)
        self.cell = style(**boxed)
        self.lines = {
            "title": style(bold=True, font_size=18, align="center"),
            "centre": style(font_size=12, align="center"),
            "left": style(font_size=11, align="left"),
            "right": style(font_size=11, align="right"),
        }


class SheetWriter:
    """Writes one sheet of the layout from top to bottom."""

    def __init__(self, sheet: Worksheet, layout: dict[str, Any], styles: Styles) -> None:
        self.sheet = sheet
        self.layout = layout
        self.styles = styles
        numbered = layout.get("numbered")
        self.first_column = 1 if numbered else 0
        tree = [Heading.from_yaml(node) for node in layout["header"]]
        self.columns = [column for heading in tree for column in heading.columns()]
        self.headings = [Heading(numbered), *tree] if numbered else tree
        self.last_column = self.first_column + len(self.columns) - 1
        self.row = 0

    def write(self) -> None:
        """Write the lines, the header and the figures, and set the sheet up for printing."""
        self.set_up()
        self.write_lines(self.layout.get("above", []))
        top = self.row
        self.write_header()
        self.sheet.repeat_rows(top, self.row - 1)
        self.sheet.freeze_panes(self.row, self.first_column + 1)
        self.write_figures()
        self.write_lines(self.layout.get("below", []))

    def set_up(self) -> None:
        sheet = self.sheet
        for column, width in enumerate(self.layout["widths"]):
            sheet.set_column(column, column, width)
        sheet.set_landscape()
        sheet.set_paper(PAPER[self.layout.get("paper", "A4")])
        sheet.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
        sheet.center_horizontally()
        sheet.fit_to_pages(1, 0)

    def write_lines(self, lines: list[dict[str, str]]) -> None:
        heights = {"title": 36, "centre": 26, "left": 20, "right": 20}
        for line in lines:
            self.sheet.set_row(self.row, max(heights[place] for place in line))
            if len(line) == 1:
                ((place, text),) = line.items()
                self.merge(self.row, 0, self.row, self.last_column, text, self.styles.lines[place])
            else:
                middle = self.last_column // 2
                self.merge(self.row, 0, self.row, middle, line["left"], self.styles.lines["left"])
                self.merge(self.row, middle + 1, self.row, self.last_column, line["right"], self.styles.lines["right"])
            self.row += 1

    def write_header(self) -> None:
        bottom = self.row + max(heading.depth for heading in self.headings) - 1
        has_units = any(column.unit for _, column in self.columns)
        for offset, height in enumerate(self.layout["heights"]):
            self.sheet.set_row(self.row + offset, height)
        left = 0
        for heading in self.headings:
            self.write_heading(heading, self.row, bottom, left, has_units)
            left += heading.width
        self.row = bottom + 1
        if has_units:
            for position, (_, column) in enumerate(self.columns, self.first_column):
                if column.unit:
                    self.sheet.write_string(self.row, position, column.unit, self.styles.heading)
            self.row += 1

    def write_heading(self, heading: Heading, top: int, bottom: int, left: int, has_units: bool) -> None:
        right = left + heading.width - 1
        printed_below = [child for child in heading.over if not child.only_unit]
        if printed_below:
            last = top + heading.rows - 1
        elif heading.over or heading.unit or not has_units:
            last = bottom
        else:
            last = bottom + 1  # a column without a unit of measure reaches down through the row of units
        self.merge(top, left, last, right, heading.label, self.styles.heading)
        for child in printed_below:
            self.write_heading(child, last + 1, bottom, left, has_units)
            left += child.width

    def write_figures(self) -> None:
        as_text = set(self.layout.get("as_text", []))
        row_names = self.layout.get("row_names", {})
        with (HERE / self.layout["figures"]).open(encoding="utf-8", newline="") as file:
            for number, record in enumerate(csv.DictReader(file), 1):
                if self.first_column:
                    self.sheet.write_number(self.row, 0, number, self.styles.cell)
                texts = [row_names.get(record[name], record[name]) for name, _ in self.columns]
                for position, ((name, _), text) in enumerate(zip(self.columns, texts, strict=True), self.first_column):
                    self.write_figure(position, text, name in as_text)
                self.sheet.set_row(self.row, max(22, 16 * max(text.count("\n") + 1 for text in texts)))
                self.row += 1

    def write_figure(self, column: int, text: str, as_text: bool) -> None:
        style = self.styles.cell
        if not text:
            self.sheet.write_blank(self.row, column, None, style)
        elif as_text or not re.fullmatch(r"\d+(\.\d+)?", text):
            self.sheet.write_string(self.row, column, text, style)
        else:
            self.sheet.write_number(self.row, column, float(text), style)

    def merge(self, top: int, left: int, bottom: int, right: int, text: str, style: Format) -> None:
        if (top, left) == (bottom, right):
            self.sheet.write_string(top, left, text, style)
        else:
            self.sheet.merge_range(top, left, bottom, right, text, style)


def build_all(out_dir: Path, part: str = "published") -> list[Path]:
    """Write every workbook of a part of the layout into ``out_dir`` and return their paths, in its order."""
    layout = yaml.safe_load((HERE / "layout.yaml").read_text(encoding="utf-8"))
    paths = []
    for book in layout[part]:
        path = out_dir / book["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        with xlsxwriter.Workbook(path, {"default_format_properties": {"font_name": FONT}}) as workbook:
            workbook.set_properties({"author": book["author"], "created": CREATED})
            styles = Styles(workbook)
            for sheet in book["sheets"]:
                SheetWriter(workbook.add_worksheet(sheet["name"]), sheet, styles).write()
        paths.append(path)
    return paths


def main(arguments: list[str] | None = None) -> int:
    """Build all workbooks into the folder named on the command line and print one line a file."""
    parser = argparse.ArgumentParser(description="Build the example workbooks.")
    parser.add_argument("out_dir", type=Path, metavar="OUTDIR")
    out_dir = parser.parse_args(arguments).out_dir
    for path in [*build_all(out_dir), *build_all(out_dir, "replay")]:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
