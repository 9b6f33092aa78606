"""What to create and what to delete so that the actual grants become the wanted ones.

    wanted  actual  ours    then
      yes    yes     -      nothing
      yes    no      -      create
      no     yes    yes     delete
      no     yes    no      nothing, but report it: somebody else made it

There is no call that changes a grant, so these two verbs are all. Creates come first: nobody whose right only moves
from one grant to another is without it for a moment, and nobody ever has more than old and new together.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from grantor.core.grant import Grant


@dataclass(frozen=True)
class Plan:
    """A set of changes as a value; it prints one line a change, in the order in which they are made."""

    create: tuple[Grant, ...] = ()
    delete: tuple[Grant, ...] = ()
    foreign: tuple[Grant, ...] = ()

    def __str__(self) -> str:
        return "\n".join(self.lines()) or "nothing to change"

    def lines(self) -> list[str]:
        """One sentence a change, as the log, the report and the golden tests have it."""
        return [f"+ {grant}" for grant in self.create] + [f"- {grant}" for grant in self.delete]


def unwanted(wanted: Mapping[Grant, object], actual: Iterable[Grant]) -> set[Grant]:
    """The grants that exist and that nobody wants; whose they are is still to be asked."""
    return set(actual) - wanted.keys()


def plan(wanted: Mapping[Grant, object], actual: Iterable[Grant], ours: Iterable[Grant]) -> Plan:
    """The plan of the table above. The same inputs in any order give the same plan."""
    exist, mine = set(actual), set(ours)
    spare = unwanted(wanted, exist)
    return Plan(
        create=tuple(sorted(wanted.keys() - exist)),
        delete=tuple(sorted(spare & mine)),
        foreign=tuple(sorted(spare - mine)),
    )
