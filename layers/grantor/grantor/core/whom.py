"""Whom a rule is for, and as whom a job runs, as a policy file says it."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Principal:
    """An IAM role or user by its ARN, which may hold {prefix.name}."""

    arn: str


@dataclass(frozen=True, order=True)
class Profiles:
    """Studio profiles of a domain: all of them, or those whose name fits one of `names` (names or globs) and that carry all `tags`.

    `each` is true when every one of them has variables of its own. A tag's value may hold {prefix.name}.
    """

    domain: str
    names: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    each: bool = False


@dataclass(frozen=True, order=True)
class Directory:
    """A user or group of IAM Identity Center: `kind` as Access Grants names it, and a name or an id, which may hold {prefix.name}."""

    kind: str  # DIRECTORY_USER or DIRECTORY_GROUP
    who: str
