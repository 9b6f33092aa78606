"""What is wrong with the places of a job: the object whose upload starts it, the object that it reads, the folder that it writes to."""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import partial

from grantor.core import scope
from grantor.core.diagnostics import Fault, Judge, listed, nearest, shown
from grantor.core.jobs.cycles import Place, Places
from grantor.core.policy import durations
from grantor.core.policy.language import TAKES
from grantor.core.policy.parse_rules import runner
from grantor.core.policy.value_types import ARGUMENT, ARGUMENT_NAME, INSTANCE, Form
from grantor.core.policy.variables import BUCKET, Context, Contexts
from grantor.core.policy.yaml_tree import Fields, Reader, Text
from grantor.core.rules import LONGEST, TOLD, Instances, Job
from grantor.core.scope import bare

DATA = f"s3://{{{BUCKET}}}/"
# How people write a place in S3 elsewhere; its bucket comes next.
SCHEME = re.compile(r"(?i)[a-z0-9]+:/+|arn:aws[a-z-]*:s3:::")
OWN_FOLDER = re.compile(r".*/\{profile\.(?:name|folder)\}")


def upload_faults(text: str, *, read: bool) -> Iterable[Fault]:
    """What is wrong with the object whose upload starts a job, and which it reads as well, or not."""
    found = _single(text, "one upload starts one job, so one single object is meant") or _in_data(text)
    return found or (_long(text) if read else [])


def input_faults(text: str) -> Iterable[Fault]:
    """What is wrong with the object that a job reads."""
    return _single(text, "a job reads one single object") or _in_data(text) or _long(text)


def output_faults(text: str) -> Iterable[Fault]:
    """What is wrong with the folder that a job writes to."""
    return _nowhere(text) or _no_folder(text) or scope.base_faults(text) or _elsewhere(text) or _long(text)


def _single(text: str, why: str) -> list[Fault]:
    if nowhere := _nowhere(text):
        return nowhere
    if "*" in text:
        folder = text[: text.index("*")].rpartition("/")[0]
        return [Fault(f"{shown(text)} has a *", why, f"write the key of that object, such as {folder}/abalone.csv")]
    if text.endswith("/") or OWN_FOLDER.fullmatch(text):
        return [Fault(f"{shown(text)} is a folder", why, f"write the key of that object, such as {text.rstrip('/')}/abalone.csv")]
    return []


def _in_data(text: str) -> list[Fault]:
    return scope.object_faults(text) or _elsewhere(text)


def _nowhere(text: str) -> list[Fault]:
    """What makes it no place in S3 at all."""
    if text.startswith("s3://"):
        return []
    written = SCHEME.match(text)
    key = text[written.end() :].partition("/")[2] if written else text.lstrip("/")
    return [Fault(f"{shown(text)} is no place in S3", f"a job's places begin with {DATA}", f"write {DATA}{key}")]


def _no_folder(text: str) -> list[Fault]:
    why = "a job writes below one folder"
    bucket, _, key = text.removeprefix("s3://").partition("/")
    if "*" in text:
        return [Fault(f"{shown(text)} has a *", why, f"write {text[: text.index('*')].rpartition('/')[0]}/output/")]
    if not key:
        return [Fault(f"{shown(text)} is a whole bucket", why, f"write s3://{bucket}/output/")]
    return [] if text.endswith("/") else [Fault(f"{shown(text)} ends without a slash", why, f"write {text}/")]


def _elsewhere(text: str) -> list[Fault]:
    """Whether it lies outside the data bucket; that bucket's own name is not known before a file is deployed."""
    if text.startswith(DATA):
        return []
    why = f"jobs read and write in the data bucket alone, which a file calls {{{BUCKET}}}"
    key = text.removeprefix("s3://").partition("/")[2]
    return [Fault(f"{shown(text)} lies in another bucket", why, f"write {DATA}{key}")]


def _long(text: str) -> list[Fault]:
    key = bare(text).removeprefix("s3://").partition("/")[2]
    if len(key) <= LONGEST:
        return []
    return [Fault(f"a key of {len(key):,} characters", f"SageMaker passes a job no more than {LONGEST} of them", "shorten it")]


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
    found = durations.limit(given.value) if given else LIMIT
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


def judge_together(given: Iterable[tuple[Fields, Job]], reader: Reader) -> None:
    """Say what is wrong with these jobs taken together, each at its output."""
    outputs = {_written(job): output for fields, job in given if (output := fields.text("output"))}
    met = _met(outputs, Places(outputs))
    for place, other in met.items():
        what = f"its output and that of {other} lie over each other"
        reader.refuse(outputs[place], what, "their files would be mixed", "give each a folder of its own")
    for circle in Places(place for place in outputs if place not in met).circles():
        first = min(range(len(circle)), key=lambda at: _order(circle[at]))
        reader.refuse(outputs[circle[first]], *_endless(circle[first + 1 :] + circle[:first]))


def _written(job: Job) -> Place:
    # Two of one name in one line have been refused for that.
    return Place(f"{job.title} in line {job.line}", job, job.on, job.reads, job.output, filled="{" not in job.output)


def _met(outputs: Iterable[Place], places: Places) -> dict[Place, Place]:
    """The places whose output an earlier one's lies over or below, with that one; the first of several is enough."""
    found: dict[Place, Place] = {}
    for place in outputs:
        for over, *_ in places.over(place.output, place):
            earlier, later = sorted((over, place), key=_order)
            if earlier != later:
                found.setdefault(later, earlier)
    return found


def _endless(others: list[Place]) -> Fault:
    chain = ", which feeds ".join(map(str, others))
    what = f"what it writes feeds {chain}, which feeds it again"
    return Fault(what, "each would start the next, without end", "let one of them write elsewhere")


def _order(place: Place) -> tuple[int, int]:
    return place.job.line, place.job.column


# What goes wrong where a text is the same for every profile.
SAME = {
    "on": "one upload would start the job for each of them",
    "output": "the jobs of all of them would write to one folder",
}


def meaning(job: Fields, contexts: Contexts) -> Job | None:
    """The job; None after saying what is wrong with it."""
    plain, own = contexts[False, False], contexts[_each(job), False]
    runs_as = runner(fields, plain) if (fields := job.fields("as")) else None
    machines, limit, told = instances(job, own), time_limit(job, own), arguments(job, own)
    places = _places(job, own)
    name, run = job.text("name"), job.text("run")
    if not (name and run and runs_as and "on" in places and "output" in places):
        return None
    return Job(
        file=plain.reader.file,
        name=name.value,
        run=run.value,
        runs_as=runs_as,
        on=plain.final(places["on"]),
        output=plain.final(places["output"]),
        input=plain.final(places.get("input", "")),
        instances=machines,
        time_limit=limit,
        arguments=told,
        line=job.line,
        column=job.column,
        shared_role=job.text("shared_role") is not None,
    )


def _each(job: Fields) -> bool:
    """Whether variables of a profile may stand in this job; where `as` is wrong itself they may: that it is wrong is enough to hear."""
    runs_as = job.fields("as")
    return not (runs_as and runs_as.values) or "each_profile" in runs_as.keys


def _places(job: Fields, context: Context) -> dict[str, str]:
    """The objects and the folder of a job by their keys; without those of which it has been said what is wrong."""
    judges: dict[str, Judge] = {
        "on": partial(upload_faults, read="input" not in job.keys),
        "input": input_faults,
        "output": output_faults,
    }
    given = {key: text for key in judges if (text := job.text(key))}
    found = {key: filled for key, text in given.items() if (filled := context.text(text, judges[key]))}
    same = _alike(job, given, found, context)
    over = not same and _over_itself(given, found, context)
    return {} if same or over else found


def _alike(job: Fields, given: Mapping[str, Text], found: Mapping[str, str], context: Context) -> bool:
    """Whether something is the same for every profile that should be each one's own."""
    runs_as = job.fields("as")
    each = runs_as and "each_profile" in runs_as.keys and "role" not in runs_as.keys
    alike = [key for key in SAME if each and key in found and "{profile." not in found[key]]
    for key in alike:
        what = f"{shown(found[key])} is the same for every profile"
        context.reader.refuse(given[key], what, SAME[key], "write {profile.folder} in it, or as: {role: …}")
    return bool(alike)


def _over_itself(given: Mapping[str, Text], found: Mapping[str, str], context: Context) -> bool:
    """Whether the job would start itself."""
    output = found.get("output")
    over = [key for key in ("on", "input") if output and found.get(key, "").startswith(output)]
    if over:
        what = f"{shown(found['output'])} lies over {over[0]}"
        remedy = f"write {found[over[0]].rpartition('/')[0]}/output/"
        context.reader.refuse(given["output"], what, "the job would start itself, again and again", remedy)
    return bool(over)
