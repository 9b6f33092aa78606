"""DynamoDB's condition and filter expressions, as far as Grantor writes them.

Comparisons and functions joined by AND or OR, without parentheses. Anything else raises
UnknownExpression, so a new expression of the product is noticed and not guessed.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from typing import Any

Values = Mapping[str, Any]
Test = Callable[[Values, Values, Values], bool]  # item, names, values
COMPARISON = re.compile(r"([#\w]+) *(=|<>|<=|>=|<|>) *(:\w+)")
CALL = re.compile(r"(attribute_exists|attribute_not_exists)\(([^,)]+)\)")
BEGINS = re.compile(r"begins_with\(([^,)]+), *([^)]+)\)")
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda one, other: bool(one == other),
    "<>": lambda one, other: bool(one != other),
    "<": lambda one, other: one is not None and _key(one) < _key(other),
    ">": lambda one, other: one is not None and _key(one) > _key(other),
    "<=": lambda one, other: one is not None and _key(one) <= _key(other),
    ">=": lambda one, other: one is not None and _key(one) >= _key(other),
}


class UnknownExpression(NotImplementedError):
    """The double does not know this expression."""


def holds(expression: str, item: Values, names: Values, values: Values) -> bool:
    """Whether the condition holds for an item; a missing item is an empty one.

    >>> holds("attribute_not_exists(rev) OR rev = :seen", {}, {}, {})
    True
    >>> holds("#n = :n AND b = :b", {"a": {"S": "x"}}, {"#n": "a"}, {":n": {"S": "x"}, ":b": 1})
    False
    """
    return _compile(expression)(item, names, values)


@lru_cache(256)
def _compile(expression: str) -> Test:
    if "(" in re.sub(r"\w+\([^()]*\)", "", expression):
        raise UnknownExpression(expression)
    for word, join in ((" OR ", any), (" AND ", all)):
        if word in expression:
            parts = [_compile(part.strip()) for part in expression.split(word)]
            return partial(_join, join, parts)
    return _compile_one(expression)


def _join(join: Callable[[Iterable[bool]], bool], parts: list[Test], *given: Values) -> bool:
    return join(part(*given) for part in parts)


def _compile_one(expression: str) -> Test:
    if found := CALL.fullmatch(expression):
        path, wanted = found[2].strip(), found[1] == "attribute_exists"
        return lambda item, names, _: (names.get(path, path) in item) is wanted
    if found := BEGINS.fullmatch(expression):
        path, start = found[1].strip(), found[2].strip()
        return lambda item, names, values: str(
            item.get(names.get(path, path), {}).get("S", "")
        ).startswith(values[start]["S"])
    if found := COMPARISON.fullmatch(expression):
        path, compare, other = found[1], COMPARE[found[2]], found[3]
        return lambda item, names, values: compare(item.get(names.get(path, path)), values[other])
    raise UnknownExpression(expression)


def _key(value: Mapping[str, Any]) -> Any:
    ((kind, inner),) = value.items()
    return float(inner) if kind == "N" else inner
