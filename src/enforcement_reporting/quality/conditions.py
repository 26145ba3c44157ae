"""The SQL of the compiled rules, worked out in Python exactly as PostgreSQL does: for checking without a warehouse.

Rules are compiled to SQL once, in ``rules``, and here read as that compiler writes them: columns, literals, arithmetic,
comparisons, AND, OR and NOT of three values, CASE, and the few functions it uses. Anything else is refused. Numbers are
``Decimal`` whose exponent is PostgreSQL's scale; a quotient has as many decimals there as here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, localcontext
from functools import lru_cache
from typing import Any

Value = Decimal | str | bool | frozenset[str] | None
Row = Mapping[str, Value]
Worked = Callable[[Row], Any]

_TOKENS = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|\"(?P<column>[^\"]+)\"|(?P<number>[0-9]+(?:\.[0-9]+)?)|(?P<word>[a-z_]+)"
    r"|(?P<sign>\|\||::|&&|<=|>=|<>|[-+*/=<>(),\[\]]))"
)
_EXACT = Context(prec=1000)
_ZERO = Decimal(0)

# How tightly PostgreSQL's operators bind, from OR to the cast.
_OR, _AND, _NOT, _IS, _COMPARED, _AMONG, _OTHER, _ADDED, _MULTIPLIED, _SIGNED, _CAST = range(1, 12)
_BINDING = {
    "or": _OR,
    "and": _AND,
    "is": _IS,
    "in": _AMONG,
    "like": _AMONG,
    "||": _OTHER,
    "&&": _OTHER,
    **dict.fromkeys(("=", "<>", "<", ">", "<=", ">="), _COMPARED),
    "+": _ADDED,
    "-": _ADDED,
    "*": _MULTIPLIED,
    "/": _MULTIPLIED,
    "::": _CAST,
}

# PostgreSQL keeps numbers in groups of four decimal digits, and gives a quotient at least sixteen that count.
_DIGITS_IN_GROUP, _LEAST_DIGITS, _LARGEST_SCALE = 4, 16, 1000


@lru_cache(maxsize=8192)
def worked_out(expression: str) -> Worked:
    """Return the function of a wide row that an SQL expression of a compiled rule is.

    Raises ValueError where the expression is none that rules are compiled to.
    """
    parser = _Parser(expression)
    result = parser.expression(0)
    parser.expect("")
    return result


class _Parser:
    """Reads one expression, operator by operator."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.tokens: list[tuple[str, str]] = []
        place, end = 0, len(sql.rstrip())
        while place < end:
            match = _TOKENS.match(sql, place)
            if match is None:
                raise ValueError(f"not understood at {sql[place : place + 20]!r}: {sql}")
            assert match.lastgroup is not None
            self.tokens.append((match.lastgroup, match[match.lastgroup]))
            place = match.end()
        self.place = 0

    @property
    def next_word(self) -> str:
        """Return the keyword or sign that comes next, or nothing where something else does."""
        kind, text = self.tokens[self.place] if self.place < len(self.tokens) else ("sign", "")
        return text if kind in ("word", "sign") else "?"

    def accept(self, word: str) -> bool:
        found = self.next_word == word
        self.place += found
        return found

    def expect(self, word: str) -> None:
        if not self.accept(word):
            raise ValueError(f"expected {word or 'the end'}, found {self.next_word!r}: {self.sql}")

    def expression(self, least: int) -> Worked:
        left = self.operand()
        while (binding := _BINDING.get(self.next_word, 0)) > least:
            sign = self.next_word
            self.place += 1
            left = self.continued(left, sign, binding)
        return left

    def continued(self, left: Worked, sign: str, binding: int) -> Worked:
        match sign:
            case "::":
                self.expect("text")
                return lambda row: _text(left(row))
            case "is":
                denied = self.accept("not")
                self.expect("null")
                return lambda row: (left(row) is None) != denied
            case "in":
                self.expect("(")
                among = self.list_until(")")
                return lambda row: None if (value := left(row)) is None else value in [item(row) for item in among]
        right = self.expression(binding)
        match sign:
            case "or":
                return lambda row: True if (one := left(row)) is True else _either(one, right(row))
            case "and":
                return lambda row: False if (one := left(row)) is False else _both(one, right(row))
        operation = _OPERATIONS[sign]

        def of_both(row: Row) -> Any:
            one, other = left(row), right(row)
            return None if one is None or other is None else operation(one, other)

        return of_both

    def operand(self) -> Worked:
        if self.place >= len(self.tokens):
            raise ValueError(f"expected more: {self.sql}")
        kind, text = self.tokens[self.place]
        self.place += 1
        match kind:
            case "text":
                said = text[1:-1].replace("''", "'")
                return lambda _: said
            case "number":
                number = Decimal(text)
                return lambda _: number
            case "column":
                return lambda row: _number(row[text])
        match text:
            case "(":
                inner = self.expression(0)
                self.expect(")")
                return inner
            case "not":
                denied = self.expression(_NOT)
                return lambda row: None if (value := denied(row)) is None else not value
            case "-":
                signed = self.expression(_SIGNED)
                return lambda row: None if (value := signed(row)) is None else _EXACT.minus(value)
            case "true" | "false" | "null":
                constant = {"true": True, "false": False, "null": None}[text]
                return lambda _: constant
            case "case":
                return self.case()
            case "array":
                self.expect("[")
                names = frozenset(item({}) for item in self.list_until("]"))  # of literals, whatever the row
                return lambda _: names
        if kind == "word" and self.accept("("):
            return self.call(text)
        if kind == "word":
            return lambda row: _number(row[text])
        raise ValueError(f"not understood at {text!r}: {self.sql}")

    def list_until(self, end: str) -> list[Worked]:
        items = [self.expression(0)]
        while self.accept(","):
            items.append(self.expression(0))
        self.expect(end)
        return items

    def case(self) -> Worked:
        branches = []
        otherwise: Worked = _nothing
        while self.accept("when"):
            condition = self.expression(0)
            self.expect("then")
            branches.append((condition, self.expression(0)))
        if self.accept("else"):
            otherwise = self.expression(0)
        self.expect("end")

        def chosen(row: Row) -> Any:
            for condition, result in branches:
                if condition(row) is True:
                    return result(row)
            return otherwise(row)

        return chosen

    def call(self, name: str) -> Worked:
        arguments = self.list_until(")")
        if name == "coalesce":
            return lambda row: _first(arguments, row)
        if name == "greatest":
            return lambda row: max((value for item in arguments if (value := item(row)) is not None), default=None)
        if name == "nullif":
            one, other = arguments
            return lambda row: None if (value := one(row)) == other(row) else value
        function = _FUNCTIONS.get(name)
        if function is None:
            raise ValueError(f"function {name} is not known here: {self.sql}")

        def called(row: Row) -> Any:
            values = [item(row) for item in arguments]
            return None if None in values else function(*values)

        return called


def _first(among: list[Worked], row: Row) -> Any:
    """Return the first value that is not null."""
    for item in among:
        if (value := item(row)) is not None:
            return value
    return None


def _nothing(row: Row) -> None:
    """Be the value of a CASE of which no branch holds."""


def _either(one: Any, other: Any) -> Any:
    return True if one is True or other is True else None if one is None or other is None else False


def _both(one: Any, other: Any) -> Any:
    return False if one is False or other is False else None if one is None or other is None else True


def _number(value: Any) -> Any:
    """Return a number with a scale that is not below zero, as PostgreSQL stores it; anything else as it is."""
    return _EXACT.add(value, _ZERO) if isinstance(value, Decimal) else value  # a sum has the larger scale of the two


def _scale(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return -exponent


def divided(one: Decimal, other: Decimal) -> Decimal:
    """Return a quotient with PostgreSQL's number of decimals, rounded half away from zero."""
    scale_of_one, scale_of_other = _scale(one), _scale(other)
    weight, leading = _first_group(one)
    weight_of_other, leading_of_other = _first_group(other)
    weight -= weight_of_other + (leading <= leading_of_other)
    scale = max(_LEAST_DIGITS - weight * _DIGITS_IN_GROUP, scale_of_one, scale_of_other, 0)
    scale = min(scale, _LARGEST_SCALE)
    top = abs(int(one.scaleb(scale_of_one, _EXACT))) * 10 ** (scale + scale_of_other - scale_of_one)
    bottom = abs(int(other.scaleb(scale_of_other, _EXACT)))
    whole, rest = divmod(top, bottom)
    whole += 2 * rest >= bottom
    quotient = Decimal(whole).scaleb(-scale, _EXACT)
    return quotient.copy_negate() if whole and (one < 0) != (other < 0) else quotient


def _first_group(number: Decimal) -> tuple[int, int]:
    """Return the weight of the first group of digits that PostgreSQL keeps of a number, and what is in it."""
    weight = number.adjusted() // _DIGITS_IN_GROUP if number else 0
    return weight, int(abs(number).scaleb(-weight * _DIGITS_IN_GROUP, _EXACT))


def _cut(number: Decimal, decimals: Decimal, rounding: str) -> Decimal:
    with localcontext(_EXACT):
        kept = number.quantize(Decimal(1).scaleb(-int(decimals)), rounding)
    return _number(kept or kept.copy_abs())  # type: ignore[no-any-return]


def _trimmed(number: Decimal) -> Decimal:
    if number == number.to_integral_value():
        return number.quantize(Decimal(1), context=_EXACT)
    return number.normalize(_EXACT)


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value or value.copy_abs():f}" if isinstance(value, Decimal) else value


def _like(text: str, pattern: str) -> bool:
    """Return whether a text is like a pattern, in which a backslash takes the meaning from what follows it."""
    wanted = "".join(
        re.escape(part.removeprefix("\\")) if part not in ("%", "_") else {"%": ".*", "_": "."}[part]
        for part in re.findall(r"\\.|.", pattern, re.DOTALL)
    )
    return re.fullmatch(wanted, text, re.DOTALL) is not None


_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": lambda one, other: one == other,
    "<>": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    ">": lambda one, other: one > other,
    "<=": lambda one, other: one <= other,
    ">=": lambda one, other: one >= other,
    "+": _EXACT.add,
    "-": _EXACT.subtract,
    "*": _EXACT.multiply,
    "/": divided,
    "||": lambda one, other: one + other,
    "&&": lambda one, other: not one.isdisjoint(other),
    "like": _like,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "round": lambda number, decimals: _cut(number, decimals, ROUND_HALF_UP),
    "trunc": lambda number, decimals: _cut(number, decimals, ROUND_DOWN),
    "trim_scale": _trimmed,
}
