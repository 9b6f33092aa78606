"""What a job means, once it has the language's shape."""

from collections.abc import Mapping
from functools import partial

from grantor.core.job import Job
from grantor.core.policy.document import Fields, Text
from grantor.core.policy.reading.context import Context, Contexts
from grantor.core.policy.reading.grantees import runner
from grantor.core.policy.reading.objects import input_faults, output_faults, upload_faults
from grantor.core.policy.reading.running import arguments, instances, time_limit
from grantor.core.problem import Judge, shown

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
