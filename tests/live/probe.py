"""What a probe is: a question that AWS's documents leave open, the calls that answer it, and what the answer means."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sandbox.switches import KINDS, NAMES
from tests.live.ground import Ground

Value = bool | int | str


class Open(RuntimeError):
    """The calls do not answer the question; the text says what was seen."""


class NotHere(Open):
    """This account has nothing to ask with, or something that must not be put at risk for it."""


@dataclass(frozen=True)
class Finding:
    """The answer, as the value of a switch, and what was observed."""

    value: Value
    observed: str


@dataclass(frozen=True)
class Probe:
    """A question with a name: that of a switch of the sandbox, or one of its own; `assumed` is what stands there today."""

    name: str
    question: str
    assumed: Value
    ask: Callable[[Ground], Finding]
    bare: bool  # asked before there is a location
    costs: str  # beyond calls that cost next to nothing

    @property
    def switch(self) -> bool:
        return self.name in NAMES

    def told(self, found: Finding) -> str:
        """The answer in one line."""
        said = f"{'settles' if self.switch else 'answers'} {self.name} = {json.dumps(found.value)}  (observed: {found.observed})"
        return said if found.value == self.assumed else f"{said}  ASSUMED: {json.dumps(self.assumed)}"


PROBES: dict[str, Probe] = {}
SWITCHES = {name: value for kind in KINDS for name, value in vars(kind()).items()}


def probe(
    *, assumed: Value | None = None, bare: bool = False, costs: str = ""
) -> Callable[[Callable[[Ground], Finding]], Callable[[Ground], Finding]]:
    """Register a probe by the name of its function, whose docstring is the question; what a switch assumes it says itself."""

    def register(ask: Callable[[Ground], Finding]) -> Callable[[Ground], Finding]:
        name = ask.__name__
        stands = SWITCHES[name] if assumed is None else assumed
        PROBES[name] = Probe(name, str(ask.__doc__).strip(), stands, ask, bare, costs)
        return ask

    return register


def either(seen: str, known: Mapping[str, Value], of: str) -> Finding:
    """The answer that what was seen stands for; Open if it is none of those that are known."""
    if seen not in known:
        raise Open(f"{of}: {seen}, which is neither {' nor '.join(known)}")
    return Finding(known[seen], f"{of}: {seen}")


def in_order(probes: Iterable[Probe]) -> list[Probe]:
    """Those first that are asked before there is a location."""
    return sorted(probes, key=lambda each: not each.bare)
