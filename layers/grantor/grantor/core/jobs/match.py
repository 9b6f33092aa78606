"""Match an upload with jobs: which ones it starts, as whom, and why others are refused.

What an upload starts depends on what the launcher looks at because of it: the upload itself, or the
batch that it is a part of. A batch is named by the pattern of its objects, with all variables and
captures filled in, as s3://data/in/2026-11-30/*.csv. That name matches its own pattern.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache

from grantor.core.diagnostics import Fault, Problem, join_some, quote_text
from grantor.core.grant import profile_subject
from grantor.core.key_pattern import (
    OWN_VARIABLE,
    TOKEN,
    JobPlace,
    JobPlaces,
    KeyPattern,
    fill_captures,
)
from grantor.core.planning.bounds import Bounds
from grantor.core.planning.grantees import (
    ProfileIndex,
    check_domains,
    matches_name,
    resolve_execution_role,
)
from grantor.core.planning.profile_conflicts import ConflictCheck
from grantor.core.planning.scopes import (
    NotRead,
    RuleRejected,
    fill_variables,
    locate_fault,
    profile_values,
)
from grantor.core.policy.job_types import SHIPPED_JOB_TYPES
from grantor.core.rules import (
    DOMAIN_VARIABLE,
    PROFILE_VARIABLES,
    IamPrincipal,
    Job,
    ProfileSelector,
    Start,
    is_glob,
)
from grantor.core.snapshot import Inventory, Profile
from grantor.limits import MAX_CONTAINER_ARGUMENT_CHARACTERS
from grantor.settings import MAX_LISTED_NAMES

Arguments = tuple[tuple[str, str], ...]


def find_candidates(jobs: Iterable[Job], upload: str) -> tuple[Job, ...]:
    """Return the jobs that `upload` (s3://bucket/key, or a batch) may start, depending on which
    profiles exist.
    """
    return tuple(
        job for job in jobs if _can_start(job, upload) and name_batch(job, upload) == upload
    )


def list_batches(jobs: Iterable[Job], upload: str) -> tuple[str, ...]:
    """Return what the launcher looks at because of an object: for each job that it may start, the
    object itself or its batch. None may be for it; then it is the object.
    """
    named = (name_batch(job, upload) for job in jobs if _can_start(job, upload))
    return tuple(dict.fromkeys(named)) or (upload,)


def name_batch(job: Job, upload: str) -> str:
    """Return the job's `on` with the values that the key of this upload gives; "" if it does not
    match.
    """
    pattern = _parse_pattern(job.on)
    values = pattern.match(upload)
    return "" if values is None else pattern.fill(values).text


def find_subjects(jobs: Iterable[Job], upload: str) -> frozenset[str] | None:
    """Return the subjects of the profiles that these candidates can be for.

    None if the key does not tell, so that every profile is possible.
    """
    found: set[str] = set()
    for job in jobs:
        if isinstance(job.runs_as, ProfileSelector):
            subjects = _profile_subjects(job, job.runs_as, upload)
            if subjects is None:
                return None
            found |= subjects
    return frozenset(found)


def _can_start(job: Job, upload: str) -> bool:
    if _parse_pattern(job.on).match(upload) is None:
        return False
    to = job.runs_as
    return not isinstance(to, ProfileSelector) or _profile_subjects(job, to, upload) != frozenset()


def _profile_subjects(job: Job, to: ProfileSelector, upload: str) -> frozenset[str] | None:
    """Return the profiles that the upload may belong to; None if the key does not tell a name, or
    only a glob names the domain.
    """
    found = _parse_pattern(job.on).match(upload) or {}
    values = [(name, found[name[1:-1]]) for name in _segment_variables(job.on) if found]
    names = [_names_for_value(*one) for one in values if one[0] in PROFILE_VARIABLES]
    domains = {value for variable, value in values if variable == DOMAIN_VARIABLE}
    if not names or not (domains or not any(map(is_glob, to.domains))):
        return None
    return frozenset(
        profile_subject(domain, name)
        for domain in domains or to.domains
        for name in frozenset.intersection(*names)
        if matches_name(to, domain, name)
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
def _parse_pattern(on: str) -> KeyPattern:
    return KeyPattern(on)


@lru_cache(1024)
def _segment_variables(on: str) -> tuple[str, ...]:
    """Return the variables whose value the key tells: those that are alone in their segment."""
    known = (*PROFILE_VARIABLES, DOMAIN_VARIABLE)
    alone = (found[0] for segment in on.split("/") if len(found := TOKEN.findall(segment)) == 1)
    return tuple(dict.fromkeys(variable for variable in alone if variable in known))


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
    """Plan what `upload` (s3://bucket/key, or a batch) starts, of all `jobs` in any order.

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


@dataclass(frozen=True)
class StartValidator:
    """Validates what an upload would start.

    `may_pass` are patterns of the ARNs of roles; `places` are those of all known jobs.
    """

    may_pass: frozenset[str]
    places: Sequence[JobPlace]

    def find_faults(self, place: JobPlace, role: str, arguments: Arguments) -> Iterator[Fault]:
        """Yield everything that is wrong with one start."""
        if not any(fnmatchcase(role, pattern) for pattern in self.may_pass):
            yield self._role_fault(role)
        yield from _length_faults(place, arguments)
        yield from _value_faults(place, arguments)
        yield from self._overlap_faults(place)

    def _role_fault(self, role: str) -> Fault:
        known = join_some(sorted(self.may_pass), MAX_LISTED_NAMES) or "none"
        why = (
            "jobs run only as roles that the stack's parameter JobRoles names, and it names "
            f"{known}"
        )
        return Fault(
            f"{role} may not be passed to a job",
            why,
            "add the role to JobRoles, or run the job as another",
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


def _value_faults(place: JobPlace, arguments: Arguments) -> Iterator[Fault]:
    """Yield what is wrong with values that only the upload or the profile has given."""
    kind = SHIPPED_JOB_TYPES.get(place.job.run)
    parameters = kind.parameters if kind else {}
    for name, value in arguments:
        if (parameter := parameters.get(name)) and (fault := parameter.explain_value(value)):
            yield fault


def _object_key(uri: str) -> str:
    return uri.removeprefix("s3://").partition("/")[2]


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
            self._add_start(fill_places(job, None), to.arn, job.arguments, None)
            return
        check_domains(to, self.inventory)
        sharing = ConflictCheck(job.query_profiles(to), {}, self.profiles, self.inventory.now)
        for profile in self.profiles.select_profiles(to):
            if _matches_upload(job.on, profile, self.upload):
                self._add_profile_start(job, profile, sharing)

    def _add_profile_start(self, job: Job, profile: Profile, sharing: ConflictCheck) -> None:
        try:
            role, values = resolve_execution_role(profile).identifier, profile_values(profile)
            sharing.check_profile(profile)
            arguments = fill_arguments(job, values)
            self._add_start(fill_places(job, profile), role, arguments, profile)
        except RuleRejected as refused:
            self.refused.add(locate_fault(job, refused.fault, refused.about or profile.subject))
        except NotRead as unread:
            self.unread.add(f"{job.file}:{job.line}: {job.title} for {profile.subject}: {unread}")

    def _add_start(
        self, place: JobPlace, role: str, arguments: Arguments, profile: Profile | None
    ) -> None:
        values = KeyPattern(place.on).match(self.upload) or {}
        place, arguments = _fill_place(place, values), fill_values(arguments, values)
        faults = list(self._validator.find_faults(place, role, arguments))
        self.refused |= {
            locate_fault(place.job, fault, profile.subject if profile else "") for fault in faults
        }
        if not faults:
            self.starts.append(build_start(place, role, arguments, profile))

    @cached_property
    def _validator(self) -> StartValidator:
        return StartValidator(
            self.may_pass,
            [place for job in self.jobs for place in self._list_places(job)],
        )

    def _list_places(self, job: Job) -> Iterator[JobPlace]:
        """Yield the job's places, for each known profile."""
        if isinstance(job.runs_as, IamPrincipal):
            yield fill_places(job, None)
            return
        for profile in self.profiles.select_profiles(job.runs_as):
            try:
                yield fill_places(job, profile)
            except RuleRejected:
                continue


def fill_places(job: Job, profile: Profile | None) -> JobPlace:
    """Fill in the job's places for a profile, and leave captures.

    Raises RuleRejected if a variable has no value.
    """
    if profile is None:
        return JobPlace(f"job {job.id}", job, job.on, job.reads, job.output)
    values = profile_values(profile)
    on, reads, output = (_fill_own(text, values) for text in (job.on, job.reads, job.output))
    return JobPlace(f"job {job.id} for {profile.subject}", job, on, reads, output)


def _fill_own(text: str, values: Mapping[str, str]) -> str:
    return OWN_VARIABLE.sub(lambda found: fill_variables(found[0], values), text)


def _fill_place(place: JobPlace, captured: Mapping[str, str]) -> JobPlace:
    on, reads, output = (
        fill_captures(text, captured) for text in (place.on, place.input, place.output)
    )
    return replace(place, on=on, input=reads, output=output)


def fill_values(arguments: Arguments, captured: Mapping[str, str]) -> Arguments:
    return tuple((name, fill_captures(value, captured)) for name, value in arguments)


def _matches_upload(on: str, profile: Profile, upload: str) -> bool:
    """Whether the upload starts the profile's job; it does not if a variable has no value."""
    try:
        pattern = KeyPattern(_fill_own(on, profile_values(profile)))
    except RuleRejected:
        return False
    values = pattern.match(upload)
    return values is not None and pattern.fill(values).text == upload


def fill_arguments(job: Job, values: Mapping[str, str]) -> Arguments:
    return tuple((name, _fill_own(value, values)) for name, value in job.arguments)


def build_start(place: JobPlace, role: str, arguments: Arguments, profile: Profile | None) -> Start:
    job, whose = replace(place.job, arguments=arguments), ""
    if profile:
        whose = f"{profile.domain}/{profile.name}"
    return Start(job, role, whose, place.on, place.input, place.output)
