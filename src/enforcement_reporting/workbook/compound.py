"""Compound files, the container of .xls: their streams, read straight from the bytes.

A chain of sectors that leads nowhere or back to itself ends; nothing is reserved for what a header merely claims.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence

from enforcement_reporting.workbook.package import UnreadableWorkbook

_HEADER = struct.Struct("<24xHHHHH6xLLLLLLLLL")
_ENTRY = struct.Struct("<64sHBxLLL36xLQ")
_LISTED_IN_HEADER = 109  # sectors of the table of sectors
_LAST = 0xFFFFFFFA  # what is larger is no sector but a mark
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_MINI_SECTOR = 64
_MOST_ENTRIES = 10_000


class CompoundFile:
    """The storages and streams at the root of a compound file by their names."""

    def __init__(self, content: bytes) -> None:
        try:
            self._read(content)
        except (struct.error, IndexError) as error:
            raise _damaged(str(error)) from None

    def _read(self, content: bytes) -> None:
        _, _, order, shift, _, _, _, directory, _, least, minis, _, more, _ = _HEADER.unpack_from(content)
        if order != 0xFFFE or shift not in (9, 12):
            raise _damaged(f"sectors of 2**{shift} bytes, byte order {order:x}")
        self._content, self._size, self._least = content, 1 << int(shift), int(least)
        per_sector = self._size // 4
        sectors = list(struct.unpack_from(f"<{_LISTED_IN_HEADER}L", content, _HEADER.size))
        seen: set[int] = set()
        while more < _LAST and more not in seen:
            seen.add(more)
            listed = self._numbers([more])
            sectors += listed[: per_sector - 1]
            more = listed[per_sector - 1]
        table = [number for number in dict.fromkeys(sectors) if number < _LAST]
        self._next = self._numbers(number for number in table if self._offset(number) < len(content))
        entries = self._entries(self._joined(directory))
        if not entries or entries[0][1] != _ROOT:
            raise _damaged("no root")
        root = entries[0]
        self._minis = self._joined(root[5])[: root[6]]
        self._next_mini = self._numbers(self._chain(self._next, minis))
        self.entries = {name: (kind, start, size) for name, kind, start, size in self._children(entries, root[4])}

    def stream(self, name: str) -> bytes | None:
        """Return a stream at the root, or None where there is none of that name."""
        kind, start, size = self.entries.get(name.lower(), (0, 0, 0))
        if kind != _STREAM:
            return None
        if size >= self._least:
            return self._joined(start)[:size]
        pieces = (self._minis[n * _MINI_SECTOR : (n + 1) * _MINI_SECTOR] for n in self._chain(self._next_mini, start))
        return b"".join(pieces)[:size]

    def _offset(self, sector: int) -> int:
        return (sector + 1) * self._size

    def _chain(self, following: Sequence[int], sector: int) -> Iterator[int]:
        seen = bytearray(len(following))
        while sector < len(following) and not seen[sector]:
            seen[sector] = 1
            yield sector
            sector = following[sector]

    def _sector(self, number: int) -> bytes:
        return self._content[self._offset(number) : self._offset(number + 1)]

    def _joined(self, start: int) -> bytes:
        return b"".join(map(self._sector, self._chain(self._next, start)))

    def _numbers(self, sectors: Sequence[int] | Iterator[int]) -> array[int]:
        whole = b"".join(self._sector(number).ljust(self._size, b"\xff") for number in sectors)
        return array("I", whole)

    @staticmethod
    def _entries(directory: bytes) -> list[tuple[str, int, int, int, int, int, int]]:
        """Return name, kind, left, right and first child, start and size of the entries."""
        found = []
        for raw, length, kind, left, right, child, start, size in _ENTRY.iter_unpack(
            directory[: len(directory) // _ENTRY.size * _ENTRY.size][: _MOST_ENTRIES * _ENTRY.size]
        ):
            name = raw[: max(0, min(length, 64) - 2)].decode("utf-16-le", "replace").lower()
            found.append((name, kind, left, right, child, start, size & 0xFFFFFFFF))
        return found

    @staticmethod
    def _children(
        entries: list[tuple[str, int, int, int, int, int, int]], first: int
    ) -> Iterator[tuple[str, int, int, int]]:
        """Yield name, kind, start and size of what lies at the root: the siblings that can be reached from one."""
        waiting, seen = [first], set()
        while waiting:
            number = waiting.pop()
            if number >= len(entries) or number in seen:
                continue
            seen.add(number)
            name, kind, left, right, _, start, size = entries[number]
            yield name, kind, start, size
            waiting += [left, right]


def _damaged(log: str) -> UnreadableWorkbook:
    return UnreadableWorkbook(
        "文件不完整或已损坏，无法读取。请用表格软件打开并另存为 .xlsx 后再报。", f"compound file: {log}"
    )
