"""Parse a job: what it runs, as whom, on which machines, and with which arguments."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial

from grantor.core.diagnostics import Fault, find_nearest, join_words, quote_text
from grantor.core.machines import read_memory, starts_executor, suggest_machine
from grantor.core.policy import durations
from grantor.core.policy.job_types import JobType, JobTypes, Parameter
from grantor.core.policy.parse_job_places import LENGTH_REASON, find_captures, parse_places
from grantor.core.policy.parse_rules import parse_runner
from grantor.core.policy.text_forms import ARGUMENT_NAME, INSTANCE
from grantor.core.policy.variables import Contexts, TextContext
from grantor.core.policy.yaml_tree import Fields, Text, explain_misread
from grantor.core.rules import AUTO_INSTANCES, RESERVED_ARGUMENTS, Instances, Job
from grantor.core.scope import replace_variables
from grantor.limits import MAX_CONTAINER_ARGUMENT_CHARACTERS
from grantor.settings import DEFAULT_JOB_TIME_LIMIT, MAX_QUIET_TIME, MIN_QUIET_TIME

DEFAULT_INSTANCES = Instances()
QUIET = re.compile(r"([1-9]\d{0,3})([sm])", re.ASCII)


def parse_job(job: Fields, contexts: Contexts, job_types: JobTypes) -> Job | None:
    """The job; None if something is wrong with it, which is then reported."""
    plain, own = contexts[False, False], contexts[_has_profile_variables(job), False]
    runs_as = parse_runner(fields, plain) if (fields := job.fields("as")) else None
    run, kind = job.text("run"), _find_job_type(job, own, job_types)
    instances, limit = parse_instances(job, own), parse_time_limit(job, own)
    places, quiet = parse_places(job, own), parse_quiet(job, own)
    captures = find_captures(places, own) if "on" in places else None
    known = replace(own, variables=replace(own.variables, captures=captures))
    arguments = parse_arguments(job, known, kind)
    name = job.text("name")
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
        quiet=quiet,
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


def _find_job_type(job: Fields, context: TextContext, known: JobTypes) -> JobType | None:
    """The job type that runs; None if there is none of this name, which is then reported."""
    run = job.text("run")
    if run is None or run.value in known:
        return known[run.value] if run else None
    near = find_nearest(run.value, known)
    listed = join_words(known, "and") if known else "none"
    what = "the only job type that ships is" if len(known) == 1 else "the job types that ship are"
    remedy = f"did you mean {near}?" if near else "write one of these, or add a job type to them"
    context.reader.add(run, f"unknown job type {quote_text(run.value)}", f"{what} {listed}", remedy)
    return None


def parse_quiet(job: Fields, context: TextContext) -> timedelta:
    """How long nothing must arrive before a run; 0 if it does not say, or something is wrong."""
    given = job.text("quiet")
    if given is None:
        return timedelta()
    found = QUIET.fullmatch(given.value)
    length = int(found[1]) * durations.UNITS[found[2]] if found else timedelta()
    if MIN_QUIET_TIME <= length <= MAX_QUIET_TIME:
        return length
    what = f"{quote_text(given.value)} is not a length of time for quiet"
    why = "expected a whole number and s or m, for seconds or minutes, from 10s to 15m"
    context.reader.add(given, what, why, "write for example quiet: 30s")
    return timedelta()


def parse_instances(job: Fields, context: TextContext) -> Instances:
    """The machines; what is wrong is reported."""
    if auto := job.text("instances"):
        if auto.value == "auto":
            return AUTO_INSTANCES
        remedy = f"write instances: {{type: {_suggest_type(auto.value)}}}, or instances: auto"
        why = "expected auto, or a mapping with type, count and volume"
        context.reader.add(auto, f"instances is {quote_text(auto.value)}", why, remedy)
    given = job.fields("instances") or Fields({}, {}, 1, 1)
    kind, count, volume = (given.text(key) for key in ("type", "count", "volume"))
    found = Instances(
        kind.value if kind else DEFAULT_INSTANCES.type,
        int(count.value) if count else DEFAULT_INSTANCES.count,
        int(volume.value) if volume else DEFAULT_INSTANCES.volume,
    )
    if kind and not INSTANCE.fits(kind.value):
        context.reader.add(kind, *_explain_instance(kind.value))
    elif not starts_executor(found.type, found.count):
        context.reader.add(kind or given.keys["count"], *_explain_small(found))
    return found


def _suggest_type(text: str) -> str:
    near = next((word for word in (text, f"ml.{text}") if INSTANCE.fits(word)), "")
    return near or DEFAULT_INSTANCES.type


def _explain_small(instances: Instances) -> Fault:
    memory = read_memory(instances.type) or 0
    return Fault(
        f"one {instances.type} has {memory:,} MiB of memory",
        "AWS's container starts no executor on a single machine with less than about 15,059 MiB, "
        "and the run would wait for one until its time limit",
        f"write type: {suggest_machine(instances.type)}, or count: 2",
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


def parse_arguments(
    job: Fields, context: TextContext, kind: JobType | None
) -> tuple[tuple[str, str], ...]:
    """The values of the job type's parameters, in the file's order; wrong ones are reported.

    Without a job type, each name is accepted.
    """
    given = job.fields("arguments") or Fields({}, {}, job.line, job.column)
    accepted = kind.parameters if kind else {}
    for name, key in given.keys.items():
        unknown = kind is not None and name not in accepted and ARGUMENT_NAME.fits(name)
        if name in RESERVED_ARGUMENTS or unknown:
            context.reader.add(key, *_explain_argument(name, accepted))
    for one in accepted.values():
        if one.is_required and one.name not in given.keys:
            context.reader.add(given, *_explain_missing(one))
    found = []
    texts = {name: value for name, value in given.values.items() if isinstance(value, Text)}
    for name, value in texts.items():
        check = partial(_find_argument_faults, accepted.get(name), value.plain)
        if text := context.check_text(value, check):
            found.append((name, context.fill_bucket(text)))
    return tuple(found)


def _explain_argument(name: str, accepted: Mapping[str, Parameter]) -> Fault:
    if name in RESERVED_ARGUMENTS:
        return Fault(f"{name} in arguments", "Grantor sets this argument itself", "remove it")
    near = find_nearest(name, accepted)
    remedy = f"did you mean {near}?" if near else "remove it, or write one of these"
    why = f"the job accepts {join_words(accepted, 'and')}"
    return Fault(f"unknown argument {quote_text(name)}", why, remedy)


def _explain_missing(parameter: Parameter) -> Fault:
    why = f"the job type needs it and has no default for it: {parameter.form}"
    remedy = f"write arguments: {{{parameter.name}: {parameter.example}}}"
    return Fault(f"{parameter.name} is missing in arguments", why, remedy)


def _find_argument_faults(parameter: Parameter | None, plain: bool, text: str) -> list[Fault]:
    length = len(replace_variables(text))
    if length > MAX_CONTAINER_ARGUMENT_CHARACTERS:
        return [Fault(f"the value has {length:,} characters", LENGTH_REASON, "shorten it")]
    if parameter is None or "{" in text:
        return []
    misread = explain_misread(text) if plain and parameter.is_text else None
    fault = misread or parameter.explain_value(text)
    return [fault] if fault else []
