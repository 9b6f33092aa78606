"""What the rules want, as a value: the grants with their reasons, and what could not be wanted, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from grantor.core.facts import Held
from grantor.core.grant import Grant
from grantor.core.problem import Problem
from grantor.core.reason import Reason, in_order


@dataclass(frozen=True, repr=False)
class Wanted:
    """Grants in the order of Grant.order; the rest sorted. What is held stays as it is, whatever `grants` says or does not say.

    `refused` is for the owners of the rules to mend, and each of it is held; `warnings` change nothing.
    """

    grants: Mapping[Grant, frozenset[Reason]] = field(default_factory=dict)
    held: tuple[Held, ...] = ()
    refused: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def __repr__(self) -> str:
        """The same text for the same value in every process, which sets and mappings do not promise."""
        grants = [(grant, in_order(reasons)) for grant, reasons in self.grants.items()]
        return f"Wanted(grants={grants}, held={self.held}, refused={self.refused}, warnings={self.warnings})"
