"""Whatever the bytes are: reading ends soon and in little memory, with figures or with one clear sentence.

All files are read one after the other by one process of their own, which says after each how long it took and how much
memory the process ever held.
"""

from __future__ import annotations

import io
import json
import random
import re
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from enforcement_reporting.workbook import UnreadableWorkbook, read_grids, xlsx
from enforcement_reporting.workbook.container import Container
from other_formats import compound
from workbooks import (
    MAIN,
    Error,
    Formatted,
    Formula,
    Rows,
    Sheet,
    around,
    letters,
    relations,
    sheet_xml,
    workbook,
    workbook_xml,
    zipped,
)

MAX_SECONDS = 10
MAX_MEGABYTES = 500
FORM: Rows = [
    ["2025年8月检查情况表"],
    ["单位", "检查次数", "立案数"],
    ["河口镇", 3, 1],
]
FORM_XML = sheet_xml(Sheet(FORM), [])
DEFINITIONS = {
    "landing.yaml": "places: [{place_id: inbox, path: inbox, policy: collect}]",
    "dongshan/authority.yaml": """
authority_id: dongshan
name: 东山县应急管理局
units: {unit_id: all, name: 东山县, kind: 汇总, members: [{unit_id: hekou, name: 河口镇, kind: 镇街}]}
""",
    "dongshan/forms/visits.yaml": """
form_id: visits
authority_id: dongshan
title: 检查情况表
calendar: {kind: month}
figures: single
unit_labels: [单位]
indicators:
  - {indicator_id: visits, label: [检查次数], unit_of_measure: 次}
  - {indicator_id: cases, label: [立案数], unit_of_measure: 起}
""",
}
CHILD = """
import json, sys, time
from pathlib import Path
from enforcement_reporting.catalog import load_catalog
from enforcement_reporting.workbook import Reader, UnreadableWorkbook

def peak_megabytes():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024

root = Path(sys.argv[1])
reader = Reader(load_catalog(root))
for path in map(Path, sys.argv[2:]):
    content, begun, answer = path.read_bytes(), time.process_time(), {"case": path.stem}
    try:
        read = reader.read(content, path.name)
    except UnreadableWorkbook as error:
        answer |= {"reason": error.reason, "log": str(error), "is_expected": type(error) is UnreadableWorkbook}
    else:
        findings = [item for items in read.sheet_findings.values() for item in items] + read.file_findings
        findings += [item for submission in read.submissions for item in submission.findings]
        answer["findings"] = sorted({item.kind for item in findings})
        answer["figures"] = [str(seen.value) for item in read.submissions for seen in item.observations]
    answer |= {"seconds": time.process_time() - begun, "megabytes": peak_megabytes()}
    print(json.dumps(answer), flush=True)
"""


@dataclass
class Outcome:
    """What came of a file: a reason where it is unreadable, else the kinds of findings and the figures."""

    case: str
    seconds: float
    megabytes: int
    reason: str = ""
    log: str = ""
    is_expected: bool = True
    findings: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()


def with_sheet(xml: str | bytes, **parts: bytes) -> bytes:
    """Return a workbook whose only sheet has this XML."""
    data = xml.encode() if isinstance(xml, str) else xml
    return workbook([], parts={"xl/worksheets/sheet1.xml": data, **parts})


def with_shared_strings(rows: str, strings: str) -> bytes:
    return workbook(
        [],
        parts={
            "xl/worksheets/sheet1.xml": around(rows).encode(),
            "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{strings}</sst>'.encode(),
            "xl/_rels/workbook.xml.rels": relations(
                ("worksheet", "worksheets/sheet1.xml"), ("sharedStrings", "sharedStrings.xml")
            ).encode(),
        },
    )


def with_deflated(name: str, chunk: bytes, times: int, stated_size: int) -> bytes:
    """Return a workbook one part of which inflates to ``chunk`` × ``times``, whatever its stated size."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    begin = packer.compress(around("").encode()) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(chunk) + packer.flush(zlib.Z_FULL_FLUSH)
    data = begin + block * times + packer.flush()
    base = with_sheet("")
    archive = zipfile.ZipFile(io.BytesIO(base))
    files = {part.filename: archive.read(part) for part in archive.infolist() if part.filename != name}
    plain = zipped(files)
    directory_start, entries, directory_size = _end_of_zip(plain)
    extra = struct.pack("<HHQ", 1, 8, stated_size)
    flags = (20, 0, 8, 0, 0x21, 0, len(data), 0xFFFFFFFF, len(name), len(extra))
    local = b"PK\3\4" + struct.pack("<HHHHHIIIHH", *flags) + name.encode() + extra
    central = b"PK\1\2\x14\0" + struct.pack("<HHHHHIIIHH", *flags) + struct.pack("<HHHII", 0, 0, 0, 0, directory_start)
    directory = plain[directory_start : directory_start + directory_size] + central + name.encode() + extra
    end = struct.pack(
        "<HHHHIIH", 0, 0, entries + 1, entries + 1, len(directory), directory_start + len(local + data), 0
    )
    return plain[:directory_start] + local + data + directory + b"PK\5\6" + end


def _end_of_zip(content: bytes) -> tuple[int, int, int]:
    entries, size, start = struct.unpack("<HII", content[-12:-2])
    return start, entries, size


def cut(part: float) -> bytes:
    content = workbook(FORM)
    return content[: int(len(content) * part)]


def million_rows() -> bytes:
    return with_sheet(around("".join(f'<row r="{n}"><c r="A{n}"><v>1</v></c></row>' for n in range(1, 1_000_001))))


def many_cells(rows: int, columns: int) -> bytes:
    names = [letters(column) for column in range(columns)]
    return with_sheet(
        around("".join("".join(f'<c r="{name}{n}"><v>{n}</v></c>' for name in names) for n in range(1, rows + 1)))
    )


def duplicated() -> bytes:
    buffer = io.BytesIO(workbook(FORM))
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("xl/worksheets/sheet1.xml", around('<row r="1"><c r="A1"><v>1</v></c></row>'))
    return buffer.getvalue()


def encrypted_parts() -> bytes:
    content = bytearray(workbook(FORM))
    for match in re.finditer(re.escape(b"PK\1\2"), bytes(content)):
        content[match.start() + 8] |= 1
    return bytes(content)


def parts_beyond_the_end() -> bytes:
    """Return a workbook two of whose parts begin where the file has ended, as its directory says."""
    content = bytearray(workbook(FORM))
    for number, match in enumerate(re.finditer(re.escape(b"PK\1\2"), bytes(content))):
        if number < 2:
            struct.pack_into("<L", content, match.start() + 42, 4_001_000 - 1_000 * number)
    return bytes(content)


def other_package(kind: str, root: str) -> bytes:
    return zipped({"_rels/.rels": relations(("officeDocument", kind)).encode(), kind: f"<{root}/>".encode()})


def entities(encoding: str = "utf-8") -> bytes:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    text = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "哈">{levels}]>'
    return (text + FORM_XML.replace("河口镇", "&l11;")).encode(encoding)


def column_of_texts(count: int, text: str) -> Rows:
    return [*FORM, *([f"{text}{number}", 1, 2] for number in range(count))]


# What must be refused as a whole.
REFUSED: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "not_a_zip": lambda: b"hello, world" * 100,
    "html_named_xlsx": lambda: "<html><table><tr><td>检查次数</td></tr></table></html>".encode(),
    "a_zip_signature_only": lambda: b"PK\3\4",
    "old_xls": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(2000, b"\0"),
    "encrypted": lambda: compound(EncryptionInfo=b"", EncryptedPackage=b""),
    "encrypted_parts": encrypted_parts,
    "cut_at_a_tenth": lambda: cut(0.1),
    "cut_in_the_middle": lambda: cut(0.5),
    "cut_near_the_end": lambda: cut(0.95),
    "damaged_part": lambda: workbook(FORM).replace(b"xl/worksheets/sheet1.xml", b"xl/worksheets/sheet9.xml", 1),
    "zip_without_workbook": lambda: zipped({"readme.txt": "你好".encode()}),
    "docx": lambda: other_package("word/document.xml", "document"),
    "missing_relationships": lambda: zipped({"xl/workbook.xml": workbook_xml([("表", "visible")]).encode()}),
    "missing_sheet": lambda: zipped(
        {
            "xl/workbook.xml": workbook_xml([("表", "visible")]).encode(),
            "xl/_rels/workbook.xml.rels": relations(("worksheet", "worksheets/none.xml")).encode(),
        }
    ),
    "relationship_to_a_file_outside": lambda: workbook(
        FORM,
        parts={"xl/_rels/workbook.xml.rels": relations(("worksheet", "../../../../etc/passwd")).encode()},
    ),
    "two_hundred_sheets": lambda: workbook(*[FORM] * 200),
    "million_rows": million_rows,
    "far_cell": lambda: with_sheet(
        around('<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')
    ),
    "far_cell_in_lower_case": lambda: with_sheet(
        around('<row><c r="a1"><v>1</v></c></row><row><c r="xfd1048576"><v>1</v></c></row>')
    ),
    "far_row_without_an_address": lambda: with_sheet(
        around('<row><c r="XFD1"><v>1</v></c></row><row r="1048576"><c><v>1</v></c></row>')
    ),
    "far_cell_behind_a_quoted_bracket": lambda: with_sheet(
        around('<row><c r="A1"><v>1</v></c><c x=">" r="XFD1048576"><v>1</v></c></row>')
    ),
    "far_cell_in_a_part_of_another_name": lambda: workbook(
        [],
        parts={
            "xl/far.bin": around('<row><c r="A1"><v>1</v></c><c r="XFD1048576"><v>1</v></c></row>').encode(),
            "xl/_rels/workbook.xml.rels": relations(("worksheet", "far.bin")).encode(),
        },
    ),
    "far_cells_on_every_sheet": lambda: workbook(*[[["a"], *[[]] * 5_000, [None] * 90 + ["b"]]] * 90),
    "impossible_address": lambda: with_sheet(
        around('<row r="1"><c r="A1"><v>1</v></c><c r="AAAAAAA1"><v>1</v></c></row>')
    ),
    "row_beyond_all_rows": lambda: with_sheet(
        around('<row r="1"><c r="A1"><v>1</v></c></row><row r="4294967296"><c><v>1</v></c></row>')
    ),
    "bomb_with_its_true_size": lambda: with_deflated("xl/worksheets/sheet1.xml", b" " * 1_000_000, 10_000, 10**10),
    "bomb_that_lies": lambda: with_deflated("xl/worksheets/sheet1.xml", b" " * 1_000_000, 10_000, 1000),
    "bomb_in_the_texts": lambda: with_shared_strings("", "<si><t>" + " " * 45_000_000 + "</t></si>"),
    "billion_laughs": lambda: with_sheet(entities()),
    "billion_laughs_in_utf16": lambda: with_sheet(entities("utf-16")),
    "billion_laughs_behind_a_comment": lambda: with_sheet(b"<!--" + b" " * 9_000 + b"-->" + entities()),
    "external_entity": lambda: with_sheet(
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + FORM_XML.replace("河口镇", "&e;")
    ),
    "huge_text_in_many_cells": lambda: with_shared_strings(
        "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 50_001)),
        f"<si><t>{'长' * 30_000}</t></si>",
    ),
    "sheet_of_garbage": lambda: with_sheet(bytes(range(256)) * 1000),
    "sheet_of_open_tags": lambda: with_sheet(b"<c " * 1_000_000),
    "sheet_of_open_quotes": lambda: with_sheet(b'<c r="' * 1_000_000),
    "hundred_thousand_merged_ranges": lambda: with_sheet(
        around(
            '<row r="1"><c r="A1"><v>1</v></c></row>',
            "<mergeCells>" + "".join(f'<mergeCell ref="A{n}:B{n}"/>' for n in range(1, 100_001)) + "</mergeCells>",
        )
    ),
    "parts_beyond_the_end": parts_beyond_the_end,
    "ten_thousand_parts": lambda: workbook(FORM, parts={f"x{n}": b"" for n in range(10_000)}),
    "duplicated_part": duplicated,
    "unknown_encoding": lambda: workbook(
        FORM, parts={"xl/workbook.xml": b'<?xml version="1.0" encoding="UTF-99"?><workbook/>'}
    ),
    "deep_structure": lambda: workbook(FORM, parts={"xl/workbook.xml": b"<a>" * 1_000_000 + b"</a>" * 1_000_000}),
    "text_that_is_not_there": lambda: with_shared_strings('<row r="1"><c r="A1" t="s"><v>99</v></c></row>', ""),
    "million_rows_without_addresses": lambda: with_sheet(around("<row><c><v>1</v></c></row>" * 1_000_000)),
}

# What is read, with the findings that must be there and the figures.
READ: dict[str, tuple[Callable[[], bytes], set[str], int]] = {
    "the_form": (lambda: workbook(FORM), set(), 2),
    "macros.xlsm": (lambda: workbook(FORM, parts={"xl/vbaProject.bin": b"\xd0\xcf"}), {"macros_ignored"}, 2),
    "macros_in_disguise": (lambda: workbook(FORM, parts={"xl/vbaProject.bin": b"\xd0\xcf"}), {"macros_ignored"}, 2),
    "wrong_form": (lambda: workbook([["通讯录"], ["姓名", "电话"], ["张三", 1]]), {"sheet_not_recognised"}, 0),
    "formulas_without_values": (
        lambda: workbook([*FORM[:2], ["河口镇", Formula("1+2"), Formula("1+0")]]),
        {"formula_without_value"},
        2,
    ),
    "external_reference": (
        lambda: workbook(
            [*FORM[:2], ["河口镇", Formula("[1]Sheet1!A1", 3), 1]],
            parts={
                "xl/externalLinks/_rels/externalLink1.xml.rels": relations(
                    ("externalLinkPath", "file:///etc/passwd")
                ).encode()
            },
        ),
        set(),
        2,
    ),
    "bomb_beside_the_sheets": (
        lambda: workbook(FORM, parts={"xl/media/image1.png": b"\0" * 60_000_000}),
        set(),
        2,
    ),
    "lying_dimension": (
        lambda: with_sheet(FORM_XML.replace("<sheetData>", '<dimension ref="A1:XFD1048576"/><sheetData>')),
        set(),
        2,
    ),
    "styled_cells_far_away": (
        lambda: with_sheet(
            FORM_XML.replace("</sheetData>", '<row r="1048576"><c r="XFD1048576" s="0"/></row></sheetData>')
        ),
        set(),
        2,
    ),
    "million_styled_cells": (
        lambda: with_sheet(FORM_XML.replace("</sheetData>", "<row>" + '<c s="1"/>' * 1_000_000 + "</row></sheetData>")),
        set(),
        2,
    ),
    "deep_nesting": (
        lambda: with_sheet(FORM_XML.replace("</sheetData>", "</sheetData>" + "<x>" * 500_000 + "</x>" * 500_000)),
        set(),
        2,
    ),
    "huge_merged_range": (
        lambda: with_sheet(
            FORM_XML.replace("</sheetData>", '</sheetData><mergeCells><mergeCell ref="A2:XFD1048576"/></mergeCells>')
        ),
        set(),
        2,
    ),
    "huge_text": (lambda: workbook([*FORM, ["长" * 5_000_000]]), set(), 2),
    "thousand_columns": (
        lambda: workbook(
            [["2025年8月检查情况表"], [*FORM[1], *(f"列{n}" for n in range(1000))], [*FORM[2], *range(1000)]]
        ),
        {"table_not_found"},
        0,
    ),
    "fifty_thousand_unknown_units": (lambda: workbook(column_of_texts(50_000, "镇")), {"unknown_unit"}, 2),
    "fifty_thousand_notes": (lambda: workbook([*FORM, *([f"注{n}：2025年"] for n in range(50_000))]), set(), 2),
    "half_a_million_cells": (lambda: many_cells(490, 1000), {"sheet_not_recognised"}, 0),
    "row_of_labels_merged_over_one_another": (
        lambda: workbook(
            Sheet(
                [["2025年8月检查情况表"], ["单位", *["检查次数"] * 16_000], ["河口镇", 1]],
                [f"{letters(column)}2:XFD2" for column in range(16_000)],
            )
        ),
        {"ambiguous_header", "missing_header"},
        0,
    ),
    "number_formats_in_an_unknown_encoding": (
        lambda: workbook(FORM, parts={"xl/styles.xml": b'<?xml version="1.0" encoding="UTF-99"?><styleSheet/>'}),
        set(),
        2,
    ),
    "no_visible_sheet": (lambda: workbook(Sheet(FORM, state="hidden")), {"hidden_sheet"}, 0),
    "control_characters": (lambda: workbook([*FORM[:2], ["河口镇", "3_x0000_", 1]]), set(), 2),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Every file read, by one process that must survive all of them."""
    builders = REFUSED | {name: case[0] for name, case in READ.items()}
    return read_all({name: build() for name, build in builders.items()}, tmp_path_factory)


def read_all(contents: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """Return what came of each file, by its name without an ending."""
    root, files = tmp_path_factory.mktemp("definitions"), tmp_path_factory.mktemp("hostile")
    for name, text in DEFINITIONS.items():
        path = root / "catalog" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    paths = []
    for name, content in contents.items():
        path = files / (name if "." in name else f"{name}.xlsx")
        path.write_bytes(content)
        paths.append(path)
    run = subprocess.run(
        [sys.executable, "-c", CHILD, str(root), *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    found = [Outcome(**json.loads(line)) for line in run.stdout.splitlines()]
    assert run.returncode == 0, f"died after {found[-1].case if found else 'nothing'}: {run.stderr[-2000:]}"
    return {outcome.case: outcome for outcome in found}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_with_one_clear_sentence(outcomes: dict[str, Outcome], case: str) -> None:
    check_refusal(outcomes[case])


def check_refusal(outcome: Outcome) -> None:
    assert outcome.reason, outcome
    assert re.fullmatch(r"[^。]*[\u4e00-\u9fff][^。]*。(请[^。]*。)?", outcome.reason), outcome.reason
    assert not re.search(r"[A-Za-z]*(Error|Exception)|Traceback", outcome.reason)
    assert outcome.log and outcome.log.isprintable()
    assert outcome.is_expected, outcome


@pytest.mark.parametrize("case", READ)
def test_it_is_read_and_what_is_odd_is_a_finding(outcomes: dict[str, Outcome], case: str) -> None:
    outcome, (_, findings, figures) = outcomes[Path(case).stem], READ[case]
    assert (outcome.reason, set(outcome.findings)) == ("", findings)
    assert len(outcome.figures) == figures


@pytest.mark.parametrize("case", [*REFUSED, *READ])
def test_it_takes_neither_long_nor_much_memory(outcomes: dict[str, Outcome], case: str) -> None:
    outcome = outcomes[Path(case).stem]
    assert outcome.seconds < MAX_SECONDS
    assert outcome.megabytes < MAX_MEGABYTES


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("empty", "0 字节"),
        ("not_a_zip", "不是可以采集的表格"),
        ("encrypted", "打开密码"),
        ("encrypted_parts", "加密"),
        ("old_xls", "不完整"),
        ("cut_in_the_middle", "不完整"),
        ("docx", "没有表格"),
        ("two_hundred_sheets", "200 张工作表"),
        ("million_rows", "删去"),
        ("far_cell", "XFD1048576"),
        ("bomb_with_its_true_size", "解压后超过"),
        ("bomb_that_lies", "损坏"),
    ],
)
def test_the_sentence_says_what_to_do_about_it(outcomes: dict[str, Outcome], case: str, words: str) -> None:
    assert words in outcomes[case].reason


def test_every_length_of_a_file_cut_short_is_refused() -> None:
    content, begun = workbook(FORM), time.process_time()
    for length in range(0, len(content), 7):
        with pytest.raises(UnreadableWorkbook):
            read_grids(content[:length])
    assert time.process_time() - begun < 5


def test_a_panic_in_the_reader_is_a_damaged_file(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        """As pyo3 names what is raised for a panic in Rust."""

    def panics(package: object) -> None:
        raise PanicException("index out of bounds")

    monkeypatch.setattr(xlsx, "packed", panics)
    with pytest.raises(UnreadableWorkbook, match="index out of bounds"):
        read_grids(workbook(FORM))


def test_no_damage_to_a_part_breaks_the_reader() -> None:
    chance = random.Random(20250901)
    archive = zipfile.ZipFile(io.BytesIO(workbook([*FORM, [Error("#SPILL!"), Formula("1"), Formatted(0.5, "0%")]])))
    files = {part.filename: archive.read(part) for part in archive.infolist()}
    scraps = [
        b"<",
        b'"',
        b"&",
        b"</c>",
        b't="s"',
        b't="e"',
        b"1e999",
        b"\xff",
        b' r="A0"',
        b'<c r="XFD1"><v>1</v></c>',
        b"",
    ]
    read = 0
    for _ in range(400):
        name = chance.choice([name for name in files if name.startswith("xl/")])
        data = bytearray(files[name])
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(data))
            data[place : place + chance.randint(0, 20)] = chance.choice(scraps)
        try:
            read += len(read_grids(zipped(files | {name: bytes(data)})))
        except UnreadableWorkbook:
            continue
    assert read > 20


def test_parts_read_straight_from_a_damaged_zip_are_what_zipfile_reads() -> None:
    chance, whole = random.Random(20250903), workbook(FORM)
    read = 0
    for _ in range(1500):
        content = bytearray(whole)
        content[chance.choice([chance.randrange(len(content)), -chance.randrange(1, 500)])] = chance.randrange(256)
        container = Container.open(bytes(content), 100)
        for name in container.names if container else ():
            data = container.read(name, 1_000_000) if container else None
            if data is not None:
                assert zipfile.ZipFile(io.BytesIO(content)).read(name) == data
                read += 1
    assert read > 1000


def test_a_part_is_never_inflated_much_beyond_the_room_there_is() -> None:
    content = zipped({"a.xml": b" " * 5_000_000})
    container = Container.open(content, 100)
    assert container is not None
    assert container.read("a.xml", 1000) == b" " * 1001
