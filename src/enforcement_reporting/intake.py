"""Taking submissions in: from a landing place or a list of files to rows in the warehouse.

Every file ends in exactly one outcome row, whatever is in it: ``taken_in``, ``duplicate`` or ``unreadable``. Its bytes
are kept in the store under their sha256 before anything is recorded; a landing file is removed after its outcome is.
A task that is killed anywhere in between and run again leaves the same rows as one that was not.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Self
from uuid import uuid4

import fsspec
import psycopg

from enforcement_reporting.catalog import Catalog, LandingPlace, load_catalog
from enforcement_reporting.quality import load_suites
from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import (
    Delivery,
    FileOutcome,
    connect,
    known_outcome,
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
_NOT_SUBMISSIONS = (".", "~$")


@dataclass(frozen=True)
class Landed:
    """A file that waits in a landing place; ``version`` changes when it is written again."""

    url: str
    version: str
    policy: str

    @property
    def file_name(self) -> str:
        """Return the name the sender gave the file."""
        return PurePosixPath(self.url).name


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
    """Return the files waiting in all landing places, oldest name first; hidden and lock files are not submissions."""
    landed = []
    for place in load_catalog(settings.definitions).landing.places:
        filesystem, root = fsspec.core.url_to_fs(place_url(settings, place))
        if not filesystem.exists(root):
            continue
        for path, info in sorted(filesystem.find(root, detail=True).items()):
            if not PurePosixPath(path).name.startswith(_NOT_SUBMISSIONS):
                landed.append(Landed(filesystem.unstrip_protocol(path), _version(info), place.policy))
    return landed


def place_url(settings: Settings, place: LandingPlace) -> str:
    """Return where a landing place is: its own URL, or its folder under the landing root."""
    return place.path if "://" in place.path else f"{settings.landing.rstrip('/')}/{place.path}"


def list_chunks(settings: Settings, size: int = CHUNK_FILES) -> list[list[dict[str, str]]]:
    """Return the waiting files in chunks that can be taken in independently of one another, in JSON's types."""
    landed = [vars(file) for file in list_landed(settings)]
    return [landed[start : start + size] for start in range(0, len(landed), size)]


def take_in(settings: Settings, chunk: Iterable[dict[str, str]], received_at: datetime) -> dict[str, int]:
    """Take a chunk of landed files in; return how many ended in which outcome.

    A file that changed since it was listed is left for the next run, as it is still being written.
    """
    outcomes: Counter[str] = Counter()
    with _Intake(settings) as intake:
        for entry in chunk:
            landed = Landed(**entry)
            filesystem, path = fsspec.core.url_to_fs(landed.url)
            if not _unchanged(filesystem, path, landed):
                log.info("%s: gone or still being written, left alone", landed.file_name)
                continue
            sha256, size, content = intake.keep(filesystem, path)
            key = f"{landed.url}@{landed.version}"
            delivery = Delivery(landed.file_name, sha256, size, key, landed.policy, received_at)
            outcomes[known_outcome(intake.connection, key, sha256) or intake.record(delivery, content)] += 1
            if _unchanged(filesystem, path, landed):
                filesystem.rm_file(path)
    return dict(outcomes)


def ingest_files(
    settings: Settings, paths: Iterable[str], policy: str, received_at: datetime
) -> list[tuple[Delivery, FileOutcome]]:
    """Take files in from where they lie and leave them there; return each with its outcome."""
    results = []
    with _Intake(settings) as intake:
        for url in paths:
            filesystem, path = fsspec.core.url_to_fs(url)
            sha256, size, content = intake.keep(filesystem, path)
            delivery = Delivery(PurePosixPath(path).name, sha256, size, f"ingest:{path}", policy, received_at)
            results.append((delivery, intake.record(delivery, content)))
    return results


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

    def record(self, delivery: Delivery, content: bytes | None) -> FileOutcome:
        """Read a file and record what came of it."""
        read = self._read(delivery, content)
        if isinstance(read, UnreadableWorkbook):
            log.warning("%s: unreadable: %s", delivery.file_name, read)
            record_refused(self.connection, delivery, read.reason)
            return "unreadable"
        for finding in _all_findings(read):
            log.info("%s: %s", delivery.file_name, finding.log())
        if not read.submissions:
            reason = "；".join(finding.message() for finding in read.file_findings) or "工作簿中没有任何内容。"
            record_refused(self.connection, delivery, reason, read.file_findings)
            return "unreadable"
        outcome = record_submissions(self.connection, delivery, read, self.catalog)
        log.info("%s: %s, %d submissions", delivery.file_name, outcome, len(read.submissions))
        return outcome

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


def _all_findings(read: ReadWorkbook) -> Iterator[Any]:
    yield from read.file_findings
    for findings in read.sheet_findings.values():
        yield from findings
    for submission in read.submissions:
        yield from submission.findings


def _unchanged(filesystem: Any, path: str, landed: Landed) -> bool:
    filesystem.invalidate_cache()
    try:
        return _version(filesystem.info(path)) == landed.version
    except FileNotFoundError:
        return False


def _version(info: dict[str, Any]) -> str:
    written = info.get("ETag") or info.get("mtime") or info.get("LastModified") or info.get("updated") or ""
    return f"{info.get('size')}-{written}"
