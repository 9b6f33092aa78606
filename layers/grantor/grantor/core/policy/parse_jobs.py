"""Parse a job: as whom it runs, what it reads and writes, and how jobs affect each other."""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import partial

from grantor.core import scope
from grantor.core.diagnostics import Fault, TextCheck, find_nearest, join_words, quote_text
from grantor.core.policy import durations
from grantor.core.policy.job_language import SHIPPED_JOBS
from grantor.core.policy.parse_rules import parse_runner
from grantor.core.policy.text_forms import ARGUMENT, ARGUMENT_NAME, INSTANCE
from grantor.core.policy.value_types import Form
from grantor.core.policy.variables import BUCKET, Contexts, TextContext
from grantor.core.policy.yaml_tree import Fields, PolicyReader, Text
from grantor.core.rules import RESERVED_ARGUMENTS, Instances, Job, JobPlace, JobPlaces
from grantor.core.scope import replace_variables
from grantor.limits import MAX_CONTAINER_ARGUMENT_CHARACTERS
from grantor.settings import DEFAULT_JOB_TIME_LIMIT

DATA = f"s3://{{{BUCKET}}}/"
# What people write before a bucket's name elsewhere.
SCHEME = re.compile(r"(?i)[a-z0-9]+:/+|arn:aws[a-z-]*:s3:::")
OWN_FOLDER = re.compile(r".*/\{profile\.(?:name|folder)\}")
LENGTH_REASON = f"SageMaker passes at most {MAX_CONTAINER_ARGUMENT_CHARACTERS} of them to a job"
DEFAULT_INSTANCES = Instances()
# What goes wrong where a text is the same for every profile.
SHARED_PLACE_REASONS = {
    "on": "one upload would start the job for each of them",
    "output": "the jobs of all profiles would write to one folder",
}


def parse_job(job: Fields, contexts: Contexts) -> Job | None:
    """The job; None if something is wrong with it, which is then reported."""
    plain, own = contexts[False, False], contexts[_has_profile_variables(job), False]
    runs_as = parse_runner(fields, plain) if (fields := job.fields("as")) else None
    instances, limit = parse_instances(job, own), parse_time_limit(job, own)
    arguments, places = parse_arguments(job, own), _parse_places(job, own)
    name, run = job.text("name"), job.text("run")
    if not (name and run and runs_as and "on" in places and "output" in places):
        return None
    return Job(
        file=plain.reader.file,
        name=name.value,
        run=run.value,
        runs_as=runs_as,
        on=plain.fill_bucket(places["on"]),
        output=plain.fill_bucket(places["output"]),
        input=plain.fill_bucket(places.get("input", "")),
        instances=instances,
        time_limit=limit,
        arguments=arguments,
        line=job.line,
        column=job.column,
        shared_role=job.text("shared_role") is not None,
    )


def _has_profile_variables(job: Fields) -> bool:
    """Whether variables of a profile may stand in this job.

    They may where `as` is wrong itself: one message about that is enough.
    """
    runs_as = job.fields("as")
    return not (runs_as and runs_as.values) or "each_profile" in runs_as.keys


def parse_instances(job: Fields, context: TextContext) -> Instances:
    """The machines; what is wrong is reported."""
    given = job.fields("instances") or Fields({}, {}, 1, 1)
    kind, count, volume = (given.text(key) for key in ("type", "count", "volume"))
    if kind and not INSTANCE.fits(kind.value):
        context.reader.add(kind, *_explain_instance(kind.value))
    return Instances(
        kind.value if kind else DEFAULT_INSTANCES.type,
        int(count.value) if count else DEFAULT_INSTANCES.count,
        int(volume.value) if volume else DEFAULT_INSTANCES.volume,
    )


def _explain_instance(text: str) -> Fault:
    lower = text.casefold()
    fault = INSTANCE.describe_misfit(text, "type: ")
    near = next((word for word in (lower, f"ml.{lower}") if INSTANCE.fits(word)), "")
    return fault._replace(remedy=f"write type: {near}") if near else fault


def parse_time_limit(job: Fields, context: TextContext) -> timedelta:
    """How long a run may take; the default if something is wrong, which is then reported."""
    given = job.text("time_limit")
    found = durations.parse_time_limit(given.value) if given else DEFAULT_JOB_TIME_LIMIT
    if given and isinstance(found, Fault):
        context.reader.add(given, *found)
    return DEFAULT_JOB_TIME_LIMIT if isinstance(found, Fault) else found


def parse_arguments(job: Fields, context: TextContext) -> tuple[tuple[str, str], ...]:
    """The further arguments of the job's code, in the file's order; wrong ones are reported."""
    given, run = job.fields("arguments"), job.text("run")
    if given is None:
        return ()
    accepted = SHIPPED_JOBS[run.value].arguments if run else dict.fromkeys(given.keys, ARGUMENT)
    for name, key in given.keys.items():
        if name in RESERVED_ARGUMENTS or (name not in accepted and ARGUMENT_NAME.fits(name)):
            context.reader.add(key, *_explain_argument(name, accepted))
    found = []
    for name, value in given.values.items():
        find_faults = partial(_find_argument_faults, name, accepted.get(name, ARGUMENT))
        text = context.check_text(value, find_faults) if isinstance(value, Text) else None
        if text:
            found.append((name, context.fill_bucket(text)))
    return tuple(found)


def _explain_argument(name: str, accepted: Iterable[str]) -> Fault:
    if name in RESERVED_ARGUMENTS:
        return Fault(f"{name} in arguments", "Grantor sets this argument itself", "remove it")
    near = find_nearest(name, accepted)
    remedy = f"did you mean {near}?" if near else "remove it, or write one of these"
    why = f"the job accepts {join_words(accepted, 'and')}"
    return Fault(f"unknown argument {quote_text(name)}", why, remedy)


def _find_argument_faults(name: str, form: Form, text: str) -> Iterable[Fault]:
    length = len(replace_variables(text))
    if length > MAX_CONTAINER_ARGUMENT_CHARACTERS:
        yield Fault(f"the value has {length:,} characters", LENGTH_REASON, "shorten it")
    elif "{" not in text and not form.fits(text):
        yield form.describe_misfit(text, f"{name}: ")


def _parse_places(job: Fields, context: TextContext) -> dict[str, str]:
    """The objects and the folder of a job by key; those that are wrong are reported."""
    checks: dict[str, TextCheck] = {
        "on": partial(find_upload_faults, is_input="input" not in job.keys),
        "input": find_input_faults,
        "output": find_output_faults,
    }
    given = {key: text for key in checks if (text := job.text(key))}
    checked = {key: context.check_text(text, checks[key]) for key, text in given.items()}
    found = {key: text for key, text in checked.items() if text}
    if _refuse_shared_place(job, given, found, context):
        return {}
    return {} if _refuse_self_start(given, found, context) else found


def _refuse_shared_place(
    job: Fields, given: Mapping[str, Text], found: Mapping[str, str], context: TextContext
) -> bool:
    """Report what is the same for every profile though each needs its own; True if any is."""
    runs_as = job.fields("as")
    if not runs_as or "each_profile" not in runs_as.keys or "role" in runs_as.keys:
        return False
    shared = [key for key in SHARED_PLACE_REASONS if "{profile." not in found.get(key, "{profile.")]
    for key in shared:
        what = f"{quote_text(found[key])} is the same for every profile"
        remedy = "write {profile.folder} in it, or as: {role: …}"
        context.reader.add(given[key], what, SHARED_PLACE_REASONS[key], remedy)
    return bool(shared)


def _refuse_self_start(
    given: Mapping[str, Text], found: Mapping[str, str], context: TextContext
) -> bool:
    """Report a job that would start itself; True if it would."""
    output = found.get("output")
    inside = [key for key in ("on", "input") if output and found.get(key, "").startswith(output)]
    if inside:
        what = f"{quote_text(found['output'])} contains the object under {inside[0]}"
        why = "the job would start itself, again and again"
        remedy = f"write {found[inside[0]].rpartition('/')[0]}/output/"
        context.reader.add(given["output"], what, why, remedy)
    return bool(inside)


def find_upload_faults(text: str, *, is_input: bool) -> Iterable[Fault]:
    """What is wrong with the object whose upload starts a job, and which may be its input."""
    why = "one upload starts one job, so it must be a single object"
    found = _find_object_faults(text, why) or _find_data_faults(text)
    return found or (_find_length_faults(text) if is_input else [])


def find_input_faults(text: str) -> Iterable[Fault]:
    """What is wrong with the object that a job reads."""
    found = _find_object_faults(text, "a job reads a single object")
    return found or _find_data_faults(text) or _find_length_faults(text)


def find_output_faults(text: str) -> Iterable[Fault]:
    """What is wrong with the folder that a job writes to."""
    return (
        _find_scheme_faults(text)
        or _find_folder_faults(text)
        or scope.find_folder_faults(text)
        or _find_bucket_faults(text)
        or _find_length_faults(text)
    )


def _find_object_faults(text: str, why: str) -> list[Fault]:
    if faults := _find_scheme_faults(text):
        return faults
    if "*" in text:
        folder, what = text[: text.index("*")].rpartition("/")[0], "contains a *"
    elif text.endswith("/") or OWN_FOLDER.fullmatch(text):
        folder, what = text.rstrip("/"), "is a folder"
    else:
        return []
    remedy = f"write the key of that object, such as {folder}/abalone.csv"
    return [Fault(f"{quote_text(text)} {what}", why, remedy)]


def _find_data_faults(text: str) -> list[Fault]:
    return scope.find_object_faults(text) or _find_bucket_faults(text)


def _find_scheme_faults(text: str) -> list[Fault]:
    """What keeps it from being a location in S3 at all."""
    if text.startswith("s3://"):
        return []
    scheme = SCHEME.match(text)
    key = text[scheme.end() :].partition("/")[2] if scheme else text.lstrip("/")
    why = f"a job's locations start with {DATA}"
    return [Fault(f"{quote_text(text)} is not a location in S3", why, f"write {DATA}{key}")]


def _find_folder_faults(text: str) -> list[Fault]:
    bucket, _, key = text.removeprefix("s3://").partition("/")
    if "*" in text:
        folder = text[: text.index("*")].rpartition("/")[0]
        what, remedy = "contains a *", f"write {folder}/output/"
    elif not key:
        what, remedy = "is a whole bucket", f"write s3://{bucket}/output/"
    elif not text.endswith("/"):
        what, remedy = "does not end with a slash", f"write {text}/"
    else:
        return []
    return [Fault(f"{quote_text(text)} {what}", "a job writes below one folder", remedy)]


def _find_bucket_faults(text: str) -> list[Fault]:
    """Whether it is outside the data bucket, whose own name is only known at deployment."""
    if text.startswith(DATA):
        return []
    why = f"jobs read and write only in the data bucket, which a file calls {{{BUCKET}}}"
    key = text.removeprefix("s3://").partition("/")[2]
    return [Fault(f"{quote_text(text)} is in another bucket", why, f"write {DATA}{key}")]


def _find_length_faults(text: str) -> list[Fault]:
    key = replace_variables(text).removeprefix("s3://").partition("/")[2]
    if len(key) <= MAX_CONTAINER_ARGUMENT_CHARACTERS:
        return []
    return [Fault(f"the key has {len(key):,} characters", LENGTH_REASON, "shorten it")]


def refuse_conflicts(given: Iterable[tuple[Fields, Job]], reader: PolicyReader) -> None:
    """Report jobs that write over each other or start each other endlessly, at their outputs."""
    outputs = {
        _to_job_place(job): output for fields, job in given if (output := fields.text("output"))
    }
    overlaps = _find_overlaps(outputs)
    for place, other in overlaps.items():
        what = f"its output overlaps with that of {other}"
        why, remedy = "their files would be mixed", "give each a folder of its own"
        reader.add(outputs[place], what, why, remedy)
    for cycle in JobPlaces(place for place in outputs if place not in overlaps).find_cycles():
        first = min(range(len(cycle)), key=lambda at: _position_of(cycle[at]))
        reader.add(outputs[cycle[first]], *_explain_cycle(cycle[first + 1 :] + cycle[:first]))


def _to_job_place(job: Job) -> JobPlace:
    # Two of one name on one line are refused for that.
    name = f"{job.title} on line {job.line}"
    return JobPlace(name, job, job.on, job.reads, job.output, filled="{" not in job.output)


def _find_overlaps(outputs: Iterable[JobPlace]) -> dict[JobPlace, JobPlace]:
    """The places whose output overlaps with an earlier one's, each with the first of them."""
    found: dict[JobPlace, JobPlace] = {}
    places = JobPlaces(outputs)
    for place in outputs:
        for other, *_ in places.find_overlapping(place.output, place):
            earlier, later = sorted((other, place), key=_position_of)
            if earlier != later:
                found.setdefault(later, earlier)
    return found


def _explain_cycle(others: list[JobPlace]) -> Fault:
    chain = ", which feeds ".join(map(str, others))
    what, why = f"its output feeds {chain}, which feeds it again", "each would start the next"
    return Fault(what, f"{why}, without end", "let one of them write elsewhere")


def _position_of(place: JobPlace) -> tuple[int, int]:
    return place.job.line, place.job.column
