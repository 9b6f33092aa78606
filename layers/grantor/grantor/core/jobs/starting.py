"""Which jobs an upload starts, as whom, from what, into which folder; and which it would start, had they not to be refused.

Profiles are chosen as rules choose them, and whoever stands in another's way there does so here. A job that is refused is refused
alone: the others that the upload starts are started.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from grantor.core.expansion.filling import TAGS, fill, of_profile
from grantor.core.expansion.holders import check_domain, execution_role
from grantor.core.expansion.people import People
from grantor.core.expansion.refusal import Refused, Unread, problem
from grantor.core.expansion.sharing import Sharing, Words
from grantor.core.facts import Facts, Profile
from grantor.core.grant import Permission
from grantor.core.job import Job, Start
from grantor.core.jobs.matching import candidates
from grantor.core.jobs.places import Place
from grantor.core.jobs.refusing import Arguments, Judge
from grantor.core.problem import Problem
from grantor.core.rule import Rule
from grantor.core.whom import Principal, Profiles

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
