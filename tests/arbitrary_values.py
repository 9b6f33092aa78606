"""Values of any dataclass, with hostile texts in every field that can hold one."""

import dataclasses
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any

from hypothesis import strategies as st

# What has been used against terminals, reviews and logs: cursor movements, forged lines, reversed
# and hidden text, ends of Markdown's and HTML's code, and any other character.
PIECES = (
    "\x1b[2J\x1b[1;1H", "\x1b]0;title\x07", "\x9b2K", "\r", "\n", "\r\n", "\x85", "\u2028", "\x08",
    "\n+ READ s3://data/* to role/ana, because policy/a.yaml#team", "\u202e", "\u2066", "\u200b",
    "\u200d", "\ufeff", "\ufe0f", "\u3164", "\u115f", "\u2800", "\U000e0041", "\U000e0101", "\ud800",
    "\ue000", "`", "```", "|", "\\|", "\\", "</code>", "<script>", "]]>", "<!--", "--", "@team",
    "=cmd|' /C calc'!A0", "%s", "{0}", " ", "", "Ana", "größe", "資料", "🙂", "a/b",
)  # fmt: skip
hostile_texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), min_size=1, max_size=4).map(
    "".join
)
times = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda time: time.replace(microsecond=0)
)
timestamps = times.map(lambda time: f"{time:%Y-%m-%dT%H:%M:%SZ}")
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: hostile_texts,
    Any: hostile_texts,
    bool: st.booleans(),
    int: st.integers(0, 10_000),
    float: st.floats(0, 10_000),
    NoneType: st.none(),
    datetime: times,
}


def build_values(kind: Any, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values of a type. `fields` are the strategies of fields by name, wherever they occur."""
    if kind in PLAIN:
        return PLAIN[kind]
    if dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
        return _build_records(typing.cast("type", kind), fields)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, UnionType):
        return st.one_of(*(build_values(one, **fields) for one in inner))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        keys, values = (build_values(one, **fields) for one in inner)
        return st.dictionaries(keys, values, max_size=2)
    return _build_collections(origin, inner, fields)


def _build_records(
    kind: type, fields: Mapping[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[Any]:
    """Values of a dataclass or of a named tuple."""
    hints = typing.get_type_hints(kind)
    names = getattr(kind, "_fields", None) or [
        one.name for one in dataclasses.fields(kind) if one.init
    ]
    given = {
        name: fields[name] if name in fields else build_values(hints[name], **fields)
        for name in names
    }
    return st.builds(kind, **given)


def _build_collections(
    origin: Any, inner: tuple[Any, ...], fields: Mapping[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[Any]:
    if origin is tuple and inner[-1] is not ...:
        return st.tuples(*(build_values(one, **fields) for one in inner))
    return st.lists(build_values(inner[0], **fields), max_size=2).map(origin)
