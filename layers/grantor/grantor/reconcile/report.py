"""What a run did, did not do, and why: the same sentences in the log, the events, the command line and the history."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from grantor.core.grant import ends
from grantor.core.planning.plan import Plan
from grantor.reconcile.policies import Intake
from grantor.reconcile.read import Gathered

MOST = 100  # sentences of a kind that a summary holds


@dataclass
class Report:
    """Every text is a sentence for a person."""

    run: str = ""
    at: str = ""  # ISO 8601, UTC
    focus: str = "what no rule follows"
    hash: str = ""
    done: list[str] = field(default_factory=list)
    rejected: list[str] = field(
        default_factory=list
    )  # policy files that are wrong, or ask for what the service would do otherwise
    refused: list[str] = field(default_factory=list)  # AWS says never
    approval: list[str] = field(default_factory=list)  # why the plan needs one, and the command that gives it
    later: list[str] = field(default_factory=list)  # another run tries again
    waits: list[str] = field(default_factory=list)  # left as it is until it can be judged again
    warnings: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)  # policy files whose version was accepted
    event_to_grant: dict[str, float] = field(default_factory=dict)  # milliseconds, by what the event was about
    swept: bool = False  # it has seen everything, and nothing of it waits for an approval
    cut_short: bool = False  # its time was over before its plan was
    next_end: datetime | None = None  # when the next grant ends of those that the run has looked at

    @classmethod
    def of_run(cls, now: datetime) -> "Report":
        """The report of a run that begins now, under an id of its own; ids sort as their runs begin, also within a second."""
        return cls(run=f"{now:%Y%m%dT%H%M%SZ}-{now.microsecond:05x}{uuid.uuid4().hex[0]}", at=now.isoformat(timespec="seconds"))

    def about(self, policies: Intake, gathered: Gathered, plan: Plan) -> None:
        """What is to be told of a run before it has done anything."""
        self.focus, self.hash = str(gathered.authority.focus), plan.hash
        self.next_end = min((end for reasons in gathered.wanted.grants.values() if (end := ends(reasons))), default=None)
        self.rejected += map(str, (*policies.problems, *gathered.wanted.refused))
        self.later += [f"{what} could not be read: {why}" for what, why in {**policies.unread, **gathered.facts.unread}.items()]
        self.warnings += map(str, gathered.wanted.warnings)
        self.waits += map(str, plan.waits)
        self.foreign += [f"{grant} is foreign: somebody else made it, and it stays" for grant in plan.foreign]
        self.foreign += [f"{grant} is foreign, and serves a rule as it is" for grant in plan.served]

    @property
    def began(self) -> datetime:
        """When the run began."""
        return datetime.fromisoformat(self.at)

    @property
    def created(self) -> int:
        return sum(sentence.startswith("+") for sentence in self.done)

    @property
    def deleted(self) -> int:
        return sum(sentence.startswith("-") for sentence in self.done)

    @property
    def finished(self) -> bool:
        """Whether nothing is left that another run would do."""
        return not (self.later or self.cut_short)

    @property
    def person(self) -> list[str]:
        """What a person must act on."""
        return self.approval + self.rejected + self.refused

    @property
    def needs_a_person(self) -> bool:
        return bool(self.person)

    @property
    def headline(self) -> str:
        """The most pressing of it in a few words."""
        if self.approval:
            return "a plan waits for approval"
        return "a policy file is wrong" if self.rejected else "AWS refuses a change"

    @property
    def quiet(self) -> bool:
        """Whether nothing came of the run."""
        return not (self.done or self.adopted or self.later)

    def summary(self) -> dict[str, Any]:
        """As plain values; of long lists the first, and how many more there are."""
        lists = {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if f.type == "list[str]" or isinstance(getattr(self, f.name), list)
        }
        told: dict[str, Any] = {"run": self.run, "at": self.at, "focus": self.focus, "hash": self.hash}
        told |= {"created": self.created, "deleted": self.deleted}
        told |= {name: _cut(sentences) for name, sentences in lists.items() if sentences}
        times = {about: round(value, 1) for about, value in self.event_to_grant.items()}
        return told | ({"event_to_grant_ms": times} if times else {})


def _cut(sentences: Sequence[str]) -> list[str]:
    more = len(sentences) - MOST
    return [*sentences[:MOST], f"… and {more} more"] if more > 0 else list(sentences)
