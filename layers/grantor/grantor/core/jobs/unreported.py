"""Uploads that no event can tell of: those that nearly have the name of a job's input, and start
nothing, and those whose event has not arrived, which a sweep finds.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache

from grantor.core.grant import split_uri
from grantor.core.jobs.decide import InputStatus
from grantor.core.jobs.job_status import JobStatus
from grantor.core.jobs.match import build_start, fill_arguments, fill_places, fill_values
from grantor.core.key_pattern import OPEN, TOKEN, KeyPattern, fill_captures
from grantor.core.planning.grantees import ProfileIndex, resolve_execution_role
from grantor.core.planning.scopes import RuleRejected, profile_values
from grantor.core.rules import IamPrincipal, Job, Start
from grantor.core.snapshot import InputObject, Inventory
from grantor.settings import SWEEP_SECONDS, SWEPT_AFTER_SECONDS, SWEPT_UPLOAD_AGE

# What people's machines add to the name of a file, once case, blanks and the like are gone: the
# number of a copy, the word for one, and one suffix more.
COPY_MARK = re.compile(r"\(\d+\)|^copyof|copy\d*$")
FILE_SUFFIXES = re.compile(r"(?:\.(?:csv|tsv|txt|gz|zip|bz2|xz|zst|xlsx?|bak|part))+$")
IGNORED_SIGNS = re.compile(r"[\s_+-]|%20")
COMPRESSED = (".gz", ".zip", ".bz2", ".xz", ".zst")
ADDED_SUFFIXES = re.compile(r"(?:\.(?:gz|zip|bz2|xz|zst|bak|part|txt))+$")  # to the name of a glob


@dataclass(frozen=True)
class NearMiss:
    """An upload that starts nothing, and that nearly has the name of a job's input."""

    upload: str  # s3://bucket/key
    nearest: str  # s3://bucket/key or a pattern, whose upload starts the job
    job: str  # policy/a.yaml#abalone

    def __str__(self) -> str:
        file, _, name = self.job.partition("#")
        how = ", not compressed" if self.upload.casefold().endswith(COMPRESSED) else ""
        as_name = "a name that matches" if OPEN.search(self.nearest) else "that name"
        return (
            f"{_quote_key(self.upload)} starts nothing: job {name} of {file} waits for "
            f"{_quote_key(self.nearest)}, and names are compared letter by letter; "
            f"upload it under {as_name}{how}"
        )


def _quote_key(uri: str) -> str:
    return uri if uri.isascii() and uri.isprintable() and " " not in uri else repr(uri)


def may_be_near_miss(jobs: Iterable[Job], upload: str) -> bool:
    """Whether the upload is nearly the input of a job, for some profile that may exist.

    It needs no reads, since it is asked about every object that starts nothing.
    """
    return any(_is_near(job.on, upload) for job in jobs)


def find_near_miss(jobs: Iterable[Job], upload: str, inventory: Inventory) -> NearMiss | None:
    """Return the input of a job that the upload was most likely meant for; None if there is none.

    The inventory needs every profile of the jobs.
    """
    near = [job for job in jobs if _is_near(job.on, upload)]
    found = [
        NearMiss(upload, start.upload, start.job.id)
        for start in list_starts(near, inventory)
        if _is_near(start.upload, upload)
    ]
    exact = any(KeyPattern(one.nearest).match(upload) is not None for one in found)
    return None if exact else min(found, key=lambda one: (one.nearest, one.job), default=None)


def _is_near(on: str, upload: str) -> bool:
    """Whether the upload is the object, or matches the pattern, but for what people get wrong."""
    if OPEN.search(on):
        return _loose_pattern(on).fullmatch(_tidy_key(upload)) is not None
    return _near_pattern(on).fullmatch(_simplify_key(upload)) is not None


@lru_cache(4096)
def _simplify_key(uri: str) -> str:
    """Return the URI without what people get wrong in names: case, blanks, marks of copies, one
    suffix more, slashes at the beginning or doubled.

    >>> _simplify_key("s3://b/usera/abalone (1).CSV"), _simplify_key("s3://b//User A/abalone.gz")
    ('s3://b/usera/abalone', 's3://b/usera/abalone')
    """
    bucket, key = split_uri(uri)
    plain = IGNORED_SIGNS.sub("", unicodedata.normalize("NFKC", key).casefold())
    *folders, name = [part for part in plain.split("/") if part] or [""]
    return "/".join((f"s3://{bucket}", *folders, COPY_MARK.sub("", FILE_SUFFIXES.sub("", name))))


@lru_cache(1024)
def _near_pattern(on: str) -> re.Pattern[str]:
    """Compile `on` as simplified names match it; each variable is a name or a part of one."""
    parts = _simplify_key(TOKEN.sub("\0", on)).split("\0")
    return re.compile("[^/]*".join(map(re.escape, parts)))


@lru_cache(4096)
def _tidy_key(uri: str) -> str:
    """Return the URI as a pattern's author may have meant it: in one case, without blanks, slashes
    too many and suffixes that programs add. Its name is left alone, since any name may match.

    >>> _tidy_key("s3://b//in/A 1.CSV.gz")
    's3://b/in/a1.csv'
    """
    bucket, key = split_uri(uri)
    plain = IGNORED_SIGNS.sub("", unicodedata.normalize("NFKC", key).casefold())
    *folders, name = [part for part in plain.split("/") if part] or [""]
    return "/".join((f"s3://{bucket}", *folders, ADDED_SUFFIXES.sub("", name)))


@lru_cache(1024)
def _loose_pattern(on: str) -> re.Pattern[str]:
    """Compile a pattern as tidy keys match it."""
    bucket, key = split_uri(on)
    deep = key.endswith("/*")
    parts = [
        IGNORED_SIGNS.sub("", part.casefold()) for part in TOKEN.split(key[: -2 * deep or None])
    ]
    below = "/.+" if deep else ""
    return re.compile(re.escape(f"s3://{bucket}/") + "[^/]+".join(map(re.escape, parts)) + below)


def list_starts(jobs: Iterable[Job], inventory: Inventory) -> Iterator[Start]:
    """Yield what the input of each job would start for each profile of the inventory.

    Captures remain; fill_start fills them. Nothing is validated. Leaves out profiles without a role
    or without a value for a variable.
    """
    profiles = ProfileIndex(inventory)
    for job in jobs:
        if isinstance(job.runs_as, IamPrincipal):
            yield build_start(fill_places(job, None), job.runs_as.arn, job.arguments, None)
            continue
        for profile in profiles.select_profiles(job.runs_as):
            with suppress(RuleRejected):
                role = resolve_execution_role(profile).identifier
                arguments = fill_arguments(job, profile_values(profile))
                yield build_start(fill_places(job, profile), role, arguments, profile)


def fill_start(start: Start, captured: Mapping[str, str]) -> Start:
    """Return a start with the values that an upload gives the captures."""
    job = replace(start.job, arguments=fill_values(start.job.arguments, captured))
    upload, reads, output = (
        fill_captures(text, captured) for text in (start.upload, start.input, start.output)
    )
    return replace(start, job=job, upload=upload, input=reads, output=output)


def sort_starts(starts: Iterable[Start]) -> list[Start]:
    """Sort starts by what they wait for, so that each sweep has them in the same order."""
    return sorted(starts, key=lambda start: (start.upload, start.job.id))


def choose_swept[Swept](ordered: Sequence[Swept], now: float, most: int) -> Sequence[Swept]:
    """Choose what the sweep at `now` (seconds since the epoch) looks at, at most `most` of it.

    Of more, each sweep takes the next ones, so that the sweeps look at all of them in turn; the
    time says which, so nothing has to be remembered.

    >>> [choose_swept("abcde", sweep * SWEEP_SECONDS, 2) for sweep in (0, 1, 2)]
    [['a', 'b'], ['c', 'd'], ['e', 'a']]
    """
    if len(ordered) <= most:
        return ordered
    begin = int(now // SWEEP_SECONDS) * most % len(ordered)
    return [*ordered[begin:], *ordered[:begin]][:most]


def is_swept_age(found: InputObject, now: float) -> bool:
    """Whether a sweep at `now` (seconds since the epoch) judges this upload.

    The event of a younger one may be on its way. An older one was there when nobody waited for it:
    a job that is new starts nothing for years of data.
    """
    age = now - found.uploaded
    return SWEPT_AFTER_SECONDS <= age <= SWEPT_UPLOAD_AGE.total_seconds()


def is_unreported(status: InputStatus, found: InputObject, run: str) -> bool:
    """Whether no attempt was for this upload, so that no event has reported it.

    `run` is the run that it calls for; "" if the upload is not what the job reads. What completed
    stays so under newer code. What failed is tried again with it.
    """
    if status.status in (JobStatus.NEVER, JobStatus.IN_PROGRESS):
        return status.status is JobStatus.NEVER
    if found.uploaded > status.at or (run and found.version != status.version):
        return not run or run != status.done
    return status.status is not JobStatus.COMPLETED and run not in ("", status.run)
