"""Taking submissions in: from a landing place or a list of files to rows in the warehouse.

Every file ends in exactly one outcome row, whatever is in it: ``taken_in``, ``duplicate`` or ``unreadable``. Its bytes
are kept in the store under their sha256 before anything is recorded; a landing file is removed after its outcome is.
Files are read one by one, outside any transaction, and recorded many at a time, each batch in one. A task that is
killed anywhere in between and run again leaves the same rows as one that was not.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache, partial
from itertools import chain
from pathlib import PurePosixPath
from typing import Any, Self, TypeVar
from urllib.parse import quote, unquote_to_bytes
from uuid import uuid4
from zoneinfo import ZoneInfo

import fsspec
import psycopg
from fsspec.implementations.local import LocalFileSystem

from enforcement_reporting.catalog import Catalog, Landing, LandingPlace, load_catalog, read_definition
from enforcement_reporting.findings import ReadingFinding
from enforcement_reporting.garbage import seldom_collected
from enforcement_reporting.quality import load_suites
from enforcement_reporting.settings import Settings
from enforcement_reporting.warehouse import (
    NOT_STORABLE,
    Delivery,
    FileOutcome,
    Incoming,
    connect,
    load_catalog_tables,
    migrate,
    record_files,
)
from enforcement_reporting.workbook import Reader, ReadWorkbook, UnreadableWorkbook
from enforcement_reporting.workbook.package import MAX_FILE_BYTES, too_many_bytes

log = logging.getLogger(__name__)
_T = TypeVar("_T")

# A chunk is what one task takes in. All of them travel through Airflow's database together: what is more than that
# waits for the next run.
CHUNK_FILES, MAX_CHUNKS = 200, 200
# A batch is what one transaction records, and is held in memory until then.
BATCH_FILES, BATCH_ROWS, BATCH_BYTES = 100, 20_000, 10_000_000
_BLOCK = 1 << 18  # a larger one is asked of the system anew for each file
_CHINA, _NOON = ZoneInfo("Asia/Shanghai"), time(12)
_REASONS_SHOWN = 3
_NOT_SUBMISSIONS = re.compile(
    r"(^|/)(\.|~\$)|\.(part|partial|tmp|crdownload)$|(^|/)(thumbs\.db|desktop\.ini)$", re.IGNORECASE
)


@dataclass(frozen=True)
class Landed:
    """A file that waits in a landing place; ``version`` changes when it is written again, even with the same bytes.

    ``arrived_at`` is an ISO 8601 instant, or empty where nobody knows; ``fault`` says why it cannot be taken in.
    """

    place: str
    path: str
    version: str
    policy: str
    arrived_at: str
    fault: str = ""


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
    """Return the files waiting in all landing places in the order they arrived, those of one instant by name.

    Hidden files, lock files and unfinished downloads are not submissions, and a link could lead anywhere.
    """
    landed = []
    for place in landing_places(settings):
        url = place_url(settings, place)
        filesystem, root = fsspec.core.url_to_fs(url)
        for path, version, arrived_at in _files(filesystem, root):
            inside = path.removeprefix(root)
            if _NOT_SUBMISSIONS.search(inside):
                continue
            fault = ""
            if place.received == "in_path":
                arrived_at = _instant_in(inside)
                fault = "" if arrived_at else "the first folder below the landing place names no instant of receipt"
            landed.append(Landed(url, path, version, place.policy, arrived_at, fault))
    # What arrived nobody knows when counts as received now, and comes last.
    return sorted(landed, key=lambda file: (file.arrived_at or "~", file.path))


def landing_places(settings: Settings) -> tuple[LandingPlace, ...]:
    """Return where submissions arrive."""
    return read_definition(settings.definitions / "catalog" / "landing.yaml", Landing).places


def place_url(settings: Settings, place: LandingPlace) -> str:
    """Return where a landing place is: its own URL, or its folder under the landing root."""
    return place.path if "://" in place.path else f"{settings.landing.rstrip('/')}/{place.path}"


def list_chunks(settings: Settings, size: int = CHUNK_FILES) -> list[list[dict[str, str]]]:
    """Return the waiting files in chunks that can be taken in independently of one another, in JSON's types.

    Paths are percent-encoded: the bytes of a name need not be text, and JSON holds nothing else. No more than
    MAX_CHUNKS are returned, with the files that have waited longest.
    """
    listed = list_landed(settings)
    if len(listed) > size * MAX_CHUNKS:
        log.info("%d of %d files are left for the next run", len(listed) - size * MAX_CHUNKS, len(listed))
        del listed[size * MAX_CHUNKS :]
    landed = [{**vars(file), "path": quote(os.fsencode(file.path))} for file in listed]
    return [landed[start : start + size] for start in range(0, len(landed), size)]


@seldom_collected()
def take_in(settings: Settings, chunk: Iterable[dict[str, str]], seen_at: datetime) -> dict[str, int]:
    """Take a chunk of landed files in; return how many ended in which outcome.

    A file was received when it arrived in its place, or where that does not say when, or names a later instant, when
    it was seen there.

    A file that changed since it was listed is left for the next run, as it is still being written. One that cannot be
    fetched or kept does not stop the others: it stays where it is, and IntakeError names it in the end.
    """
    outcomes: Counter[str] = Counter()
    failed: list[str] = []
    with _Intake(settings) as intake:
        for batch in _batches(intake.fetch(chunk, seen_at, failed)):
            outcomes.update(received.outcome for received in intake.record([file for _, file in batch]))
            for landed, file in batch:
                try:
                    _remove(landed)
                except OSError as error:
                    log.exception("%s: recorded, but could not be removed", file.delivery.file_name)
                    failed.append(f"{file.delivery.file_name}: {error}")
    if failed:
        raise IntakeError(f"{len(failed)} files could not be taken in: " + "; ".join(failed[:20]))
    return dict(outcomes)


@seldom_collected()
def ingest_files(settings: Settings, paths: Iterable[str], policy: str, received_at: datetime) -> list[Received]:
    """Take files of this machine in and leave them where they are; return what became of each.

    One that is not there or cannot be opened has the outcome ``unreadable`` like any other that cannot be read.
    """
    with _Intake(settings) as intake:
        opened = ((path, intake.open(path, policy, received_at)) for path in paths)
        return [received for batch in _batches(opened) for received in intake.record([file for _, file in batch])]


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
        self._folders: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def fetch(
        self, chunk: Iterable[dict[str, str]], seen_at: datetime, failed: list[str]
    ) -> Iterator[tuple[Landed, Incoming]]:
        """Yield the files of a chunk, each kept and read; what is wrong with the others is added to ``failed``."""
        for entry in chunk:
            landed = Landed(**{**entry, "path": os.fsdecode(unquote_to_bytes(entry["path"]))})
            name = readable_name(landed.path)
            if landed.fault:
                log.error("%s: left where it is: %s", readable(landed.path), landed.fault)
                failed.append(f"{readable(landed.path)}: {landed.fault}")
                continue
            try:
                kept = self._keep(_filesystem(landed.place), landed.path, partial(_unchanged, landed))
            except OSError as error:
                if isinstance(error, FileNotFoundError) and not _unchanged(landed):
                    kept = None
                else:
                    log.exception("%s: could not be taken in", name)
                    failed.append(f"{name}: {error}")
                    continue
            if kept is None:
                log.info("%s: gone or still being written, left alone", name)
                continue
            sha256, size, content = kept
            key = f"{readable(landed.path)}@{landed.version}"
            arrived_at = datetime.fromisoformat(landed.arrived_at) if landed.arrived_at else seen_at
            delivery = Delivery(name, sha256, size, key, landed.policy, min(arrived_at, seen_at))
            yield landed, self._read_into(delivery, content)

    def open(self, path: str, policy: str, received_at: datetime) -> Incoming:
        """Return a file of this machine, kept and read."""
        name = readable_name(path)
        try:
            kept = self._keep(LocalFileSystem(), path, lambda: True)
        except OSError as error:
            log.warning("%s: %s", name, error)
            reason = "文件不存在。" if isinstance(error, FileNotFoundError) else "文件无法打开。"
            return Incoming(Delivery(name, "", 0, None, policy, received_at), ReadWorkbook(), reason)
        assert kept is not None
        sha256, size, content = kept
        return self._read_into(Delivery(name, sha256, size, None, policy, received_at), content)

    def record(self, files: Sequence[Incoming]) -> list[Received]:
        """Record files, all of them at once; one that the database does not take is refused, and the others are not."""
        try:
            recorded = record_files(self.connection, files, self.catalog)
        except NOT_STORABLE as error:
            refusal = error
        else:
            outcomes = Counter(outcome for _, outcome in recorded)
            log.info("recorded %d files: %s", len(files), ", ".join(f"{n} {name}" for name, n in outcomes.items()))
            return [
                Received(file.delivery.file_name, file_id, outcome)
                for file, (file_id, outcome) in zip(files, recorded, strict=True)
            ]
        if len(files) > 1:  # the others are sound: one half, then the other
            middle = len(files) // 2
            return [*self.record(files[:middle]), *self.record(files[middle:])]
        (file,) = files
        if not file.read.submissions and not file.read.file_findings:
            raise refusal  # there is nothing left that could be left out
        log.error("%s: could not be recorded", file.delivery.file_name, exc_info=refusal)
        reason = f"文件中有无法保存的内容：{' '.join(str(refusal).split())}"
        return self.record([Incoming(file.delivery, ReadWorkbook(), reason)])

    def _keep(self, filesystem: Any, path: str, is_sound: Callable[[], bool]) -> tuple[str, int, bytes | None] | None:
        """Copy a file into the store; return its sha256, its size, and its bytes unless there are too many to read.

        Returns None where ``is_sound`` denies that what was read is the file as it was meant.
        """
        with _open(filesystem, path, "rb") as source:
            blocks, size = [], 0
            while size <= MAX_FILE_BYTES and (block := source.read(_BLOCK)):
                blocks.append(block)
                size += len(block)
            if not is_sound():
                return None
            if size > MAX_FILE_BYTES:
                return *self._write(chain(blocks, iter(partial(source.read, _BLOCK), b""))), None
        content = b"".join(blocks)
        return *self._write([content]), content

    def _write(self, blocks: Iterable[bytes]) -> tuple[str, int]:
        """Write a file into the store; return its sha256 and its size. It gets its final name when it is complete."""
        digest, size = hashlib.sha256(), 0
        unfinished = f"{self._folder('unfinished')}/{uuid4().hex}"
        try:
            with _open(self._store, unfinished, "wb") as target:
                for block in blocks:
                    digest.update(block)
                    target.write(block)
                    size += len(block)
            sha256 = digest.hexdigest()
            kept = f"{self._folder(sha256[:2])}/{sha256}"
            if isinstance(self._store, LocalFileSystem):
                os.replace(unfinished, kept)  # noqa: PTH105
            else:
                self._store.mv(unfinished, kept)
        except BaseException:
            with suppress(Exception):  # it may not be there, which each kind of store says in its own way
                self._store.rm_file(unfinished)
            raise
        return sha256, size

    def _folder(self, name: str) -> str:
        """Return a folder of the store, made where it is not there."""
        folder = f"{self._store_root}/{name}"
        if folder not in self._folders:
            self._store.makedirs(folder, exist_ok=True)
            self._folders.add(folder)
        return folder

    def _read_into(self, delivery: Delivery, content: bytes | None) -> Incoming:
        """Read a file; where nothing can be taken from it, say why."""
        read = self._read(delivery, content)
        if isinstance(read, UnreadableWorkbook):
            log.warning("%s: unreadable: %s", delivery.file_name, read)
            return Incoming(delivery, ReadWorkbook(), read.reason)
        if log.isEnabledFor(logging.INFO):
            for finding in _all_findings(read):
                log.info("%s: %s", delivery.file_name, finding.log())
        if read.submissions:
            return Incoming(delivery, read)
        messages = [finding.message() for finding in read.file_findings]
        more = f"（等 {len(messages)} 处）" if len(messages) > _REASONS_SHOWN else ""
        return Incoming(delivery, read, "".join(messages[:_REASONS_SHOWN]) + more or "工作簿中没有任何内容。")

    def _read(self, delivery: Delivery, content: bytes | None) -> ReadWorkbook | UnreadableWorkbook:
        if content is None:
            return too_many_bytes(delivery.size_bytes)
        try:
            return self.reader.read(content, delivery.file_name)
        except UnreadableWorkbook as error:
            return error


def _all_findings(read: ReadWorkbook) -> Iterator[ReadingFinding]:
    yield from read.file_findings
    for findings in read.sheet_findings.values():
        yield from findings
    for submission in read.submissions:
        yield from submission.findings


def _batches(files: Iterable[tuple[_T, Incoming]]) -> Iterator[list[tuple[_T, Incoming]]]:
    """Yield files in batches to be recorded, none much larger than the bounds allow."""
    batch: list[tuple[_T, Incoming]] = []
    rows = size = 0
    for item in files:
        batch.append(item)
        rows += item[1].rows
        size += item[1].delivery.size_bytes
        if len(batch) >= BATCH_FILES or rows >= BATCH_ROWS or size >= BATCH_BYTES:
            yield batch
            batch, rows, size = [], 0, 0
    if batch:
        yield batch


def _open(filesystem: Any, path: str, mode: str) -> Any:
    """Open a file; one of this machine directly, as there are many."""
    return open(path, mode) if isinstance(filesystem, LocalFileSystem) else filesystem.open(path, mode)  # noqa: PTH123


@lru_cache
def _filesystem(place: str) -> Any:
    return fsspec.core.url_to_fs(place)[0]


def _files(filesystem: Any, root: str) -> Iterator[tuple[str, str, str]]:
    """Yield path, version and instant of arrival of the files in a folder and below."""
    if isinstance(filesystem, LocalFileSystem):  # asked directly, as thousands may wait and somebody watches them
        for folder, _, names in os.walk(root):
            for name in names:
                path = f"{folder}/{name}"
                with suppress(FileNotFoundError):
                    status = os.stat(path, follow_symlinks=False)  # noqa: PTH116
                    if stat.S_ISREG(status.st_mode):
                        # The change of its entry: a copy may keep the time at which the original was written.
                        yield path, _local_version(status), _iso(datetime.fromtimestamp(status.st_ctime, UTC))
        return
    filesystem.invalidate_cache()
    if filesystem.exists(root):
        for path, info in filesystem.find(root, detail=True).items():
            if info.get("type") == "file" and not info.get("islink"):
                yield path, _remote_version(info), _arrived_at(info)


def _unchanged(landed: Landed) -> bool:
    """Return whether a file still is what was listed."""
    filesystem = _filesystem(landed.place)
    try:
        if isinstance(filesystem, LocalFileSystem):
            return _local_version(os.stat(landed.path, follow_symlinks=False)) == landed.version  # noqa: PTH116
        filesystem.invalidate_cache()
        return _remote_version(filesystem.info(landed.path)) == landed.version
    except FileNotFoundError:
        return False


def _remove(landed: Landed) -> None:
    """Remove a file from its landing place unless it changed; a task at work beside us may have been faster."""
    if _unchanged(landed):
        with suppress(FileNotFoundError):
            _filesystem(landed.place).rm_file(landed.path)


def _local_version(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def _remote_version(info: dict[str, Any]) -> str:
    marks = ("size", "mtime", "created", "ino", "ETag", "LastModified", "updated")
    found = (info[mark] for mark in marks if info.get(mark) is not None)
    # Some file systems say the same time as a number when listing and as an instant when asked for one file.
    times = (mark.timestamp() if isinstance(mark, datetime) else mark for mark in found)
    return " ".join(f"{mark:.6f}" if isinstance(mark, float) else str(mark) for mark in times)


def _arrived_at(info: dict[str, Any]) -> str:
    """Return when a file came to lie where it lies, or nothing where the place does not say."""
    arrived = info.get("LastModified") or info.get("updated") or info.get("created")
    if isinstance(arrived, int | float):
        arrived = datetime.fromtimestamp(arrived, UTC)
    return _iso(arrived) if isinstance(arrived, datetime) and arrived.tzinfo else ""


def _instant_in(inside: str) -> str:
    """Return the instant that the first folder of a path names, or nothing where it names none."""
    folder, _, below = inside.strip("/").partition("/")
    if not below:
        return ""
    with suppress(ValueError):
        return _iso(datetime.combine(date.fromisoformat(folder), _NOON, _CHINA))
    with suppress(ValueError, OverflowError):
        instant = datetime.fromisoformat(folder)
        return _iso(instant) if instant.tzinfo else ""
    return ""


def _iso(instant: datetime) -> str:
    """Return an instant so that the texts sort as the instants do."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")
