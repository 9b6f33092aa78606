"""A run of a job, as it is told: in two lines, or in full."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from grantor.aws.job_records import JobRun
from grantor.cli.sentences import count, lasted, time, visible
from grantor.core.entry import Entry, State
from grantor.core.grant import Grantee
from grantor.core.jobs.identity import role_name
from grantor.core.jobs.standing import Status
from grantor.core.scope import covers
from grantor.world import World

WIDE = 9  # characters of the word that a line begins with
LONGEST = timedelta(days=6)  # that a processing job goes on: five days by SageMaker's quota, and a margin
CONSOLES = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}  # by how a Region's name begins


def age(run: JobRun, now: datetime) -> timedelta:
    """How long ago it was begun."""
    return now - datetime.fromisoformat(run.at)


def going_on(run: JobRun, now: datetime) -> bool:
    """Whether it may still go on: nobody has heard that it is over, and no processing job is as old."""
    return not Status(run.status).over and age(run, now) < LONGEST


def heading(run: JobRun, now: datetime) -> Iterator[str]:
    """A run in two lines: when, how long and what came of it; then its name, what it was on, and where its report lies."""
    yield f"{time(run.at)}  {sentence(run, now)}"
    report = f", report {run.report}" if run.report else ""
    yield visible(f"  {run.name}, {_took(run)}on {run.input}{report}")


def sentence(run: JobRun, now: datetime) -> str:
    """What came of it, or since when it goes on."""
    if going_on(run, now):
        return visible(f"{run.label} goes on, for {lasted(age(run, now).total_seconds())} now")
    return visible(run.sentence or f"{run.label} was begun, and nobody has heard how it ended: SageMaker's console knows")


def value(run: JobRun, region: str) -> dict[str, Any]:
    """The same as plain values, with the address of SageMaker's console for it."""
    return asdict(run) | {"console": console(run.name, region)}


def console(name: str, region: str) -> str:
    """Where SageMaker's console shows a processing job.

    >>> console("grantor-abalone-0123456789abcdef0123-a1", "eu-west-1")
    'https://eu-west-1.console.aws.amazon.com/sagemaker/home?region=eu-west-1#/processing-jobs/grantor-abalone-0123456789abcdef0123-a1'
    """
    domain = next((domain for begin, domain in CONSOLES.items() if region.startswith(begin)), "console.aws.amazon.com")
    return f"https://{region}.{domain}/sagemaker/home?region={region}#/processing-jobs/{quote(name)}"


@dataclass(frozen=True)
class Told:
    """All that is known of one run. `grants` are those of ours, as they are now, that cover what it read or wrote."""

    run: JobRun
    attempts: Sequence[JobRun]
    grants: Sequence[Entry]
    region: str
    now: datetime

    @classmethod
    def of(cls, world: World, run: JobRun, attempts: Sequence[JobRun]) -> "Told":
        """One query of the ledger."""
        entries, _ = world.ledger.of(Grantee("IAM", run.role))
        there = [entry for entry in entries if _covers(entry, run)]
        now = datetime.fromtimestamp(world.clock(), UTC)
        return cls(run, attempts, there, world.clients.session.region_name, now)

    def lines(self) -> Iterator[str]:
        """Lines, each with the word that it begins with."""
        yield from (f"{word:<{WIDE}} {visible(said)}" for word, said in self._said() if said)

    def value(self) -> dict[str, Any]:
        """The same as plain values."""
        grants = [
            {"permission": str(entry.grant.permission), "scope": entry.grant.scope, "id": entry.id} for entry in self.grants
        ]
        attempts = [{"name": one.name, "at": one.at, "status": one.status, "cause": one.cause} for one in self.attempts]
        return value(self.run, self.region) | {"grants": grants, "attempts": attempts}

    def _said(self) -> Iterator[tuple[str, str]]:
        run = self.run
        yield "run", run.name
        yield "outcome", sentence(run, self.now)
        yield "status", f"{run.status}, {_took(run)}begun {time(run.at)}" + (f", ended {time(run.ended)}" if run.ended else "")
        yield "job", run.job + (f" for profile {run.profile}" if run.profile else "")
        yield "as", f"role/{role_name(run.role)}"
        yield "upload", run.upload if run.upload != run.input else ""
        yield "input", f"{run.input}, version {run.version}, ETag {run.etag}, {count(run.size, 'byte')}"
        yield "passed", _passed(run.passed_over)
        yield "output", run.output
        yield "rows", _counted(run.rows)
        yield "reasons", _counted(run.quarantine)
        yield from (("grant", said) for said in self._grants())
        yield "manifest", run.manifest
        yield "report", run.report
        yield "folder", run.folder
        yield "console", console(run.name, self.region)
        yield "Spark UI", f"make ui RUN={run.name}"
        yield from (("attempt", said) for said in self._others())

    def _grants(self) -> Iterator[str]:
        for entry in self.grants:
            state = "" if entry.state is State.LIVE else f" ({entry.state})"
            yield f"{entry.grant.permission} {entry.grant.scope}{state}, because {'; '.join(sorted(map(str, entry.reasons)))}"
        if not self.grants:
            yield "none of ours covers its input or its output now"

    def _others(self) -> Iterator[str]:
        for one in self.attempts:
            if one.name != self.run.name:
                yield f"{one.attempt}: {time(one.at)}  {one.status}{one.cause and f' ({one.cause})'}  {one.name}"


def _covers(entry: Entry, run: JobRun) -> bool:
    return covers(entry.grant.scope, run.input) or covers(entry.grant.scope, f"{run.output}*")


def _passed(number: int) -> str:
    return f"{count(number, 'upload')} since the run before, replaced before their turn or the same again" if number else ""


def _took(run: JobRun) -> str:
    return f"{lasted(run.seconds)}, " if run.seconds else ""


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items())
