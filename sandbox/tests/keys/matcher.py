"""What IAM decides about a literal key, written anew: it shares nothing with the sandbox."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Wild(Enum):
    """What stands for other letters in a pattern."""

    ANY = "*"
    ONE = "?"


Pattern = tuple[str | Wild, ...]  # literal texts and wildcards
SPECIAL = str.maketrans({letter: f"${{{letter}}}" for letter in "*?$"})


@dataclass(frozen=True)
class Statement:
    """One statement of a policy. `prefixes` are patterns that s3:prefix must match."""

    allows: bool
    actions: tuple[str, ...]
    resources: tuple[Pattern, ...]
    prefixes: tuple[Pattern, ...] = ()

    def covers(self, need: "Need") -> bool:
        return (
            any(matches(_read_pattern(action), need.action) for action in self.actions)
            and any(matches(pattern, need.resource) for pattern in self.resources)
            and (not self.prefixes or any(matches(it, need.prefix) for it in self.prefixes))
        )

    def write(self, **more: Any) -> dict[str, Any]:
        """Return the statement as policies have it: special letters of a text are escaped."""
        statement: dict[str, Any] = {
            "Effect": "Allow" if self.allows else "Deny",
            "Action": list(self.actions),
            "Resource": [f"arn:aws:s3:::{write_pattern(pattern)}" for pattern in self.resources],
        }
        if self.prefixes:
            patterns = [write_pattern(pattern) for pattern in self.prefixes]
            statement["Condition"] = {"StringLike": {"s3:prefix": patterns}}
        return statement | more


@dataclass(frozen=True)
class Need:
    """What a call needs: an action on a resource (without arn:aws:s3:::), perhaps with a prefix."""

    action: str
    resource: str
    prefix: str | None = None


def is_allowed(
    needs: Iterable[Need], layers: Sequence[Sequence[Statement]], denies: Sequence[Statement]
) -> bool:
    """Whether each layer allows every need, and no statement of a layer or of `denies` denies it."""
    return all(_allows(need, layers, denies) for need in needs)


def _allows(need: Need, layers: Sequence[Sequence[Statement]], denies: Sequence[Statement]) -> bool:
    everything = [*denies, *(statement for layer in layers for statement in layer)]
    if any(not statement.allows and statement.covers(need) for statement in everything):
        return False
    return all(any(it.allows and it.covers(need) for it in layer) for layer in layers)


def matches(pattern: Pattern, text: str | None) -> bool:
    """Whether a text is of a pattern, letter by letter. No text matches nothing."""
    if text is None:
        return False
    ends = {0}
    for part in pattern:
        if part is Wild.ANY:
            ends = set(range(min(ends, default=len(text) + 1), len(text) + 1))
        elif part is Wild.ONE:
            ends = {end + 1 for end in ends if end < len(text)}
        else:
            ends = {end + len(part) for end in ends if text.startswith(part, end)}
    return len(text) in ends


def write_pattern(pattern: Pattern) -> str:
    return "".join(
        part.value if isinstance(part, Wild) else part.translate(SPECIAL) for part in pattern
    )


def _read_pattern(action: str) -> Pattern:
    """Return an action's pattern, such as s3:Get*."""
    first, *others = action.split("*")
    return (first, *(part for other in others for part in (Wild.ANY, other)))


def is_possible(key: str) -> bool:
    """Whether S3 has objects of this key.

    S3 User Guide, "Naming Amazon S3 objects": 1,024 bytes, and from left to right never more `..`
    than elements that lead inwards.
    """
    steps = [-1 if part == ".." else 1 for part in key.split("/") if part not in ("", ".")]
    inside = all(sum(steps[: count + 1]) >= 0 for count in range(len(steps)))
    return inside and len(key.encode()) <= 1024


def is_xml_text(key: str) -> bool:
    """Whether XML 1.0 has a form for each letter: https://www.w3.org/TR/xml/#charsets."""
    return all(
        code in (0x9, 0xA, 0xD)
        or 0x20 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or code >= 0x10000
        for code in map(ord, key)
    )
