"""Why a job is not started though its upload has come: its role, where it reads and writes, and how that lies to other jobs' places."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache

from grantor.core.diagnostics import Fault, Problem, listed, shown
from grantor.core.grant import Permission, profile_subject
from grantor.core.jobs.cycles import Place, Places
from grantor.core.planning.grantees import People, check_domain, execution_role, named
from grantor.core.planning.shared_roles import Sharing, Words
from grantor.core.planning.templates import OWN, TAGS, VARIABLE, Refused, Unread, fill, of_profile, problem
from grantor.core.rules import LONGEST, Job, Principal, Profiles, Rule, Start
from grantor.core.snapshot import Facts, Profile

SHOWN = 3  # roles that a message lists
Arguments = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Judge:
    """Judges what one upload would start. `may_pass` are patterns of the ARNs of roles, `places` those of all jobs as far as they are known."""

    upload: str
    may_pass: frozenset[str]
    places: Sequence[Place]

    def faults(self, place: Place, role: str, arguments: Arguments) -> Iterator[Fault]:
        """All that is wrong with one start."""
        if not any(fnmatchcase(role, pattern) for pattern in self.may_pass):
            yield self._not_passed(role)
        yield from self._outside(place)
        yield from _long(place, arguments)
        yield from self._over(place)

    def _not_passed(self, role: str) -> Fault:
        known = sorted(self.may_pass)
        few = [*known[:SHOWN], "others"] if len(known) > SHOWN else known
        why = f"jobs run only as roles that the stack's parameter JobRoles names, and it names {listed(few, 'and') if few else 'none'}"
        return Fault(f"{role} may not be passed to a job", why, "add the role to JobRoles, or run the job as another")

    def _outside(self, place: Place) -> Iterator[Fault]:
        bucket = self.upload[: self.upload.index("/", len("s3://")) + 1]
        for called, uri in (("input", place.input), ("output", place.output)):
            if not uri.startswith(bucket):
                why = f"jobs read and write in the bucket of the upload, {bucket}"
                yield Fault(f"its {called} {shown(uri)} lies in another bucket", why, f"write {called}: s3://{{data_bucket}}/…")

    def _over(self, place: Place) -> Iterator[Fault]:
        if place.feeds(place):
            what = f"its output {place.output} lies over what it waits for or reads"
            yield Fault(what, "the job would start itself, again and again", "write a folder beside them as its output")
        if other := next((other for other in self.places if other != place and place.meets(other)), None):
            what = f"its output {place.output} and that of {other}, {other.output}, lie over each other"
            yield Fault(what, "their files would be mixed", "give each a folder of its own")
        if way := Places(self.places).circle(place):
            what = f"what it writes feeds {', which feeds '.join(map(str, way[1:]))}, which feeds it again"
            yield Fault(what, "each would start the next, without end", "let one of them write elsewhere")


def _long(place: Place, arguments: Arguments) -> Iterator[Fault]:
    told = {"the key of its input": _key(place.input), "the key of its output": _key(place.output).removesuffix("/")}
    for called, text in (told | {f"the argument {name}": value for name, value in arguments}).items():
        if len(text) > LONGEST:
            why = f"SageMaker passes a job no more than {LONGEST} of them"
            yield Fault(f"{called} has {len(text)} characters: {shown(text)}", why, "shorten the names in it")


def _key(uri: str) -> str:
    return uri.removeprefix("s3://").partition("/")[2]


def candidates(jobs: Iterable[Job], upload: str) -> tuple[Job, ...]:
    """The jobs that the upload of `upload` (s3://bucket/key) can start; which profiles there are decides whether it does."""
    return tuple(job for job in jobs if _can_mean(job, upload))


def subjects(jobs: Iterable[Job], upload: str) -> frozenset[str] | None:
    """The profiles, as reasons name them, that these candidates can be for; None if the key does not tell, and all can be meant."""
    found = [(job.runs_as.domain, _names(job, job.runs_as, upload)) for job in jobs if isinstance(job.runs_as, Profiles)]
    if any(names is None for _, names in found):
        return None
    return frozenset(profile_subject(domain, name) for domain, names in found for name in names or ())


def _can_mean(job: Job, upload: str) -> bool:
    if not isinstance(job.runs_as, Profiles):
        return job.on == upload
    return _pattern(job.on).fullmatch(upload) is not None and _names(job, job.runs_as, upload) != frozenset()


def _names(job: Job, to: Profiles, upload: str) -> frozenset[str] | None:
    """The names that a profile can have whose upload this is; None where any will do."""
    found = _pattern(job.on).fullmatch(upload)
    told = [_called(variable, found[group]) for variable, group in _telling(job.on)] if found else []
    if not told:
        return None
    return frozenset(name for name in frozenset.intersection(*told) if named(to, to.domain, name))


def _called(variable: str, value: str) -> frozenset[str]:
    """The profiles' names for which the variable stands for this value: userA and UserA both have the folder UserA."""
    if variable == OWN[0]:
        return frozenset((value,))
    return frozenset(name for name in (value, value[:1].lower() + value[1:]) if Profile("", name, "").folder == value)


@lru_cache(1024)
def _pattern(on: str) -> re.Pattern[str]:
    """`on` with each variable as a group of its own: any one name, or a part of it."""
    return re.compile("([^/]+)".join(map(re.escape, VARIABLE.split(on)[::2])))


@lru_cache(1024)
def _telling(on: str) -> tuple[tuple[str, int], ...]:
    """The variables of which the key tells the value, each with the number of its group: those alone between their slashes."""
    found, group = [], 0
    for segment in on.split("/"):
        inside = [variable[0] for variable in VARIABLE.finditer(segment)]
        if len(inside) == 1 and inside[0] in OWN:
            found.append((inside[0], group + 1))
        group += len(inside)
    return tuple(found)


WORDS = Words("job", "output")


@dataclass(frozen=True)
class Starting:
    """What an upload leads to. `unread` are sentences on what was not known: whoever asks again may hear more."""

    starts: tuple[Start, ...] = ()
    refused: tuple[Problem, ...] = ()
    unread: tuple[str, ...] = ()


def starts(jobs: Iterable[Job], upload: str, facts: Facts, may_pass: frozenset[str]) -> Starting:
    """What the upload of `upload` (s3://bucket/key) starts, of all the `jobs` that there are; their order does not matter.

    Of the facts only profiles, domains, sharing and what is unread are looked at, of the domains that `needed` names for the candidates.
    `may_pass` are the roles that a job may run as, as ARNs in which * and ? are wildcards: the stack's parameter JobRoles.
    """
    everything = tuple(sorted(jobs, key=lambda job: job.id))
    meant = candidates(everything, upload)
    if not meant:
        return Starting()
    run = _Run(everything, upload, facts, may_pass)
    for job in meant:
        run.add(job)
    return Starting(tuple(run.starts), tuple(sorted(run.refused)), tuple(sorted(run.unread)))


def needed(jobs: Iterable[Job]) -> frozenset[str]:
    """The Studio domains, by name, whose profiles are needed."""
    return frozenset(job.runs_as.domain for job in jobs if isinstance(job.runs_as, Profiles))


def as_rule(job: Job) -> Rule:
    """The rule by which the job's profiles are read and judged: one for the same profiles, on what each of their jobs writes.

    What else hangs on the profiles' tags stands among its exceptions, so that they are read; no exception lies below what is written.
    """
    tagged = tuple(text for text in (job.on, job.input, *(value for _, value in job.arguments)) if TAGS in text)
    return Rule(
        job.file, job.name, job.runs_as, f"{job.output}*", Permission.READWRITE, job.line, job.column,
        excepts=tagged, shared_role=job.shared_role,
    )  # fmt: skip


class _Run:
    """What the jobs of one upload share, and what came out so far."""

    def __init__(self, jobs: tuple[Job, ...], upload: str, facts: Facts, may_pass: frozenset[str]) -> None:
        self.jobs, self.upload, self.facts, self.may_pass = jobs, upload, facts, may_pass
        self.people = People(facts)
        self.starts: list[Start] = []
        self.refused: set[Problem] = set()
        self.unread: set[str] = set()

    def add(self, job: Job) -> None:
        """Start one job, or say why not."""
        try:
            self._whoever(job)
        except Refused as refused:
            self.refused.add(problem(job, refused.fault))
        except Unread as unread:
            self.unread.add(f"{job.file}:{job.line}: {job.title}: {unread}")

    def _whoever(self, job: Job) -> None:
        to = job.runs_as
        if isinstance(to, Principal):
            self._start(_place(job, None), to.arn, job.arguments, None)
            return
        check_domain(to.domain, self.facts)
        sharing = Sharing(as_rule(job), to, {}, to.tags, self.people, self.facts.now, WORDS)
        for profile in self.people.chosen(to, to.tags):
            if _filled(job.on, profile) == self.upload:
                self._for(job, profile, sharing)

    def _for(self, job: Job, profile: Profile, sharing: Sharing) -> None:
        try:
            role, values = execution_role(profile).identifier, of_profile(profile)
            sharing.judge(profile)
            arguments = tuple((name, fill(value, values)) for name, value in job.arguments)
            self._start(_place(job, profile), role, arguments, profile)
        except Refused as refused:
            self.refused.add(problem(job, refused.fault, refused.about or profile.subject))
        except Unread as unread:
            self.unread.add(f"{job.file}:{job.line}: {job.title} for {profile.subject}: {unread}")

    def _start(self, place: Place, role: str, arguments: Arguments, profile: Profile | None) -> None:
        faults = list(self._judge.faults(place, role, arguments))
        self.refused |= {problem(place.job, fault, profile.subject if profile else "") for fault in faults}
        if not faults:
            name = f"{profile.domain}/{profile.name}" if profile else ""
            self.starts.append(Start(replace(place.job, arguments=arguments), role, name, self.upload, place.input, place.output))

    @cached_property
    def _judge(self) -> Judge:
        return Judge(self.upload, self.may_pass, [place for job in self.jobs for place in self._of(job)])

    def _of(self, job: Job) -> Iterator[Place]:
        """The job's places, for each profile that is known."""
        if isinstance(job.runs_as, Principal):
            yield _place(job, None)
            return
        for profile in self.people.chosen(job.runs_as, job.runs_as.tags):
            try:
                yield _place(job, profile)
            except Refused:
                continue


def _place(job: Job, profile: Profile | None) -> Place:
    """The job's places as this profile has them. Raises Refused where one has no value."""
    if profile is None:
        return Place(f"job {job.id}", job, job.on, job.reads, job.output)
    on, reads, output = (fill(text, of_profile(profile)) for text in (job.on, job.reads, job.output))
    return Place(f"job {job.id} for {profile.subject}", job, on, reads, output)


def _filled(on: str, profile: Profile) -> str:
    """What the profile's job waits for; nothing where a variable has no value: then no upload is meant."""
    try:
        return fill(on, of_profile(profile))
    except Refused:
        return ""
