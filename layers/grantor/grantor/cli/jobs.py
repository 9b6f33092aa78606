"""grantor jobs: which uploads wait for something, which runs of jobs go on, which have been; or one run in full."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice, takewhile

from grantor.aws.job_records import JobRecords, JobRun, Waiting
from grantor.cli import job_run
from grantor.cli.call import Call
from grantor.cli.job_run import LONGEST, age, going_on, heading
from grantor.cli.sentences import moment, time, visible
from grantor.cli.show import Progress
from grantor.cli.trouble import Misused, Trouble
from grantor.core.jobs.deciding import Do


def run(call: Call) -> int:
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
    told = [job_run.value(one, region) for one in (*running, *past)]
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
    since = time(moment(waiting.since))
    first, *more = map(visible, waiting.why.splitlines() or ["it is looked at again"])
    return "\n".join([f"{since}  waits: {visible(waiting.upload)}: {first}", *(f"  {line}" for line in more)])


def _one(call: Call, records: JobRecords, name: str) -> int:
    found = records.pointer(name)
    past = found and records.run(found.record)
    if not past:
        raise Trouble(f"no run {visible(name)} is remembered: grantor jobs lists those of the last 90 days")
    with Progress("reading the ledger"):
        told = job_run.Told.of(call.world, past, _attempts(records, past))
    call.show.lines(told.lines())
    call.show.value(told.value())
    return 0


def _attempts(records: JobRecords, past: JobRun) -> list[JobRun]:
    """Every attempt at the same run, the first one first."""
    return sorted((one for one in records.runs() if one.run == past.run), key=lambda one: one.attempt)
