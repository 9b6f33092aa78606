"""grantor jobs: which uploads wait for something, which runs of jobs go on, which have been; or one run in full."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any
from urllib.parse import quote

from grantor.aws.job_store import JobRecords, JobRun, Waiting
from grantor.aws.services import World
from grantor.cli.output import Progress, count, format_time, lasted, moment, visible
from grantor.cli.session import Call, Misused, Trouble
from grantor.core.grant import Entry, Grantee, State
from grantor.core.jobs.decide import Do, Status
from grantor.core.jobs.identity import role_name
from grantor.core.scope import covers


def run_jobs(call: Call) -> int:
    """0; 1 if no run of a job has that name."""
    records = JobRecords(call.world.table)
    return _one(call, records, call.asked.name) if call.asked.name else _several(call, records)


def _several(call: Call, records: JobRecords) -> int:
    if call.asked.most < 1:
        raise Misused("-n wants a number from 1")
    now = datetime.fromtimestamp(call.world.clock(), UTC)
    with Progress("reading the ledger"):
        running = [one for one in takewhile(lambda one: age(one, now) < LONGEST, records.runs()) if going_on(one, now)]
        waiting = sorted(_really(records.all_waiting(), running), key=lambda one: one.since)
        past = list(islice((one for one in records.runs() if not going_on(one, now)), call.asked.most))
    call.show.lines(_listed(waiting, [*running, *past], now))
    region = call.world.clients.session.region_name
    told = [value(one, region) for one in (*running, *past)]
    call.show.value({"waiting": [asdict(one) for one in waiting], "runs": told})
    return 0


def _really(waiting: Iterable[Waiting], running: Iterable[JobRun]) -> Iterator[Waiting]:
    """Without those that only wait for a run of their own to end; that it goes on is told anyhow."""
    started = {f"{one.label} is started as {one.name}" for one in running}
    for one in waiting:
        if any(why not in started and not why.endswith(f": {Do.RUNNING}") for why in one.why.split("; ")):
            yield one


def _listed(waiting: Iterable[Waiting], runs: Iterable[JobRun], now: datetime) -> Iterator[str]:
    lines = [*map(_waits, waiting), *(said for one in runs for said in heading(one, now))]
    yield from lines or ["no upload waits for its job, and no job has run within the last 90 days"]


def _waits(waiting: Waiting) -> str:
    since = format_time(moment(waiting.since))
    first, *more = map(visible, waiting.why.splitlines() or ["it is looked at again"])
    return "\n".join([f"{since}  waits: {visible(waiting.upload)}: {first}", *(f"  {line}" for line in more)])


def _one(call: Call, records: JobRecords, name: str) -> int:
    found = records.pointer(name)
    past = found and records.run(found.record)
    if not past:
        raise Trouble(f"no run {visible(name)} is remembered: grantor jobs lists those of the last 90 days")
    with Progress("reading the ledger"):
        told = Told.of(call.world, past, _attempts(records, past))
    call.show.lines(told.lines())
    call.show.value(told.value())
    return 0


def _attempts(records: JobRecords, past: JobRun) -> list[JobRun]:
    """Every attempt at the same run, the first one first."""
    return sorted((one for one in records.runs() if one.run == past.run), key=lambda one: one.attempt)


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
    yield f"{format_time(run.at)}  {sentence(run, now)}"
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
        yield (
            "status",
            f"{run.status}, {_took(run)}begun {format_time(run.at)}" + (f", ended {format_time(run.ended)}" if run.ended else ""),
        )
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
                yield f"{one.attempt}: {format_time(one.at)}  {one.status}{one.cause and f' ({one.cause})'}  {one.name}"


def _covers(entry: Entry, run: JobRun) -> bool:
    return covers(entry.grant.scope, run.input) or covers(entry.grant.scope, f"{run.output}*")


def _passed(number: int) -> str:
    return f"{count(number, 'upload')} since the run before, replaced before their turn or the same again" if number else ""


def _took(run: JobRun) -> str:
    return f"{lasted(run.seconds)}, " if run.seconds else ""


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items())
