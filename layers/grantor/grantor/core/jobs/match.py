"""Match an upload with jobs: which ones it starts, as whom, and why others are refused; and which
job's input it has missed by a few letters.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from grantor.core.diagnostics import Fault, Problem
from grantor.core.grant import profile_subject, split_uri
from grantor.core.jobs.preflight import Arguments, StartValidator
from grantor.core.planning.bounds import Bounds
from grantor.core.planning.grantees import (
    ProfileIndex,
    check_domain,
    matches_name,
    resolve_execution_role,
)
from grantor.core.planning.profile_conflicts import ConflictCheck
from grantor.core.planning.scopes import (
    VARIABLE,
    NotRead,
    RuleRejected,
    fill_variables,
    locate_fault,
    profile_values,
)
from grantor.core.rules import (
    PROFILE_VARIABLES,
    IamPrincipal,
    Job,
    JobPlace,
    ProfileSelector,
    Start,
)
from grantor.core.snapshot import Inventory, Profile


def find_candidates(jobs: Iterable[Job], upload: str) -> tuple[Job, ...]:
    """Return the jobs that `upload` (s3://bucket/key) may start, depending on which profiles
    exist.
    """
    return tuple(job for job in jobs if _can_start(job, upload))


def find_subjects(jobs: Iterable[Job], upload: str) -> frozenset[str] | None:
    """Return the subjects of the profiles that these candidates can be for.

    None if the key does not tell, so that every profile is possible.
    """
    found = [
        (job.runs_as.domain, _profile_names(job, job.runs_as, upload))
        for job in jobs
        if isinstance(job.runs_as, ProfileSelector)
    ]
    if any(names is None for _, names in found):
        return None
    return frozenset(
        profile_subject(domain, name) for domain, names in found for name in names or ()
    )


def _can_start(job: Job, upload: str) -> bool:
    if not isinstance(job.runs_as, ProfileSelector):
        return job.on == upload
    return (
        _upload_pattern(job.on).fullmatch(upload) is not None
        and _profile_names(job, job.runs_as, upload) != frozenset()
    )


def _profile_names(job: Job, to: ProfileSelector, upload: str) -> frozenset[str] | None:
    """Return the names of the profiles that the upload may belong to; None if any name is
    possible.
    """
    found = _upload_pattern(job.on).fullmatch(upload)
    names = (
        [_names_for_value(variable, found[group]) for variable, group in _segment_variables(job.on)]
        if found
        else []
    )
    if not names:
        return None
    return frozenset(
        name for name in frozenset.intersection(*names) if matches_name(to, to.domain, name)
    )


def _names_for_value(variable: str, value: str) -> frozenset[str]:
    """Return the names for which the variable has this value: userA and UserA have the folder
    UserA.
    """
    if variable == PROFILE_VARIABLES[0]:
        return frozenset((value,))
    return frozenset(
        name
        for name in (value, value[:1].lower() + value[1:])
        if Profile("", name, "").folder == value
    )


@lru_cache(1024)
def _upload_pattern(on: str) -> re.Pattern[str]:
    """Compile `on` with each variable as a group, which matches a name or a part of one."""
    return re.compile("([^/]+)".join(map(re.escape, VARIABLE.split(on)[::2])))


@lru_cache(1024)
def _segment_variables(on: str) -> tuple[tuple[str, int], ...]:
    """Return the variables whose value the key tells, each with the number of its group.

    Those are the variables that fill a whole segment between two slashes.
    """
    found, group = [], 0
    for segment in on.split("/"):
        inside = [variable[0] for variable in VARIABLE.finditer(segment)]
        if len(inside) == 1 and inside[0] in PROFILE_VARIABLES:
            found.append((inside[0], group + 1))
        group += len(inside)
    return tuple(found)


@dataclass(frozen=True)
class StartPlan:
    """What an upload starts and what is refused; `unread` says what could not be judged yet."""

    starts: tuple[Start, ...] = ()
    refused: tuple[Problem, ...] = ()
    unread: tuple[str, ...] = ()


def plan_starts(
    jobs: Iterable[Job],
    upload: str,
    inventory: Inventory,
    may_pass: frozenset[str],
    bounds: Bounds,
) -> StartPlan:
    """Plan what `upload` (s3://bucket/key) starts, of all `jobs`, whose order does not matter.

    The inventory needs the profiles of the domains that the candidates' profile queries name, with
    sharing and what is unread. `may_pass` are the ARNs, in which * and ? are wildcards, of the
    roles that a job may run as: the stack's parameter JobRoles. `bounds` limit its machines.
    """
    every_job = tuple(sorted(jobs, key=lambda job: job.id))
    candidates = find_candidates(every_job, upload)
    if not candidates:
        return StartPlan()
    planner = _StartPlanner(every_job, upload, inventory, may_pass)
    for job in candidates:
        planner.add_job(job, bounds.find_job_faults(job))
    return StartPlan(
        tuple(planner.starts), tuple(sorted(planner.refused)), tuple(sorted(planner.unread))
    )


class _StartPlanner:
    """Plans the starts of one upload, job by job."""

    def __init__(
        self, jobs: tuple[Job, ...], upload: str, inventory: Inventory, may_pass: frozenset[str]
    ) -> None:
        self.jobs, self.upload, self.inventory, self.may_pass = jobs, upload, inventory, may_pass
        self.profiles = ProfileIndex(inventory)
        self.starts: list[Start] = []
        self.refused: set[Problem] = set()
        self.unread: set[str] = set()

    def add_job(self, job: Job, outside: Iterable[Fault]) -> None:
        """Add the starts of one job, or why it is refused; `outside` is what exceeds its bounds."""
        if faults := {locate_fault(job, fault) for fault in outside}:
            self.refused |= faults
            return
        try:
            self._add_starts(job)
        except RuleRejected as refused:
            self.refused.add(locate_fault(job, refused.fault))
        except NotRead as unread:
            self.unread.add(f"{job.file}:{job.line}: {job.title}: {unread}")

    def _add_starts(self, job: Job) -> None:
        to = job.runs_as
        if isinstance(to, IamPrincipal):
            self._add_start(_fill_places(job, None), to.arn, job.arguments, None)
            return
        check_domain(to.domain, self.inventory)
        sharing = ConflictCheck(
            job.query_profiles(to), {}, to.tags, self.profiles, self.inventory.now
        )
        for profile in self.profiles.select_profiles(to, to.tags):
            if _fill_upload_uri(job.on, profile) == self.upload:
                self._add_profile_start(job, profile, sharing)

    def _add_profile_start(self, job: Job, profile: Profile, sharing: ConflictCheck) -> None:
        try:
            role, values = resolve_execution_role(profile).identifier, profile_values(profile)
            sharing.check_profile(profile)
            arguments = _fill_arguments(job, values)
            self._add_start(_fill_places(job, profile), role, arguments, profile)
        except RuleRejected as refused:
            self.refused.add(locate_fault(job, refused.fault, refused.about or profile.subject))
        except NotRead as unread:
            self.unread.add(f"{job.file}:{job.line}: {job.title} for {profile.subject}: {unread}")

    def _add_start(
        self, place: JobPlace, role: str, arguments: Arguments, profile: Profile | None
    ) -> None:
        faults = list(self._validator.find_faults(place, role, arguments))
        self.refused |= {
            locate_fault(place.job, fault, profile.subject if profile else "") for fault in faults
        }
        if not faults:
            self.starts.append(_build_start(place, role, arguments, profile))

    @cached_property
    def _validator(self) -> StartValidator:
        return StartValidator(
            self.upload,
            self.may_pass,
            [place for job in self.jobs for place in self._list_places(job)],
        )

    def _list_places(self, job: Job) -> Iterator[JobPlace]:
        """Yield the job's places, for each known profile."""
        if isinstance(job.runs_as, IamPrincipal):
            yield _fill_places(job, None)
            return
        for profile in self.profiles.select_profiles(job.runs_as, job.runs_as.tags):
            try:
                yield _fill_places(job, profile)
            except RuleRejected:
                continue


def _fill_places(job: Job, profile: Profile | None) -> JobPlace:
    """Fill in the job's places for a profile; raises RuleRejected if a variable has no value."""
    if profile is None:
        return JobPlace(f"job {job.id}", job, job.on, job.reads, job.output)
    on, reads, output = (
        fill_variables(text, profile_values(profile)) for text in (job.on, job.reads, job.output)
    )
    return JobPlace(f"job {job.id} for {profile.subject}", job, on, reads, output)


def _fill_upload_uri(on: str, profile: Profile) -> str:
    """Return the upload that starts the profile's job; "" if a variable has no value."""
    try:
        return fill_variables(on, profile_values(profile))
    except RuleRejected:
        return ""


def _fill_arguments(job: Job, values: Mapping[str, str]) -> Arguments:
    return tuple((name, fill_variables(value, values)) for name, value in job.arguments)


def _build_start(
    place: JobPlace, role: str, arguments: Arguments, profile: Profile | None
) -> Start:
    job, whose = replace(place.job, arguments=arguments), ""
    if profile:
        whose = f"{profile.domain}/{profile.name}"
    return Start(job, role, whose, place.on, place.input, place.output)


def list_starts(jobs: Iterable[Job], inventory: Inventory) -> Iterator[Start]:
    """Yield what the input of each job would start for each profile of the inventory.

    Nothing is validated. Leaves out profiles without a role or without a value for a variable.
    """
    profiles = ProfileIndex(inventory)
    for job in jobs:
        if isinstance(job.runs_as, IamPrincipal):
            yield _build_start(_fill_places(job, None), job.runs_as.arn, job.arguments, None)
            continue
        for profile in profiles.select_profiles(job.runs_as, job.runs_as.tags):
            with suppress(RuleRejected):
                role = resolve_execution_role(profile).identifier
                arguments = _fill_arguments(job, profile_values(profile))
                yield _build_start(_fill_places(job, profile), role, arguments, profile)


# What people's machines add to the name of a file, once case, blanks and the like are gone: the
# number of a copy, the word for one, and one suffix more.
COPY_MARK = re.compile(r"\(\d+\)|^copyof|copy\d*$")
FILE_SUFFIXES = re.compile(r"(?:\.(?:csv|tsv|txt|gz|zip|bz2|xz|zst|xlsx?|bak|part))+$")
IGNORED_SIGNS = re.compile(r"[\s_+-]|%20")
COMPRESSED = (".gz", ".zip", ".bz2", ".xz", ".zst")


@dataclass(frozen=True)
class NearMiss:
    """An upload that starts nothing, and that nearly has the name of a job's input."""

    upload: str  # s3://bucket/key
    nearest: str  # s3://bucket/key, whose upload starts the job
    job: str  # policy/a.yaml#abalone

    def __str__(self) -> str:
        file, _, name = self.job.partition("#")
        how = ", not compressed" if self.upload.casefold().endswith(COMPRESSED) else ""
        return (
            f"{_quote_key(self.upload)} starts nothing: job {name} of {file} waits for "
            f"{_quote_key(self.nearest)}, and names are compared letter by letter; "
            f"upload it under that name{how}"
        )


def _quote_key(uri: str) -> str:
    return uri if uri.isascii() and uri.isprintable() and " " not in uri else repr(uri)


def may_be_near_miss(jobs: Iterable[Job], upload: str) -> bool:
    """Whether the upload is nearly the input of a job, for some profile that may exist.

    It needs no reads, since it is asked about every object that starts nothing.
    """
    name = _simplify_key(upload)
    return any(_near_pattern(job.on).fullmatch(name) for job in jobs)


def find_near_miss(jobs: Iterable[Job], upload: str, inventory: Inventory) -> NearMiss | None:
    """Return the input of a job that the upload was most likely meant for; None if there is none.

    The inventory needs every profile of the jobs.
    """
    name = _simplify_key(upload)
    near = [job for job in jobs if _near_pattern(job.on).fullmatch(name)]
    found = [
        NearMiss(upload, start.upload, start.job.id)
        for start in list_starts(near, inventory)
        if _simplify_key(start.upload) == name
    ]
    exact = any(one.nearest == upload for one in found)
    return None if exact else min(found, key=lambda one: (one.nearest, one.job), default=None)


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
    parts = _simplify_key(VARIABLE.sub("\0", on)).split("\0")
    return re.compile("[^/]*".join(map(re.escape, parts)))
