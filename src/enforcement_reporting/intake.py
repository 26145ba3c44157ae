"""Taking submissions in: from a landing place or a list of files to rows in the warehouse.

Every file ends in exactly one outcome row, whatever is in it: ``taken_in``, ``duplicate`` or ``unreadable``. Its bytes
are kept in the store under their sha256 before anything is recorded; a landing file is removed after its outcome is.
A task that is killed anywhere in between and run again leaves the same rows as one that was not.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Self
from urllib.parse import quote, unquote_to_bytes
from uuid import uuid4

import fsspec
import psycopg

from enforcement_reporting.catalog import Catalog, Landing, LandingPlace, load_catalog, read_definition
from enforcement_reporting.findings import ReadingFinding
from enforcement_reporting.quality import load_suites
from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import (
    Delivery,
    FileOutcome,
    connect,
    load_catalog_tables,
    migrate,
    record_refused,
    record_submissions,
)
from enforcement_reporting.workbook import Reader, ReadWorkbook, UnreadableWorkbook
from enforcement_reporting.workbook.grid import MAX_FILE_BYTES

log = logging.getLogger(__name__)

CHUNK_FILES = 200
_BLOCK = 1 << 20
_REASONS_SHOWN = 3
_NOT_SUBMISSIONS = re.compile(
    r"(^|/)(\.|~\$)|\.(part|partial|tmp|crdownload)$|(^|/)(thumbs\.db|desktop\.ini)$", re.IGNORECASE
)


@dataclass(frozen=True)
class Landed:
    """A file that waits in a landing place; ``version`` changes when it is written again, even with the same bytes."""

    place: str
    path: str
    version: str
    policy: str
    arrived_at: str


@dataclass(frozen=True)
class Received:
    """What became of a file: its row in the warehouse and its outcome."""

    file_name: str
    file_id: int
    outcome: FileOutcome


class IntakeError(RuntimeError):
    """Some files could not be taken in and are left where they are; the message names them."""


def prepare(settings: Settings) -> None:
    """Bring the warehouse's schema up to date and the catalog into it; refuse definitions that do not hold together.

    Raises CatalogError naming file, key and what was expected.
    """
    catalog = load_catalog(settings.definitions)
    load_suites(settings.definitions, catalog)
    migrate(settings)
    with connect(settings) as connection:
        if load_catalog_tables(connection, catalog):
            log.info("catalog loaded: %d forms, %d metrics", len(catalog.forms), len(catalog.metrics))


def list_landed(settings: Settings) -> list[Landed]:
    """Return the files waiting in all landing places, by name.

    Hidden files, lock files and unfinished downloads are not submissions, and a link could lead anywhere.
    """
    landed = []
    for place in landing_places(settings):
        url = place_url(settings, place)
        filesystem, root = fsspec.core.url_to_fs(url)
        if not filesystem.exists(root):
            continue
        for path, info in sorted(filesystem.find(root, detail=True).items()):
            inside = path.removeprefix(root)
            if info.get("type") == "file" and not info.get("islink") and not _NOT_SUBMISSIONS.search(inside):
                landed.append(Landed(url, path, _version(info), place.policy, _arrived_at(info)))
    return landed


def landing_places(settings: Settings) -> tuple[LandingPlace, ...]:
    """Return where submissions arrive."""
    return read_definition(settings.definitions / "catalog" / "landing.yaml", Landing).places


def place_url(settings: Settings, place: LandingPlace) -> str:
    """Return where a landing place is: its own URL, or its folder under the landing root."""
    return place.path if "://" in place.path else f"{settings.landing.rstrip('/')}/{place.path}"


def list_chunks(settings: Settings, size: int = CHUNK_FILES) -> list[list[dict[str, str]]]:
    """Return the waiting files in chunks that can be taken in independently of one another, in JSON's types.

    Paths are percent-encoded: the bytes of a name need not be text, and JSON holds nothing else.
    """
    landed = [{**vars(file), "path": quote(os.fsencode(file.path))} for file in list_landed(settings)]
    return [landed[start : start + size] for start in range(0, len(landed), size)]


def take_in(settings: Settings, chunk: Iterable[dict[str, str]], seen_at: datetime) -> dict[str, int]:
    """Take a chunk of landed files in; return how many ended in which outcome.

    A file was received when it arrived in its place, or where that does not say when, or names a later instant, when
    it was seen there.

    A file that changed since it was listed is left for the next run, as it is still being written. One that cannot be
    fetched or kept does not stop the others: it stays where it is, and IntakeError names it in the end.
    """
    outcomes: Counter[str] = Counter()
    failed = []
    with _Intake(settings) as intake:
        for entry in chunk:
            landed = Landed(**{**entry, "path": os.fsdecode(unquote_to_bytes(entry["path"]))})
            filesystem, _ = fsspec.core.url_to_fs(landed.place)
            name = readable_name(landed.path)
            try:
                if not _unchanged(filesystem, landed):
                    log.info("%s: gone or still being written, left alone", name)
                    continue
                sha256, size, content = intake.keep(filesystem, landed.path)
                key = f"{readable(landed.path)}@{landed.version}"
                arrived_at = datetime.fromisoformat(landed.arrived_at) if landed.arrived_at else seen_at
                delivery = Delivery(name, sha256, size, key, landed.policy, min(arrived_at, seen_at))
                outcomes[intake.record(delivery, content).outcome] += 1
                if _unchanged(filesystem, landed):
                    filesystem.rm_file(landed.path)
            except OSError as error:
                log.exception("%s: could not be taken in", name)
                failed.append(f"{name}: {error}")
    if failed:
        raise IntakeError(f"{len(failed)} files could not be taken in: " + "; ".join(failed[:20]))
    return dict(outcomes)


def ingest_files(settings: Settings, paths: Iterable[str], policy: str, received_at: datetime) -> list[Received]:
    """Take files of this machine in and leave them where they are; return what became of each.

    One that is not there or cannot be opened has the outcome ``unreadable`` like any other that cannot be read.
    """
    local = fsspec.filesystem("file")
    received = []
    with _Intake(settings) as intake:
        for path in paths:
            name = readable_name(path)
            try:
                sha256, size, content = intake.keep(local, path)
            except OSError as error:
                delivery = Delivery(name, "", 0, None, policy, received_at)
                reason = "文件不存在。" if isinstance(error, FileNotFoundError) else "文件无法打开。"
                log.warning("%s: %s", name, error)
                received.append(intake.refuse(delivery, reason))
            else:
                received.append(intake.record(Delivery(name, sha256, size, None, policy, received_at), content))
    return received


def readable(path: str) -> str:
    """Return a path as text that can be stored: a name whose bytes are not UTF-8 is read as GB 18030."""
    raw = os.fsencode(path)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("gb18030", "replace")


def readable_name(path: str) -> str:
    """Return the name the sender gave a file, without control characters."""
    return re.sub(r"[\x00-\x1f\x7f]", " ", PurePosixPath(readable(path)).name)


class _Intake:
    """One connection and one reader for many files."""

    def __init__(self, settings: Settings) -> None:
        self.catalog: Catalog = load_catalog(settings.definitions)
        self.reader = Reader(self.catalog)
        self.connection: psycopg.Connection = connect(settings)
        self.connection.autocommit = True
        self._store, self._store_root = fsspec.core.url_to_fs(settings.store)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def keep(self, filesystem: Any, path: str) -> tuple[str, int, bytes | None]:
        """Copy a file into the store; return its sha256, its size, and its bytes unless there are too many to read.

        The copy gets its final name when it is complete.
        """
        digest, size, blocks = hashlib.sha256(), 0, []
        unfinished = f"{self._store_root}/unfinished/{uuid4().hex}"
        self._store.makedirs(f"{self._store_root}/unfinished", exist_ok=True)
        with filesystem.open(path, "rb") as source, self._store.open(unfinished, "wb") as target:
            while block := source.read(_BLOCK):
                digest.update(block)
                target.write(block)
                size += len(block)
                if size <= MAX_FILE_BYTES:
                    blocks.append(block)
                else:
                    blocks.clear()
        sha256 = digest.hexdigest()
        kept = f"{self._store_root}/{sha256[:2]}/{sha256}"
        self._store.makedirs(f"{self._store_root}/{sha256[:2]}", exist_ok=True)
        self._store.mv(unfinished, kept)
        return sha256, size, b"".join(blocks) if size <= MAX_FILE_BYTES else None

    def record(self, delivery: Delivery, content: bytes | None) -> Received:
        """Read a file and record what came of it."""
        read = self._read(delivery, content)
        if isinstance(read, UnreadableWorkbook):
            log.warning("%s: unreadable: %s", delivery.file_name, read)
            return self.refuse(delivery, read.reason)
        for finding in _all_findings(read):
            log.info("%s: %s", delivery.file_name, finding.log())
        if not read.submissions:
            messages = [finding.message() for finding in read.file_findings]
            more = f"（等 {len(messages)} 处）" if len(messages) > _REASONS_SHOWN else ""
            reason = "".join(messages[:_REASONS_SHOWN]) + more or "工作簿中没有任何内容。"
            return self.refuse(delivery, reason, read.file_findings)
        try:
            file_id, outcome = record_submissions(self.connection, delivery, read, self.catalog)
        except psycopg.DataError as error:  # something in this file that the database does not take
            log.exception("%s: could not be recorded", delivery.file_name)
            return self.refuse(delivery, f"文件中有无法保存的内容：{' '.join(str(error).split())}")
        log.info("%s: %s, %d submissions", delivery.file_name, outcome, len(read.submissions))
        return Received(delivery.file_name, file_id, outcome)

    def refuse(self, delivery: Delivery, reason: str, findings: Sequence[ReadingFinding] = ()) -> Received:
        """Record a file from which nothing can be taken."""
        file_id, outcome = record_refused(self.connection, delivery, reason, findings, self.catalog)
        return Received(delivery.file_name, file_id, outcome)

    def _read(self, delivery: Delivery, content: bytes | None) -> ReadWorkbook | UnreadableWorkbook:
        if content is None:
            limit = MAX_FILE_BYTES // 1_000_000
            return UnreadableWorkbook(f"文件超过 {limit} MB 的上限。", f"{delivery.size_bytes} bytes, too large")
        try:
            return self.reader.read(content, delivery.file_name)
        except UnreadableWorkbook as error:
            return error
        except Exception as error:  # one file that breaks the reader must not stop the others
            log.exception("%s: reading it failed", delivery.file_name)
            return UnreadableWorkbook("读取文件时发生意外错误，已通知系统管理员。", f"{type(error).__name__}: {error}")


def _all_findings(read: ReadWorkbook) -> Iterator[ReadingFinding]:
    yield from read.file_findings
    for findings in read.sheet_findings.values():
        yield from findings
    for submission in read.submissions:
        yield from submission.findings


def _unchanged(filesystem: Any, landed: Landed) -> bool:
    filesystem.invalidate_cache()
    try:
        return _version(filesystem.info(landed.path)) == landed.version
    except FileNotFoundError:
        return False


def _version(info: dict[str, Any]) -> str:
    marks = ("size", "mtime", "created", "ino", "ETag", "LastModified", "updated")
    return " ".join(str(info[mark]) for mark in marks if info.get(mark) is not None)


def _arrived_at(info: dict[str, Any]) -> str:
    """Return when a file came to lie where it lies, ISO 8601, or nothing where the place does not say.

    In a folder that is the change of its entry: a copy may keep the time at which the original was written.
    """
    arrived = info.get("LastModified") or info.get("updated") or info.get("created")
    if isinstance(arrived, int | float):
        arrived = datetime.fromtimestamp(arrived, UTC)
    return arrived.isoformat() if isinstance(arrived, datetime) and arrived.tzinfo else ""
