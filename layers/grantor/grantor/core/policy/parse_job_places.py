"""Parse the places of a job: which uploads start it, what it reads and where it writes; and how the
places of jobs affect each other.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import pairwise

from grantor.core import scope
from grantor.core.diagnostics import Fault, find_nearest, quote_text
from grantor.core.key_pattern import (
    BRACES,
    MAX_OPEN_PER_SEGMENT,
    OPEN,
    OWN_VARIABLE,
    TOKEN,
    WILD,
    JobPlace,
    JobPlaces,
    KeyPattern,
)
from grantor.core.policy.variables import BUCKET, TextContext
from grantor.core.policy.yaml_tree import Fields, PolicyReader, Text
from grantor.core.rules import DOMAIN_VARIABLE, Job, is_glob
from grantor.core.scope import replace_variables
from grantor.limits import MAX_CONTAINER_ARGUMENT_CHARACTERS

DATA = f"s3://{{{BUCKET}}}/"
# What people write before a bucket's name elsewhere.
SCHEME = re.compile(r"(?i)[a-z0-9]+:/+|arn:aws[a-z-]*:s3:::")
OWN_FOLDER = re.compile(r".*/\{profile\.(?:name|folder)\}")
LENGTH_REASON = f"SageMaker passes at most {MAX_CONTAINER_ARGUMENT_CHARACTERS} of them to a job"
# What goes wrong where a text is the same for every profile.
SHARED_PLACE_REASONS = {
    "on": "one upload would start the job for each of them",
    "output": "the jobs of all profiles would write to one folder",
}


def parse_places(job: Fields, context: TextContext) -> dict[str, str]:
    """The patterns and the folder of a job by key; those that are wrong are reported."""
    given = {key: text for key in ("on", "input", "output") if (text := job.text(key))}
    defining = _with_captures(context, None)
    found: dict[str, str] = {}
    if on := given.get("on"):
        found |= _check_place("on", on, defining, lambda text: _find_on_faults(text, job, context))
    captures = KeyPattern(context.fill_bucket(found.get("on", ""))).captures
    # Where `on` is wrong itself, one message about that is enough.
    known = _with_captures(context, frozenset(captures) if "on" in found else None)
    if input_ := given.get("input"):
        found |= _check_place(
            "input", input_, known, lambda text: _find_input_faults(text, context)
        )
    if output := given.get("output"):
        found |= _check_place(
            "output", output, known, lambda text: _find_output_faults(text, context)
        )
    if _refuse_lost_captures(given, found, captures, context):
        return {}
    if _refuse_shared_place(job, given, found, context):
        return {}
    return {} if _refuse_self_start(given, found, context) else found


def find_captures(places: Mapping[str, str], context: TextContext) -> frozenset[str]:
    """The captures that an upload gives a value, by the places that parse_places has found."""
    return frozenset(KeyPattern(context.fill_bucket(places.get("on", ""))).captures)


def _with_captures(context: TextContext, captures: frozenset[str] | None) -> TextContext:
    return replace(context, variables=replace(context.variables, captures=captures))


def _check_place(
    key: str, given: Text, context: TextContext, find_faults: Callable[[str], Iterable[Fault]]
) -> dict[str, str]:
    text = context.check_text(given, find_faults)
    return {key: text} if text else {}


def _find_on_faults(text: str, job: Fields, context: TextContext) -> Iterable[Fault]:
    """What is wrong with the objects whose upload starts a job."""
    if faults := _find_pattern_faults(text, context):
        return faults
    is_input = "input" not in job.keys
    if WILD in text and "quiet" not in job.keys:
        return [_explain_many(text)]
    return _find_length_faults(text) if is_input else []


def _explain_many(text: str) -> Fault:
    why = "without quiet each upload starts a run of its own, and their outputs would be mixed"
    remedy = "write quiet: 30s for one run over all of them, or {name} in place of *"
    return Fault(f"{quote_text(text)} stands for several objects", why, remedy)


def _find_input_faults(text: str, context: TextContext) -> Iterable[Fault]:
    """What is wrong with the objects that a job reads."""
    return _find_pattern_faults(text, context) or _find_length_faults(text)


def _find_output_faults(text: str, context: TextContext) -> Iterable[Fault]:
    """What is wrong with the folder that a job writes to."""
    return (
        _find_start_faults(text, context)
        or _find_folder_faults(text)
        or scope.find_folder_faults(text)
        or _find_output_capture_faults(text)
        or _find_length_faults(text)
    )


def _find_pattern_faults(text: str, context: TextContext) -> list[Fault]:
    if faults := _find_start_faults(text, context):
        return faults
    if text.endswith("/") or OWN_FOLDER.fullmatch(text):
        folder = text.rstrip("/")
        why = "a job waits for objects, and reads objects"
        remedy = f"write the key of an object, such as {folder}/abalone.csv, or {folder}/*"
        return [Fault(f"{quote_text(text)} is a folder", why, remedy)]
    plain = f"s3://{_bucket_of(text)}/{_literal_key(text)}" if WILD in text else text
    return _find_glob_faults(text) or [
        fault._replace(what=fault.what.replace(plain, text))
        for fault in scope.find_object_faults(plain)
    ]


def _bucket_of(text: str) -> str:
    return text.removeprefix("s3://").partition("/")[0]


def _literal_key(text: str) -> str:
    """The key with a word in place of each *, to check the rest of it."""
    return text.removeprefix("s3://").partition("/")[2].replace(WILD, "any")


def _find_start_faults(text: str, context: TextContext) -> list[Fault]:
    """What is wrong with the scheme and the bucket."""
    start = _bucket_of(text) if text.startswith("s3://") else text.partition("/")[0]
    names = [name for name in BRACES.findall(start) if name != BUCKET]
    unknown = [name for name in names if OPEN.fullmatch(f"{{{name}}}")]
    if unknown:  # mostly a misspelt variable, and a bucket is no capture
        return [context.variables.explain_unknown(unknown[0])]
    if names and text.startswith("s3://"):
        why = "a job works in the same buckets for every profile"
        return [Fault(f"{{{names[0]}}} in the name of a bucket", why, "write the bucket's name")]
    return _find_scheme_faults(text)


def _find_glob_faults(text: str) -> list[Fault]:
    if "**" in text:
        why = "* stands for a part of one segment, and /* at the end for everything below"
        remedy = f"write {text[: text.index('**')].rstrip('/')}/*"
        return [Fault(f"{quote_text(text)} contains **", why, remedy)]
    for segment in text.split("/")[3:]:
        tokens = list(TOKEN.finditer(segment))
        count = sum(OPEN.fullmatch(token[0]) is not None for token in tokens)
        touching = any(first.end() == second.start() for first, second in pairwise(tokens))
        if count and touching:
            why = "nothing says where one of them ends and the next begins"
            remedy = "write a sign between them, or only one"
            return [
                Fault(f"{quote_text(segment)} has two of * and {{…}} side by side", why, remedy)
            ]
        if count and len(tokens) > MAX_OPEN_PER_SEGMENT:
            why = f"one segment of a key has at most {MAX_OPEN_PER_SEGMENT} of * and {{…}}"
            remedy = "leave some out, or put slashes between them"
            return [Fault(f"{quote_text(segment)} has {len(tokens)} of them", why, remedy)]
    return []


def _find_scheme_faults(text: str) -> list[Fault]:
    """What keeps it from being a location in S3 at all."""
    if text.startswith("s3://"):
        return []
    scheme = SCHEME.match(text)
    key = text[scheme.end() :].partition("/")[2] if scheme else text.lstrip("/")
    why = f"a job's locations start with s3:// and a bucket, as {DATA} does"
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


def _find_output_capture_faults(text: str) -> list[Fault]:
    """Captures of which different values could give one folder."""
    for segment in text.split("/")[3:]:
        if len(OPEN.findall(segment)) > 1:
            why = "different values of them could give one folder"
            remedy = "write a slash between them"
            return [Fault(f"{quote_text(segment)} has several captures", why, remedy)]
    return []


def _find_length_faults(text: str) -> list[Fault]:
    key = replace_variables(text).removeprefix("s3://").partition("/")[2]
    if len(key) <= MAX_CONTAINER_ARGUMENT_CHARACTERS:
        return []
    return [Fault(f"the key has {len(key):,} characters", LENGTH_REASON, "shorten it")]


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
    return _refuse_shared_domain(runs_as, given, found, context) or bool(shared)


def _refuse_shared_domain(
    runs_as: Fields, given: Mapping[str, Text], found: Mapping[str, str], context: TextContext
) -> bool:
    """Report what is the same in several domains, where profiles may have one name; True if any
    is.
    """
    profiles = runs_as.fields("each_profile")
    names = (
        [one.value for one in profiles.listed("domain") if isinstance(one, Text)]
        if profiles
        else []
    )
    if len(names) < 2 and not any(map(is_glob, names)):
        return False
    shared = [
        key
        for key in SHARED_PLACE_REASONS
        if DOMAIN_VARIABLE not in found.get(key, DOMAIN_VARIABLE)
    ]
    for key in shared:
        what = f"{quote_text(found[key])} is the same in every domain"
        why = "profiles of one name in two domains would share it"
        context.reader.add(given[key], what, why, f"write {DOMAIN_VARIABLE} in it")
    return bool(shared)


def _refuse_lost_captures(
    given: Mapping[str, Text],
    found: Mapping[str, str],
    captures: Iterable[str],
    context: TextContext,
) -> bool:
    """Report captures that are not in the output: their runs would write to one folder."""
    if "output" not in found:
        return False
    lost = [name for name in captures if f"{{{name}}}" not in found["output"]]
    for name in lost:
        near = find_nearest(name, context.variables.list_known())
        what = f"{{{name}}} is not in output"
        why = "each value of it is a run of its own, and all of them would write to one folder"
        instead = f"write {{{name}}} in output, too, or * in its place and quiet: 30s"
        remedy = f"did you mean {{{near}}}? If not, {instead}" if near else instead
        context.reader.add(given["on"], what, why, remedy)
    return bool(lost)


def _refuse_self_start(
    given: Mapping[str, Text], found: Mapping[str, str], context: TextContext
) -> bool:
    """Report a job that would start itself; True if it would."""
    if "output" not in found:
        return False
    output = context.fill_bucket(found["output"])
    inside = [
        key
        for key in ("on", "input")
        if key in found and KeyPattern(context.fill_bucket(found[key])).may_be_below(output)
    ]
    if inside:
        pattern = KeyPattern(found[inside[0]])
        what = f"{quote_text(found['output'])} {_describe_inside(pattern, inside[0])}"
        why = "the job would start itself, again and again"
        context.reader.add(given["output"], what, why, f"write {_suggest_output(pattern)}")
    return bool(inside)


def _describe_inside(pattern: KeyPattern, key: str) -> str:
    one = not OPEN.search(_literal_brackets(pattern.text))
    return f"contains the object under {key}" if one else f"may hold objects that match {key}"


def _literal_brackets(text: str) -> str:
    return text.replace(f"{{{BUCKET}}}", BUCKET)


def _suggest_output(pattern: KeyPattern) -> str:
    """A folder that no object under the pattern lies in."""
    text = pattern.text
    if OPEN.search(_literal_brackets(text)) is None:
        return f"{text.rpartition('/')[0]}/output/"
    kept = "".join(f"{found}/" for found in re.findall(r"\{[a-z][a-z0-9_.]*\}", text)[1:])
    return f"s3://{_bucket_of(text)}/output/{kept}"


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
    name, filled = f"{job.title} on line {job.line}", not OWN_VARIABLE.search(job.output)
    return JobPlace(name, job, job.on, job.reads, job.output, filled=filled)


def _find_overlaps(outputs: Iterable[JobPlace]) -> dict[JobPlace, JobPlace]:
    """The places whose output overlaps with an earlier one's, each with the first of them."""
    found: dict[JobPlace, JobPlace] = {}
    places = JobPlaces(outputs)
    for place in outputs:
        for other in places.find_overlapping(place):
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
