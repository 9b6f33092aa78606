"""The five tags by which a grant says that we made it and why, so that a lost ledger can be rebuilt from the grants themselves."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

OWNER, RULES, RUN, UNTIL, POLICY = (f"grantor:{word}" for word in ("stack", "rules", "run", "until", "policy"))
LONGEST = 256  # characters of a value (botocore model of S3 Control)
RULE = re.compile(r"(policy/.+?\.ya?ml):([A-Za-z0-9][A-Za-z0-9._-]*)(?= |$)")


@dataclass(frozen=True)
class Told:
    """What the tags of a grant tell: the rules that it was made for, each as file and name; the rest as in tags_of."""

    rules: tuple[tuple[str, str], ...]
    run: str
    until: datetime | None
    policy: str


def tags_of(*, rules: Iterable[str], run: str, until: str = "", policy: str = "") -> dict[str, str]:
    """What a grant is tagged with besides its owner; what is empty is left out.

    `until` is ISO 8601, `policy` the version of the policy file. Rules that find no room are counted.

    >>> tags_of(rules=["policy/a.yaml#own", "policy/a.yaml#team"], run="r-1")
    {'grantor:rules': 'policy/a.yaml:own policy/a.yaml:team', 'grantor:run': 'r-1'}
    """
    named = {RULES: _several(sorted(rules)), RUN: fitting(run), UNTIL: fitting(until), POLICY: fitting(policy)}
    return {key: value for key, value in named.items() if value}


def told(tags: Mapping[str, str]) -> Told:
    """What was written into the tags, as far as it found room there. A file's name comes back as `fitting` makes it.

    >>> told({"grantor:rules": "policy/a.yaml:own policy/my team.yaml:x +3"}).rules
    (('policy/a.yaml', 'own'), ('policy/my team.yaml', 'x'))
    """
    rules = tuple((file, name) for file, name in RULE.findall(tags.get(RULES, "")))
    return Told(rules, tags.get(RUN, ""), _time(tags.get(UNTIL, "")), tags.get(POLICY, ""))


def fitting(value: str) -> str:
    """The value as a tag takes it: at most 256 characters, and only letters, digits, separators and `_.:/=+-@`.

    >>> fitting("policy/größe.yaml#a,b")
    'policy/größe.yaml:a_b'
    """
    return "".join(map(_allowed, value.replace("#", ":")))[:LONGEST]


def as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as S3 Control takes them, each made fitting."""
    return [{"Key": key, "Value": fitting(value)} for key, value in tags.items()]


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None


def _several(values: list[str]) -> str:
    """As many of the values as find room, whole, and how many more there are; a single one that is too long is cut."""
    for kept in range(min(len(values), LONGEST // 2), 0, -1):
        more = [f"+{len(values) - kept}"] if kept < len(values) else []
        text = " ".join([*values[:kept], *more])
        if len(text) <= LONGEST:
            return fitting(text)
    return fitting(" ".join(values))


def _allowed(character: str) -> str:
    return character if character in "_.:/=+-@" or unicodedata.category(character)[0] in "LNZ" else "_"
