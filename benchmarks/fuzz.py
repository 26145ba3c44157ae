"""Damaged files of every kind, thousands of them, each of which must end in one outcome, soon, and break nothing.

Sound files are damaged in all layers: bytes, entries of the zip, records, elements and their values. What is done to
file number n follows from n and the seed alone. The files are read by processes of their own, which are watched: one
that dies or hangs is named by its number and started again behind it. A fault that nobody expected, in a reader of ours
or of a library, is no crash, but it is counted by itself and makes the run fail like one.

    python benchmarks/fuzz.py [--mutations 5000] [--seed 1] [--only 1234]
"""

from __future__ import annotations

import argparse
import faulthandler
import io
import json
import logging
import random
import re
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Thread

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from enforcement_reporting.catalog import load_catalog
from enforcement_reporting.findings import Severity
from enforcement_reporting.workbook import Reader, Remark, UnreadableWorkbook, as_xlsx, mark
from enforcement_reporting.workbook.compound import CompoundFile
from enforcement_reporting.workbook.package import ReaderFailed
from other_formats import WRITERS, compound, record
from report import table
from test_reading import CATALOG, HEADER, MERGES, TITLE, with_shared_texts
from workbooks import Error, Formatted, Formula, Sheet

MAX_SECONDS = 5.0  # of CPU, for one file
HANGING_SECONDS = 150  # by the clock, on a machine that does much else too
PROCESSES = 2
KINDS = tuple(WRITERS)

SHEET = Sheet(
    [
        [TITLE, *[None] * 6],
        *([*row, label] for row, label in zip(HEADER, ("整改率", None, "%"), strict=True)),
        ["河口镇", 5, 4, 1, 0, 2.5, Formatted(0.761, "0.0%")],
        ["上坡街道", Formula("1+2", 3), "—", None, "1,234", "12.5万元", "80%"],
        ["县公安局", "约50", Error("#DIV/0!"), 0, 3.5, Formatted(45901, "yyyy-mm-dd"), True],
        ["合计", 8, 4, 1, 0, 15, Formatted(1, "0%")],
        ["备注：以上数据截至2025年8月31日"],
    ],
    [*MERGES, "G2:G3", "A1:G1"],
    "表1",
)
# A bulletin with a table in it: what is damaged may be its sentences, too.
BULLETIN_FORM = """
form_id: bulletin
authority_id: dongshan
title: 隐患排查情况通报
calendar: {kind: month}
figures: single
bulletin:
  speaks_of: dongshan_all
  phrases:
    - 排查隐患{found}[，同比{change}]
    - 重大隐患{major}（{each:major}）
    - {text: "{units}未作出处罚", states: {penalties: 0}}
indicators:
  - {indicator_id: found, label: [隐患数], unit_of_measure: 条}
  - {indicator_id: change, label: [隐患数, 同比], unit_of_measure: '%', measure_kind: rate}
  - {indicator_id: major, label: [重大隐患数], unit_of_measure: 条}
  - {indicator_id: penalties, label: [处罚次数], unit_of_measure: 次}
"""
BULLETIN = Sheet(
    [
        ["2025年8月隐患排查情况通报"],
        ["8月，全县共排查隐患1,016条，同比下降12.1%；其中重大隐患9条（河口镇4条，上坡街道5条），整改率98.5%。"],
        ["河口镇、上坡街道等单位未作出处罚，罚款12.5万元，约300余家企业参加培训，须引起各级高度重视并认真抓好落"],
        ["实。"],
        *SHEET.rows[1:],
    ],
    name="正文",
)
CELL = r"<(c|w:tc|table:table-cell)\b.*?(?:/>|</\1>)"
REPEATED = r"<(c|row|table:table-cell|table:table-row|w:tc|w:tr|si|mergeCell)\b.*?(?:/>|</\1>)"
# What a number, an address or an attribute becomes.
NUMBERS = ("-1", "0", "1e999", "NaN", "99999999999999999999", "2147483648", "4294967295", "", "1,5", "1" * 400)
ADDRESSES = ("A0", "XFE1", "XFD1048576", "A1048577", "AAAA1", "1", "A", "a1", "A-1", "$A$1", "A1:B2", "")
RANGES = ("A1:XFD1048576", "C3:A1", "A2:G9", "B2:B2", "A1:", ":", "A0:B0", "ZZZ1:ZZZ2", "A1:A1048576")
TEXTS = (b'"', b",", b"\n", b"\r", b"\t;", b'""', b"\xff\xfe", b"\x00", b"=", "，".encode(), b"," * 20_000)
FLAGS = (
    ("<sheets>", '<workbookPr date1904="1"/><sheets>'),
    ("<sheetData>", '<dimension ref="A1:XFD1048576"/><sheetData>'),
    ('t="s"', 't="n"'),
    ('t="inlineStr"', 't="s"'),
    ("<v>", "<f>"),
    ("UTF-8", "UTF-16"),
    (' r="', ' x="'),
    ('s="1"', 's="99999"'),
    ('state="visible"', 'state="hidden"'),
    ("w:tc>", "w:tr>"),
    ("<w:tcPr>", '<w:tcPr><w:vMerge/><w:gridSpan w:val="50"/>'),
    ("<w:tcPr>", '<w:tcPr><w:gridSpan w:val="99999999999"/>'),
    ("<table:table-cell", '<table:table-cell table:number-columns-repeated="1000000"'),
    ("<table:table-row", '<table:table-row table:number-rows-repeated="1000000"'),
    ('office:value-type="float"', 'office:value-type="date" office:date-value="2025-13-45"'),
)


@dataclass
class Tally:
    """What became of the files of one kind."""

    mutated: int = 0
    read: int = 0
    unreadable: int = 0
    faults: int = 0
    slowest: float = 0.0


@cache
def sound(kind: str) -> tuple[bytes, ...]:
    """Return the files that are damaged."""
    files = [WRITERS[kind](SHEET), WRITERS[kind](BULLETIN)]
    if kind == "csv":
        files.append("\n".join(str(row[0]) for row in BULLETIN.rows[:4]).encode())
    if kind == "xlsx":
        files.append(with_shared_texts(files[0]))
    if kind == "csv":
        files += [WRITERS[kind](SHEET, delimiter="\t", encoding=encoding) for encoding in ("gb18030", "utf-16")]
    if kind not in ("csv", "docx"):
        others = (Sheet(SHEET.rows, SHEET.merges, "另一张"), Sheet([[1]], name="藏", state="hidden"))
        files.append(WRITERS[kind](SHEET, *others))
    return tuple(files)


def damaged(number: int, seed: int) -> tuple[str, bytes]:
    """Return the kind and the bytes of a file."""
    chance = random.Random(f"{seed} {number}")
    kind = KINDS[number % len(KINDS)]
    content = chance.choice(sound(kind))
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        content = chance.choice(LAYERS[kind])(content, chance)
    return kind, content


def in_bytes(content: bytes, chance: random.Random) -> bytes:
    """Damage bytes, wherever they stand."""
    made = bytearray(content)
    at, size = chance.randrange(len(made) + 1), chance.choice((1, 2, 8, 64, 1000))
    match chance.randrange(6):
        case 0:
            for _ in range(chance.choice((1, 1, 4, 30))):
                if made:
                    made[chance.randrange(len(made))] = chance.randrange(256)
        case 1:
            del made[at:]
        case 2:
            del made[at : at + size]
        case 3:
            made[at:at] = chance.randbytes(size)
        case 4:
            made[at:at] = made[at : at + size] * chance.choice((1, 2, 50))
        case 5:
            made[at : at + size] = bytes(size)
    return bytes(made)


def in_zip(content: bytes, chance: random.Random) -> bytes:
    """Damage what a zip holds: take entries away, put them in twice, exchange or rename them."""
    entries = entries_of(content)
    if len(entries) < 2:
        return in_bytes(content, chance)
    first, second = chance.sample(range(len(entries)), 2)
    name, data = entries[first]
    match chance.randrange(5):
        case 0:
            del entries[first]
        case 1:
            entries.append((name, entries[second][1]))
        case 2:
            entries[first], entries[second] = (name, entries[second][1]), (entries[second][0], data)
        case 3:
            entries[first] = (chance.choice((name.upper(), f"/{name}", f"../{name}", f"x{name}", "content.xml")), data)
        case 4:
            entries[first] = (name, b"")
    return zip_of(entries)


def in_a_part(damage: Callable[[bytes, random.Random], bytes], suffixes: tuple[str, ...]) -> Callable[..., bytes]:
    """Return what damages one part of a zip, and packs the zip so that it is sound itself."""

    def inside(content: bytes, chance: random.Random) -> bytes:
        entries = entries_of(content)
        fitting = [number for number, (name, _) in enumerate(entries) if name.endswith(suffixes)]
        # Those that hold cells more often than the others.
        fitting += [n for n in fitting if re.search(r"sheet|content|document\.xml$|Strings", entries[n][0])] * 4
        if not fitting:
            return in_bytes(content, chance)
        number = chance.choice(fitting)
        entries[number] = (entries[number][0], damage(entries[number][1], chance))
        return zip_of(entries)

    return inside


def in_xml(data: bytes, chance: random.Random) -> bytes:
    """Damage elements and values."""
    xml = data.decode("utf-8", "replace")
    match chance.randrange(9):
        case 0:
            xml = one_of(r">[-0-9.]+<", xml, lambda _: f">{chance.choice(NUMBERS)}<", chance)
        case 1:
            xml = one_of(r'"[-0-9.]+"', xml, lambda _: f'"{chance.choice(NUMBERS)}"', chance)
        case 2:
            xml = one_of(r'r="[A-Z]*[0-9]+"', xml, lambda _: f'r="{chance.choice(ADDRESSES)}"', chance)
        case 3:
            xml = one_of(r'ref="[^"]*"', xml, lambda _: f'ref="{chance.choice(RANGES)}"', chance)
        case 4:
            old, new = chance.choice(FLAGS)
            xml = one_of(re.escape(old), xml, lambda _: new, chance)
        case 5:
            xml = one_of(r"<[^>]*>", xml, lambda _: "", chance)
        case 6:
            times = chance.choice((2, 3, 100, 3000))
            xml = one_of(REPEATED, xml, lambda found: found * times, chance)
        case 7:
            depth = chance.choice((10, 400, 20_000))
            xml = one_of(r">", xml, lambda _: ">" + "<x>" * depth + "</x>" * depth, chance)
        case 8:
            found = [match[0] for match in re.finditer(CELL, xml)]
            if len(found) > 1:
                one, other = chance.sample(found, 2)
                xml = xml.replace(one, "\0", 1).replace(other, one, 1).replace("\0", other, 1)
    return xml.encode()


def one_of(pattern: str, text: str, changed: Callable[[str], str], chance: random.Random) -> str:
    """Return the text with one of the places that match changed."""
    found = list(re.finditer(pattern, text, re.DOTALL))
    if not found:
        return text
    match = chance.choice(found)
    return text[: match.start()] + changed(match[0]) + text[match.end() :]


Records = list[tuple[int, bytes]]


def in_records(records: Records, chance: random.Random) -> Records:
    """Damage records: their content, their kind, their order."""
    if not records:
        return records
    at, other = chance.randrange(len(records)), chance.randrange(len(records))
    kind, data = records[at]
    match chance.randrange(7):
        case 0 | 1:
            records[at] = (kind, in_bytes(data, chance)[:8000])
        case 2:
            del records[at]
        case 3:
            records[at:at] = [records[at]] * chance.choice((1, 5, 3000))
        case 4:
            records[at], records[other] = records[other], records[at]
        case 5:
            records[at] = (records[other][0], data)
        case 6:
            made = bytearray(data)
            for place in range(0, len(made) - 1, chance.choice((2, 4, 6))):
                if not chance.randrange(3):
                    made[place : place + 2] = chance.choice((b"\xff\xff", b"\0\0", b"\xff\x7f", b"\x01\x80"))
            records[at] = (kind, bytes(made))
    return records


def in_xls(content: bytes, chance: random.Random) -> bytes:
    """Damage the records of an .xls file, in a container that is sound."""
    try:
        stream = CompoundFile(content).stream("workbook") or b""
    except UnreadableWorkbook:  # it was damaged before
        return in_bytes(content, chance)
    records: Records = []
    at = 0
    while at + 4 <= len(stream):
        kind, size = int.from_bytes(stream[at : at + 2], "little"), int.from_bytes(stream[at + 2 : at + 4], "little")
        records.append((kind, stream[at + 4 : at + 4 + size]))
        at += 4 + size
    made, starts, places = b"", [], []
    for kind, data in in_records(records, chance)[:12_000]:
        if kind == 0x0809:
            starts.append(len(made))
        if kind == 0x85:
            places.append(len(made) + 4)
        made += kind.to_bytes(2, "little") + len(data).to_bytes(2, "little") + data
    if chance.randrange(8):  # the sheets are where they are said to be
        for place, start in zip(places, starts[1:], strict=False):
            made = made[:place] + start.to_bytes(4, "little") + made[place + 4 :]
    return compound(Workbook=made) if len(made) < 55_000 else content


def in_xlsb(data: bytes, chance: random.Random) -> bytes:
    """Damage the records of a part of an .xlsb file."""
    records: Records = []
    at = 0
    while at < len(data):
        values = []
        for most in (2, 4):
            value = shift = 0
            for _ in range(most):
                byte = data[at] if at < len(data) else 0
                at, value, shift = at + 1, value | (byte & 0x7F) << shift, shift + 7
                if byte < 0x80:
                    break
            values.append(value)
        records.append((values[0], data[at : at + values[1]]))
        at += values[1]
    return b"".join(record(kind, inner) for kind, inner in in_records(records, chance))


def in_csv(content: bytes, chance: random.Random) -> bytes:
    """Damage a text where its cells are parted."""
    at = chance.randrange(len(content) + 1)
    more = chance.choice(TEXTS)
    return content[:at] + more + content[at + chance.choice((0, 1)) :]


def entries_of(content: bytes) -> list[tuple[str, bytes]]:
    """Return the entries of a zip, or none where it is broken already."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return [(item.filename, archive.read(item)) for item in archive.infolist()]
    except Exception:  # noqa: BLE001 (it was damaged before)
        return []


def zip_of(entries: list[tuple[str, bytes]]) -> bytes:
    """Return a zip of entries, of which two may have one name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


BINARY = in_a_part(in_xlsb, (".bin",))
XML = in_a_part(in_xml, (".xml", ".rels"))
LAYERS: dict[str, tuple[Callable[[bytes, random.Random], bytes], ...]] = {
    "xlsx": (in_bytes, in_zip, in_a_part(in_bytes, (".xml", ".rels")), XML, XML, XML),
    "xls": (in_bytes, in_bytes, in_xls, in_xls, in_xls),
    "xlsb": (in_bytes, in_zip, in_a_part(in_bytes, (".bin",)), BINARY, BINARY),
    "ods": (in_bytes, in_zip, in_a_part(in_bytes, (".xml",)), XML, XML, XML),
    "csv": (in_bytes, in_csv, in_csv),
    "docx": (in_bytes, in_zip, in_a_part(in_bytes, (".xml",)), XML, XML, XML),
}


def read(numbers: range, seed: int) -> None:
    """Read files and print what became of each, a line when it is begun and one when it is done."""
    logging.disable()
    warnings.simplefilter("ignore")  # of entries of one name
    reader = reader_of_tests()
    for number in numbers:
        kind, content = damaged(number, seed)
        print(json.dumps({"number": number, "kind": kind}), flush=True)
        faulthandler.dump_traceback_later(HANGING_SECONDS, exit=True)
        begun, outcome, what = time.process_time(), "read", ""
        try:
            found = reader.read(content, f"报表.{kind}")
            for seen in (seen for item in found.submissions for seen in item.observations):
                assert (seen.value is None) == (seen.state not in ("value", "zero")), seen
            if found.submissions:
                returned(content, found.submissions[0].sheet)
        except ReaderFailed as error:
            outcome, what = "faults", str(error)
        except UnreadableWorkbook as error:
            outcome = "unreadable" if error.reason and str(error) else "faults"
        except BaseException as error:  # noqa: BLE001 (whatever it is, it is a fault)
            outcome, what = "faults", f"{type(error).__name__}: {error}"
        faulthandler.cancel_dump_traceback_later()
        seconds = time.process_time() - begun
        print(json.dumps({"number": number, "outcome": outcome, "what": what, "seconds": seconds}), flush=True)


def returned(content: bytes, sheet: str) -> None:
    """Mark a file as it goes back to a unit; that it cannot be marked is an answer."""
    remark = Remark("x" * 20, Severity.ERROR, "河口镇", "隐患排查情况表", "2025年8月", f"{sheet}!B5", "不应大于 1。")
    try:
        mark(as_xlsx(content) or content, [remark], "核对清单")
    except UnreadableWorkbook:
        return


def reader_of_tests() -> Reader:
    """Return a reader of the forms that the tests of reading use."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**CATALOG, "dongshan/forms/bulletin.yaml": BULLETIN_FORM}.items():
            path = Path(folder, "catalog", name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return Reader(load_catalog(Path(folder)))


def watched(numbers: range, seed: int) -> Iterator[tuple[int, str, str, float]]:
    """Yield number, outcome, what was wrong and the seconds of files read in a process that may die."""
    begin = numbers.start
    while begin < numbers.stop:
        arguments = [sys.executable, __file__, "--seed", str(seed), "--read", f"{begin}:{numbers.stop}:{numbers.step}"]
        last = None
        with tempfile.TemporaryFile("w+") as errors:
            with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
                assert process.stdout
                for line in process.stdout:
                    said = json.loads(line)
                    if "outcome" in said:
                        yield said["number"], said["outcome"], said["what"], said["seconds"]
                        last = None
                    else:
                        last = said["number"]
            errors.seek(0)
            printed = errors.read()
        if last is None:
            if process.returncode:
                raise RuntimeError(printed[-3000:])
            return
        hangs = "Timeout" in printed
        words = f"{'hangs' if hangs else f'died ({process.returncode})'}: {printed[-1500:]}"
        yield last, "faults", words, float(HANGING_SECONDS if hangs else 0)
        begin = last + numbers.step


def run(mutations: int, seed: int) -> tuple[dict[str, Tally], list[str]]:
    """Read so many files; return what became of them by their kind, and all that was wrong."""
    tallies = {kind: Tally() for kind in KINDS}
    wrong: list[str] = []
    seen: Counter[int] = Counter()

    def follow(numbers: range) -> None:
        try:
            for number, outcome, what, seconds in watched(numbers, seed):
                tally = tallies[KINDS[number % len(KINDS)]]
                seen[number] += 1
                tally.mutated += 1
                setattr(tally, outcome, getattr(tally, outcome) + 1)
                tally.slowest = max(tally.slowest, seconds)
                if what or seconds > MAX_SECONDS:
                    wrong.append(f"{number} ({KINDS[number % len(KINDS)]}, {seconds:.1f} s): {what or 'too slow'}")
        except Exception as error:  # noqa: BLE001 (a thread's fault would be seen by nobody)
            wrong.append(f"the run itself: {error}")

    threads = [Thread(target=follow, args=(range(part, mutations, PROCESSES),)) for part in range(PROCESSES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    missing = [number for number in range(mutations) if seen[number] != 1]
    if missing:
        wrong.append(f"not one outcome: {missing[:20]}")
    return tallies, wrong


def main(arguments: list[str] | None = None) -> int:
    """Print what became of the files; the status is 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description="Read thousands of damaged files of every kind.")
    parser.add_argument("--mutations", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="read this one in the open, with its trace")
    parser.add_argument("--read", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.read:
        read(range(*map(int, options.read.split(":"))), options.seed)
        return 0
    if options.only is not None:
        kind, content = damaged(options.only, options.seed)
        print(reader_of_tests()._read(content, f"报表.{kind}"))
        return 0
    tallies, wrong = run(options.mutations, options.seed)
    rows = [
        [kind, *map(str, (tally.mutated, tally.read, tally.unreadable, tally.faults)), f"{tally.slowest:.2f}"]
        for kind, tally in tallies.items()
    ]
    print(table(["kind", "mutated", "read", "unreadable", "faults", "slowest, CPU s"], rows))
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
