"""Match an upload with jobs: which ones it starts, as whom, and why others are refused."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache

from grantor.core.diagnostics import Fault, Problem, join_words, quote_text
from grantor.core.grant import profile_subject
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
    JobPlaces,
    ProfileSelector,
    Start,
)
from grantor.core.snapshot import Inventory, Profile
from grantor.limits import MAX_CONTAINER_ARGUMENT_CHARACTERS
from grantor.settings import MAX_LISTED_NAMES

Arguments = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class StartValidator:
    """Validates what an upload would start.

    `may_pass` are patterns of the ARNs of roles; `places` are those of all known jobs.
    """

    upload: str
    may_pass: frozenset[str]
    places: Sequence[JobPlace]

    def find_faults(self, place: JobPlace, role: str, arguments: Arguments) -> Iterator[Fault]:
        """Yield everything that is wrong with one start."""
        if not any(fnmatchcase(role, pattern) for pattern in self.may_pass):
            yield self._role_fault(role)
        yield from self._bucket_faults(place)
        yield from _length_faults(place, arguments)
        yield from self._overlap_faults(place)

    def _role_fault(self, role: str) -> Fault:
        known = sorted(self.may_pass)
        few = [*known[:MAX_LISTED_NAMES], "others"] if len(known) > MAX_LISTED_NAMES else known
        why = (
            "jobs run only as roles that the stack's parameter JobRoles names, and it names "
            f"{join_words(few, 'and') if few else 'none'}"
        )
        return Fault(
            f"{role} may not be passed to a job",
            why,
            "add the role to JobRoles, or run the job as another",
        )

    def _bucket_faults(self, place: JobPlace) -> Iterator[Fault]:
        bucket = self.upload[: self.upload.index("/", len("s3://")) + 1]
        for called, uri in (("input", place.input), ("output", place.output)):
            if not uri.startswith(bucket):
                why = f"jobs read and write in the bucket of the upload, {bucket}"
                yield Fault(
                    f"its {called} {quote_text(uri)} is in another bucket",
                    why,
                    f"write {called}: s3://{{data_bucket}}/…",
                )

    def _overlap_faults(self, place: JobPlace) -> Iterator[Fault]:
        if place.feeds(place):
            what = f"its output {place.output} contains what the job waits for or reads"
            yield Fault(
                what,
                "the job would start itself, again and again",
                "write a folder beside them as its output",
            )
        if other := next(
            (other for other in self.places if other != place and place.overlaps(other)), None
        ):
            what = f"its output {place.output} overlaps with that of {other}, {other.output}"
            yield Fault(what, "their files would be mixed", "give each a folder of its own")
        if way := JobPlaces(self.places).find_cycle(place):
            what = (
                f"its output feeds {', which feeds '.join(map(str, way[1:]))}, which feeds it again"
            )
            yield Fault(
                what, "each would start the next, without end", "let one of them write elsewhere"
            )


def _length_faults(place: JobPlace, arguments: Arguments) -> Iterator[Fault]:
    texts = {
        "the key of its input": _object_key(place.input),
        "the key of its output": _object_key(place.output).removesuffix("/"),
        **{f"the argument {name}": value for name, value in arguments},
    }
    for called, text in texts.items():
        if len(text) > MAX_CONTAINER_ARGUMENT_CHARACTERS:
            why = f"SageMaker passes at most {MAX_CONTAINER_ARGUMENT_CHARACTERS} of them to a job"
            yield Fault(
                f"{called} has {len(text)} characters: {quote_text(text)}",
                why,
                "shorten the names in it",
            )


def _object_key(uri: str) -> str:
    return uri.removeprefix("s3://").partition("/")[2]


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
            arguments = tuple(
                (name, fill_variables(value, values)) for name, value in job.arguments
            )
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
            name = f"{profile.domain}/{profile.name}" if profile else ""
            self.starts.append(
                Start(
                    replace(place.job, arguments=arguments),
                    role,
                    name,
                    self.upload,
                    place.input,
                    place.output,
                )
            )

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
