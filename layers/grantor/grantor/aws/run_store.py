"""What the runs remember besides the grants: accepted policy files, refused plans and their approvals, the last sweep, past runs."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from grantor.aws.dynamodb import Item, Table, deleting, putting
from grantor.aws.lease import Lease
from grantor.aws.notifications import lines_cut, lists_cut

LARGEST = 300_000  # bytes of a plan's text or a run's summary; an item has at most 400 KB
APPROVAL = timedelta(days=1)
PLAN = timedelta(days=30)
RUN = timedelta(days=90)
CALL = timedelta(days=1)
SAID = 5_000  # sentences that a person was called because of, some 40 bytes each


@dataclass(frozen=True)
class Accepted:
    """The version of a policy file that is in force; `at` is when it was accepted (ISO 8601, UTC), `run` which run did so."""

    version: str
    etag: str
    at: str = ""
    run: str = ""


@dataclass(frozen=True)
class Approval:
    """Who approved a plan, and when (ISO 8601, UTC)."""

    by: str
    at: str


@dataclass(frozen=True)
class RefusedPlan:
    """A plan that the guard was against: its hash, when it was last refused (ISO 8601, UTC), and its sentences."""

    hash: str
    at: str
    text: str


@dataclass(frozen=True)
class Sweep:
    """What the last run that read everything found: when (ISO 8601, UTC), how many grants we own, how many profiles each domain had."""

    at: str = ""
    owned: int = 0
    profiles: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A run that is over: when it began (ISO 8601, UTC), its id, and its summary."""

    at: str
    id: str
    summary: Mapping[str, Any]


class Records:
    """The records of one table. Writes under a lease raise Overtaken when it has passed to another run; the others need none."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def accepted(self) -> dict[str, Accepted]:
        """The accepted version of each policy file, by its key; a call for each megabyte, some 5,000 files."""
        return {
            item["sk"]: Accepted(item["version"], item["etag"], item["at"], item["run"]) for item in self._table.query("policy")
        }

    def accept(self, lease: Lease, files: Mapping[str, Accepted], gone: Iterable[str] = ()) -> None:
        """From now on these versions are in force, and files that are gone are not; one transaction for each 90."""
        puts = [putting({"pk": "policy", "sk": key, **vars(accepted)}) for key, accepted in files.items()]
        self._table.write(lease.token, lease.holder, [*puts, *(deleting("policy", key) for key in gone)])

    def refuse(self, plan: str, text: str, now: datetime) -> None:
        """Keep the text of a plan that was refused, by its hash, for thirty days; one call."""
        self._keep({"pk": "plan", "sk": plan, "text": lines_cut(text, LARGEST)}, now, PLAN)

    def refused(self, plan: str) -> str | None:
        """The text of the refused plan with this hash; None if none is known. One call."""
        item = self._table.get("plan", plan)
        return str(item["text"]) if item else None

    def all_refused(self) -> tuple[RefusedPlan, ...]:
        """Every refused plan that is still kept, the last first; a call for each megabyte."""
        found = (RefusedPlan(item["sk"], item["at"], str(item["text"])) for item in self._table.query("plan"))
        return tuple(sorted(found, key=lambda plan: (plan.at, plan.hash), reverse=True))

    def approve(self, plan: str, by: str, now: datetime) -> None:
        """Let the plan with this hash pass, for one day; one call."""
        self._keep({"pk": "approval", "sk": plan, "by": by}, now, APPROVAL)

    def approval(self, plan: str, now: datetime) -> Approval | None:
        """The approval of the plan with this hash, if it is not over; one call."""
        item = self._table.get("approval", plan)
        # DynamoDB deletes what has ended within a few days, not at once.
        return Approval(item["by"], item["at"]) if item and item["ttl"] > now.timestamp() else None

    def swept(self, lease: Lease, sweep: Sweep) -> None:
        """Everything was read, and this is how it stands; one transaction."""
        self._table.write(lease.token, lease.holder, [putting({"pk": "meta", "sk": "sweep", **vars(sweep)})])

    def last_sweep(self) -> Sweep:
        """The last complete sweep; an empty one if there was none. One call."""
        item = self._table.get("meta", "sweep")
        return Sweep(item["at"], item["owned"], item["profiles"]) if item else Sweep()

    def called(self, sentences: Sequence[str], now: datetime) -> bool:
        """Whether a person was called because of each of these within the last day, whatever else was said then; one call."""
        return self._said(now).keys() >= set(map(_short, sentences))

    def has_called(self, sentences: Sequence[str], now: datetime) -> None:
        """A person has been called because of these; two calls."""
        end = int((now + CALL).timestamp())
        said = {**self._said(now), **dict.fromkeys(map(_short, sentences), end)}
        newest = sorted(said, key=lambda sentence: -said[sentence])[:SAID]
        self._keep({"pk": "meta", "sk": "call", "said": {sentence: said[sentence] for sentence in newest}}, now, CALL)

    def _said(self, now: datetime) -> dict[str, int]:
        """The sentences, in short, that a person was called because of, each with when that is a day ago."""
        item = self._table.get("meta", "call")
        return {sentence: end for sentence, end in item["said"].items() if end > now.timestamp()} if item else {}

    def ran(self, run: Run, now: datetime) -> None:
        """Keep a run's summary for ninety days, its longest lists cut to what an item holds; one call."""
        summary = json.dumps(lists_cut(run.summary, LARGEST), ensure_ascii=False)
        self._keep({"pk": "run", "sk": f"{run.at} {run.id}", "summary": summary}, now, RUN)

    def runs(self, most: int) -> tuple[Run, ...]:
        """The last runs, the newest first; a call for each megabyte that they take."""
        return tuple(islice(self.history(), most))

    def history(self) -> Iterator[Run]:
        """Every run that is remembered, the newest first; a call for each megabyte, made as it is read."""
        return map(_run, self._table.query("run", backwards=True))

    def _keep(self, item: Item, now: datetime, lasts: timedelta) -> None:
        self._table.put({**item, "at": now.isoformat(timespec="seconds"), "ttl": int((now + lasts).timestamp())})


def _short(sentence: str) -> str:
    return hashlib.sha256(sentence.encode()).hexdigest()[:16]


def _run(item: Item) -> Run:
    at, _, run_id = item["sk"].partition(" ")
    return Run(at, run_id, json.loads(item["summary"]))
