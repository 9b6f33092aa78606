"""A run is over: what came of it is written down and told, and its input is free for the next one."""

from grantor.aws.errors import NotYet
from grantor.aws.job_records import Held, JobRun
from grantor.core.jobs.outcome import outcome, read_summary
from grantor.core.jobs.standing import Status, Told
from grantor.jobs import telling
from grantor.jobs.world import JobWorld


def ended(jobs: JobWorld, name: str) -> str:
    """Settle the run of a processing job that has ended, if that is not done yet; the upload that is to be looked at now.

    "" for a job that nobody here has started. NotYet while SageMaker does not say itself that it is over.
    """
    pointer = jobs.records.pointer(name)
    run = jobs.records.run(pointer.record) if pointer else None
    if pointer is None or run is None:
        return ""
    held = jobs.records.held(pointer.subject)
    if held.standing.name == name and held.standing.status is Status.IN_PROGRESS:
        told = jobs.jobs.describe(name)
        if told is None or not told.status.over:
            raise NotYet(f"{name} is said to have ended, and SageMaker does not show it yet")
        settle(jobs, held, told)
    return run.upload


def settle(jobs: JobWorld, held: Held, told: Told) -> None:
    """Write down and tell what came of the run that the input stands in.

    The input is freed last: after a crash all of it is done again, and a person is called once.
    """
    run = jobs.records.run(held.record) or JobRun(told.name, held.record.partition(" ")[0])
    came = outcome(run.label or run.name, told, read_summary(jobs.operations.read(f"{run.folder}summary.json")))
    over = run.over(came, told.ended or jobs.clock())
    jobs.records.keep(held.subject, over)
    telling.ended(jobs, over, came)
    jobs.records.swap(held, held.standing.ended(came.status, came.cause), held.record)
