"""Every switch of the sandbox, of whichever service, by its name."""

from collections.abc import Iterable
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from sandbox.access_grants.switches import Switches, switched
from sandbox.processing.switches import JobSwitches

KINDS = (Switches, JobSwitches)
NAMES = {field.name: kind for kind in KINDS for field in fields(kind)}


def all_switched(words: Iterable[str], others: tuple[Any, ...] | None = None) -> tuple[Any, ...]:
    """One of each of KINDS, with every `name=value` of `words` set over the others; ValueError for what is none.

    >>> all_switched(["grants_quota=5", "jobs_at_once=1"])[1].jobs_at_once
    1
    """
    listed = list(words)
    for name in (word.partition("=")[0] for word in listed):
        if name not in NAMES:
            near = get_close_matches(name, NAMES, 1, 0)
            raise ValueError(f"no switch is named {name!r}; did you mean {near[0]}? All stand in docs/sandbox.md")
    of_a_kind = {kind: [word for word in listed if NAMES[word.partition("=")[0]] is kind] for kind in KINDS}
    return tuple(switched(of_a_kind[type(each)], each) for each in others or tuple(kind() for kind in KINDS))
