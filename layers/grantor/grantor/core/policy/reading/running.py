"""How a job runs: its machines, its time limit, what its code is told."""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from grantor.core.job import LONGEST, TOLD, Instances
from grantor.core.policy.document import Fields, Text
from grantor.core.policy.forms import ARGUMENT, ARGUMENT_NAME, INSTANCE
from grantor.core.policy.jobs import TAKES
from grantor.core.policy.kinds import Form
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
    taken = TAKES[run.value] if run else dict.fromkeys(given.keys, ARGUMENT)
    for name, key in given.keys.items():
        if name in TOLD or (name not in taken and ARGUMENT_NAME.fits(name)):
            context.reader.refuse(key, *_not_taken(name, taken))
    judges = {name: partial(_argument_faults, name, taken.get(name, ARGUMENT)) for name in given.values}
    texts = {name: context.text(value, judges[name]) for name, value in given.values.items() if isinstance(value, Text)}
    return tuple((name, context.final(text)) for name, text in texts.items() if text)


def _no_instance(text: str) -> Fault:
    small = text.casefold()
    fault = INSTANCE.fault(text, "type: ")
    near = next((word for word in (small, f"ml.{small}") if INSTANCE.fits(word)), "")
    return fault._replace(remedy=f"write type: {near}") if near else fault


def _not_taken(name: str, taken: Iterable[str]) -> Fault:
    if name in TOLD:
        return Fault(f"{name} among the arguments", "Grantor itself tells the job that", "take it out")
    near = nearest(name, taken)
    remedy = f"did you mean {near}?" if near else "take it out, or write one of these"
    return Fault(f"unknown argument {shown(name)}", f"the job takes {listed(taken, 'and')}", remedy)


def _argument_faults(name: str, form: Form, text: str) -> Iterable[Fault]:
    if len(bare(text)) > LONGEST:
        why = f"SageMaker passes a job no more than {LONGEST} of them"
        yield Fault(f"a value of {len(bare(text)):,} characters", why, "shorten it")
    elif "{" not in text and not form.fits(text):
        yield form.fault(text, f"{name}: ")
