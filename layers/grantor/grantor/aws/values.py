"""DynamoDB's typed values and plain Python ones, both ways: text, numbers, truth, bytes, nothing, mappings."""

from collections.abc import Mapping
from typing import Any

Item = Mapping[str, Any]


def typed(item: Item) -> dict[str, Any]:
    """An item as DynamoDB takes it.

    >>> typed({"pk": "lease", "token": 3, "bells": {"profile D/a": None}})
    {'pk': {'S': 'lease'}, 'token': {'N': '3'}, 'bells': {'M': {'profile D/a': {'NULL': True}}}}
    """
    return {name: _typed(value) for name, value in item.items()}


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item as DynamoDB gives it, as plain values; a number without a point is an int.

    >>> plain({"token": {"N": "3"}, "at": {"N": "1764000000.25"}, "bells": {"M": {}}})
    {'token': 3, 'at': 1764000000.25, 'bells': {}}
    """
    return {name: _plain(value) for name, value in item.items()}


def _typed(value: Any) -> dict[str, Any]:
    match value:
        case str():
            return {"S": value}
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": repr(value)}
        case bytes():
            return {"B": value}
        case Mapping():
            return {"M": typed(value)}
    raise TypeError(f"no item holds a {type(value).__name__}")


def _plain(value: Mapping[str, Any]) -> Any:
    ((kind, inner),) = value.items()
    match kind:
        case "S" | "BOOL" | "B":
            return inner
        case "NULL":
            return None
        case "N":
            return float(inner) if any(sign in inner for sign in ".eE") else int(inner)
        case "M":
            return plain(inner)
    raise TypeError(f"nothing that was written here has the type {kind}")
