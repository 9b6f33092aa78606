"""A probe: a question that AWS's documentation leaves open, the calls that answer it, and what the
answer means.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sandbox.switches import KINDS, NAMES
from tests.live.workspace import Workspace

Value = bool | int | str


class StillOpen(RuntimeError):
    """The calls do not answer the question; the text says what was observed."""


class NotApplicable(StillOpen):
    """The probe cannot run in this account, or would put something at risk."""


@dataclass(frozen=True)
class Finding:
    """The answer, as the value of a switch, and what was observed."""

    value: Value
    observed: str


@dataclass(frozen=True)
class Probe:
    """A question.

    Its name is that of a sandbox switch or its own; `assumed` is the value that the sandbox has
    today.
    """

    name: str
    question: str
    assumed: Value
    ask: Callable[[Workspace], Finding]
    bare: bool  # runs before there is a location
    costs: str  # apart from calls, which cost next to nothing

    @property
    def is_switch(self) -> bool:
        return self.name in NAMES

    def format_finding(self, found: Finding) -> str:
        """Format the answer in one line."""
        verb = "settles" if self.is_switch else "answers"
        line = f"{verb} {self.name} = {json.dumps(found.value)}  (observed: {found.observed})"
        if found.value == self.assumed:
            return line
        return f"{line}  ASSUMED: {json.dumps(self.assumed)}"


PROBES: dict[str, Probe] = {}
SWITCHES = {name: value for kind in KINDS for name, value in vars(kind()).items()}


def probe(
    *, assumed: Value | None = None, bare: bool = False, costs: str = ""
) -> Callable[[Callable[[Workspace], Finding]], Callable[[Workspace], Finding]]:
    """Register a probe by its function's name; the docstring is the question.

    A switch has its own assumed value.
    """

    def register(ask: Callable[[Workspace], Finding]) -> Callable[[Workspace], Finding]:
        name = ask.__name__
        stands = SWITCHES[name] if assumed is None else assumed
        PROBES[name] = Probe(name, " ".join(str(ask.__doc__).split()), stands, ask, bare, costs)
        return ask

    return register


def match_answer(seen: str, known: Mapping[str, Value], of: str) -> Finding:
    """Translate what was observed into an answer.

    Raises StillOpen if it is not one of the known ones.
    """
    if seen not in known:
        raise StillOpen(f"{of}: {seen}, which is neither {' nor '.join(known)}")
    return Finding(known[seen], f"{of}: {seen}")


def sort_probes(probes: Iterable[Probe]) -> list[Probe]:
    """Sort the probes that run before there is a location to the front."""
    return sorted(probes, key=lambda each: not each.bare)
