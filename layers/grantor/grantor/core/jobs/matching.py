"""Which jobs an upload can start, and whom they can be for, as far as its key tells: most uploads start none, and nothing is read for them."""

import re
from collections.abc import Iterable
from functools import lru_cache

from grantor.core.expansion.filling import OWN, VARIABLE
from grantor.core.expansion.people import named
from grantor.core.facts import Profile
from grantor.core.job import Job
from grantor.core.reason import profile_subject
from grantor.core.whom import Profiles


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
