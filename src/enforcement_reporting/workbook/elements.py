"""XML read element by element, in memory that does not grow with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from xml.parsers import expat

from enforcement_reporting.workbook.package import UnreadableWorkbook

MOST_ELEMENTS = 4_000_000
DEEPEST = 500

Attributes = Mapping[str, str]


def walk(
    xml: bytes,
    prefixes: Mapping[str, str],
    begin: Callable[[str, Attributes], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
) -> None:
    """Call back for each element and text of a document free of entities; names have the prefixes of their namespaces.

    Elements of other namespaces are passed with their bare names behind a colon. Raises UnreadableWorkbook.
    """
    names: dict[str, str] = {}
    count = depth = 0

    def name_of(raw: str) -> str:
        if raw not in names:
            namespace, _, local = raw.rpartition(" ")
            names[raw] = f"{prefixes.get(namespace, '')}:{local}"
        return names[raw]

    def begun(raw: str, attributes: dict[str, str]) -> None:
        nonlocal count, depth
        count, depth = count + 1, depth + 1
        if count > MOST_ELEMENTS or depth > DEEPEST:
            raise _abnormal(f"more than {MOST_ELEMENTS} elements, or {DEEPEST} inside one another")
        begin(name_of(raw), {name_of(key): value for key, value in attributes.items()} if attributes else attributes)

    def ended(raw: str) -> None:
        nonlocal depth
        depth -= 1
        end(name_of(raw))

    def entity(*_: object) -> None:
        raise _abnormal("declares XML entities")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begun, ended, text
    parser.EntityDeclHandler = entity
    try:
        parser.Parse(xml, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise UnreadableWorkbook(
            "文件不完整或已损坏，无法读取。请用办公软件打开并另存后再报。", f"damaged XML: {error}"
        ) from None


def _abnormal(log: str) -> UnreadableWorkbook:
    return UnreadableWorkbook("文件的内部结构异常，拒绝读取。请用办公软件打开并另存后再报。", log)
