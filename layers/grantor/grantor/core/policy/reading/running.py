"""How a job runs: its machines, its time limit, what its code is told."""

from collections.abc import Iterable
from datetime import timedelta

from grantor.core.job import LONGEST, TAKES, TOLD, Instances
from grantor.core.policy.document import Fields, Text
from grantor.core.policy.forms import ARGUMENT_NAME, INSTANCE
from grantor.core.policy.reading import ends
from grantor.core.policy.reading.context import Context
from grantor.core.policy.reading.variables import bare
from grantor.core.problem import Fault, listed, nearest, shown

USUAL = Instances()
LIMIT = timedelta(hours=1)


def instances(job: Fields, context: Context) -> Instances:
    """The machines; the usual ones after saying what is wrong."""
    given = job.fields("instances")
    kind, count, volume = (given.text(key) if given else None for key in ("type", "count", "volume"))
    if kind and not INSTANCE.fits(kind.value):
        context.reader.refuse(kind, *_no_instance(kind.value))
    return Instances(
        kind.value if kind else USUAL.type,
        int(count.value) if count else USUAL.count,
        int(volume.value) if volume else USUAL.volume,
    )


def time_limit(job: Fields, context: Context) -> timedelta:
    """How long a run may take; the usual time after saying what is wrong."""
    given = job.text("time_limit")
    found = ends.limit(given.value) if given else LIMIT
    if given and isinstance(found, Fault):
        context.reader.refuse(given, *found)
    return LIMIT if isinstance(found, Fault) else found


def arguments(job: Fields, context: Context) -> tuple[tuple[str, str], ...]:
    """What the job's code is told besides, in the file's order; without those of which it has been said what is wrong."""
    given, run = job.fields("arguments"), job.text("run")
    if given is None:
        return ()
    for name, key in given.keys.items():
        if fault := _no_argument(name, run):
            context.reader.refuse(key, *fault)
    texts = {name: context.text(value, _argument_faults) for name, value in given.values.items() if isinstance(value, Text)}
    return tuple((name, context.final(text)) for name, text in texts.items() if text)


def _no_instance(text: str) -> Fault:
    small = text.casefold()
    near = next((word for word in (small, f"ml.{small}") if INSTANCE.fits(word)), f"for example type: {INSTANCE.example}")
    fault = INSTANCE.fault(text, "type: ")
    return fault._replace(remedy=f"write type: {near}") if INSTANCE.fits(near) else fault


def _no_argument(name: str, run: Text | None) -> Fault | None:
    if name in TOLD:
        return Fault(f"{name} among the arguments", "Grantor itself tells the job that", "take it out")
    taken = TAKES[run.value] if run else ()
    if run is None or name in taken or not ARGUMENT_NAME.fits(name):
        return None
    near = nearest(name, taken)
    why = f"{run.value} takes {listed(taken, 'and')}"
    return Fault(
        f"unknown argument {shown(name)}", why, f"did you mean {near}?" if near else "take it out, or write one of these"
    )


def _argument_faults(text: str) -> Iterable[Fault]:
    if len(bare(text)) > LONGEST:
        why = f"SageMaker passes a job no more than {LONGEST} of them"
        yield Fault(f"a value of {len(bare(text)):,} characters", why, "shorten it")
    if text.startswith("-") and not text[1:].replace(".", "", 1).isdecimal():
        yield Fault(f"{shown(text)} begins with -", "the job's code takes it for the name of an argument", "write it otherwise")
