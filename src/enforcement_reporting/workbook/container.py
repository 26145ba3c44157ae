"""Zip files laid out as spreadsheet software lays them out, read straight from their bytes.

Strict and small: whatever is not as usual is answered with None, and is for ``zipfile`` to read or to refuse: that one
takes a fifth of the time that reading a small workbook may take. And isal unpacks faster than zlib.
"""

from __future__ import annotations

import struct

from isal import isal_zlib

_END = struct.Struct("<4s4H2LH")
_LISTED = struct.Struct("<4s2xBxHH4xLLLHHHH6xL")
_LOCAL = struct.Struct("<4s22xHH")
# All but: how hard it was packed, sizes stated behind, names in UTF-8.
_HARMFUL_FLAGS = 0xFFFF & ~(0x0002 | 0x0004 | 0x0008 | 0x0800)
_STORED, _DEFLATED = _METHODS = 0, 8
_STATED_ELSEWHERE = 0xFFFFFFFF
_NEWEST_VERSION = 63  # of the zip format


Packed = tuple[int, int, int, bytes]  # a part as it lies in the zip: method, checksum, size, packed data


class Container:
    """The parts of a zip by their names. ``open`` answers None where anything about its directory is unusual."""

    def __init__(self, content: bytes, entries: dict[str, tuple[int, int, int, int, int]], end: int) -> None:
        self._content = content
        self._entries = entries  # method, checksum, packed size, size, where it starts
        starts = sorted([entry[-1] for entry in entries.values()])
        self._ends_before = dict(zip(starts, [*starts[1:], end], strict=True))
        self.names = list(entries)

    @classmethod
    def open(cls, content: bytes, most_parts: int) -> Container | None:
        """Return the zip, or None where it is for others to read, as one of more than so many parts is."""
        end = len(content) - _END.size
        if end < 0:
            return None
        signature, disk, first_disk, here, count, size, start, comment = _END.unpack_from(content, end)
        if (signature, disk, first_disk, here, comment) != (b"PK\5\6", 0, 0, count, 0) or start + size != end:
            return None
        if count > most_parts:
            return None
        entries: dict[str, tuple[int, int, int, int, int]] = {}
        unpack, place = _LISTED.unpack_from, start
        for _ in range(count):
            name_at = place + _LISTED.size
            if name_at > end:
                return None
            signature, version, flags, method, checksum, packed_size, size, name_size, extra, remark, disk, offset = (
                unpack(content, place)
            )
            name = content[name_at : name_at + name_size]
            place = name_at + name_size + extra + remark
            if (
                signature != b"PK\1\2"
                or version > _NEWEST_VERSION
                or flags & _HARMFUL_FLAGS
                or method not in _METHODS
                or disk
                or _STATED_ELSEWHERE in (packed_size, size, offset)
                or offset > start
                or not name.isascii()
            ):
                return None
            entries[name.decode()] = (method, checksum, packed_size, size, offset)
        if "\0" in "".join(entries):
            return None
        container = cls(content, entries, start)
        alone = len(entries) == len(container._ends_before) == count
        return container if place == end and alone else None

    def packed(self, name: str) -> Packed | None:
        """Return a part as it lies in the zip; None where it does not lie there as the directory says."""
        method, checksum, packed_size, size, start = self._entries[name]
        ends_before, name_start = self._ends_before[start], start + _LOCAL.size
        if name_start > ends_before:
            return None
        signature, name_size, extra = _LOCAL.unpack_from(self._content, start)
        begin = name_start + name_size + extra
        if signature != b"PK\3\4" or self._content[name_start : name_start + name_size] != name.encode("ascii"):
            return None
        if begin + packed_size > ends_before:
            return None
        return method, checksum, size, self._content[begin : begin + packed_size]

    def read(self, name: str, room: int) -> bytes | None:
        """Return a part, never more than one byte beyond ``room``; None where it is not what the directory says."""
        packed = self.packed(name)
        if packed is None:
            return None
        method, checksum, size, stored = packed
        data = stored[: room + 1] if method == _STORED else _inflated(stored, min(size, room))
        if data is None or room < len(data):
            return data
        return data if len(data) == size and isal_zlib.crc32(data) == checksum else None


def _inflated(packed: bytes, room: int) -> bytes | None:
    """Return what was packed, never more than one byte beyond ``room``, or None where it is damaged."""
    stream = isal_zlib.decompressobj(-15)
    try:
        data = stream.decompress(packed, room + 1)
    except isal_zlib.error:  # type: ignore[misc]  # a class, which its stubs do not say
        return None
    return data if stream.eof or len(data) > room else None
