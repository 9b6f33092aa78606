"""What must be read for some rules, and which rules a focus can concern; all of it without reading anything.

Domains come first, then their profiles; profiles name the folders that are to be listed; folders name whom to ask the directory for.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from grantor.core.grant import of_subject, prefix_subject, profile_subject
from grantor.core.planning import scopes
from grantor.core.planning.grantees import People, is_id, named
from grantor.core.planning.shared_roles import beside, looks_closer
from grantor.core.planning.templates import TAGS, VARIABLE, Refused, fill, of_prefix, of_profile
from grantor.core.rules import Directory, Profiles, Rule
from grantor.core.snapshot import EVERYTHING, Facts, Focus, Profile

PREFIX = prefix_subject("")


def domains(rules: Iterable[Rule]) -> frozenset[str]:
    """The Studio domains, by name, whose profiles are needed."""
    return frozenset(rule.to.domain for rule in rules if isinstance(rule.to, Profiles))


def tags(rules: Iterable[Rule]) -> bool:
    """Whether the profiles' tags are needed, which cost a call for each profile."""
    return any(isinstance(rule.to, Profiles) and (rule.to.tags or TAGS in " ".join(_texts(rule))) for rule in rules)


def bases(rules: Iterable[Rule]) -> frozenset[str]:
    """The folders whose folders get grants by {prefix.name}; of these, a run that looks at some needs to know only if they are there."""
    return frozenset(rule.each_prefix for rule in rules if rule.each_prefix)


def levels(rules: Iterable[Rule], profiles: Iterable[Profile]) -> frozenset[str]:
    """The folders that must be listed because of exceptions; whole in every run, as the number of grants decides about all of them."""
    everyone = tuple(profiles)
    return frozenset(level for rule in rules for on, excepted in _filled(rule, everyone) for level in scopes.levels(on, excepted))


def directory_names(rules: Iterable[Rule], folders: Mapping[str, Iterable[str]]) -> frozenset[tuple[str, str]]:
    """The people and groups to be looked up in the directory: kind and name. Who is given by id is not among them."""
    return frozenset((kind, who) for rule in rules for kind, who in _members(rule, folders) if not is_id(who))


def neighbours(rules: Iterable[Rule], facts: Facts) -> frozenset[str]:
    """The profiles, as subjects, that a run for some must read besides: who shares a role or a folder with one of those in `facts`.

    Only rules that ask for tags, or run from a profile's making, need it; for all others the names in facts.sharing do.
    """
    people = People(facts)
    closer = [(rule, rule.to) for rule in rules if isinstance(rule.to, Profiles) and looks_closer(rule)]
    found = {one for rule, to in closer for profile in people.chosen(to, ()) for one in _beside(rule, to, profile, people)}
    return frozenset(one.subject for one in found if not people.is_read(one))


def concerned(rules: Iterable[Rule], focus: Focus) -> tuple[Rule, ...]:
    """The rules that can have a reason which the focus sees."""
    if focus.everything:
        return tuple(rules)
    profiles = [who for who in map(of_subject, focus.subjects) if who]
    folders = [subject.removeprefix(PREFIX) for subject in focus.subjects if subject.startswith(PREFIX)]
    return tuple(rule for rule in rules if _means(rule, profiles) or any(_follows(rule, folder) for folder in folders))


def subjects_of_key(rules: Iterable[Rule], key: str) -> tuple[str, ...]:
    """The folders that an upload touches and that a rule follows, as reasons name them; none if the upload concerns nobody.

    `key` is s3://bucket/key, or a folder with a slash at its end.
    """
    folders = [key[: slash.end()] for slash in re.finditer("/", key)][3:]  # below s3:// and the bucket
    listed = tuple(rules)
    return tuple(prefix_subject(folder) for folder in folders if any(_follows(rule, folder) for rule in listed))


def parent(folder: str) -> str:
    """The folder that a folder lies in, both with a slash at their end.

    >>> parent("s3://data/teams/blue/")
    's3://data/teams/'
    """
    return folder[: folder.rfind("/", 0, -1) + 1]


def _texts(rule: Rule) -> tuple[str, ...]:
    return rule.on, *rule.excepts


def _filled(rule: Rule, profiles: Iterable[Profile]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The scope and the exceptions of a rule that has some, for each profile that has its own."""
    if not rule.excepts:
        return
    if not (isinstance(rule.to, Profiles) and rule.to.each):
        yield rule.on, rule.excepts
        return
    for profile in profiles:
        if named(rule.to, profile.domain, profile.name):
            try:
                on, *excepted = (fill(text, of_profile(profile)) for text in _texts(rule))
            except Refused:
                continue
            yield on, tuple(excepted)


def _members(rule: Rule, folders: Mapping[str, Iterable[str]]) -> Iterator[tuple[str, str]]:
    if not isinstance(rule.to, Directory):
        return
    if "{" not in rule.to.who:
        yield rule.to.kind, rule.to.who
        return
    for name in folders.get(rule.each_prefix, ()):
        try:
            yield rule.to.kind, fill(rule.to.who, of_prefix(name))
        except Refused:
            continue


def _beside(rule: Rule, to: Profiles, profile: Profile, people: People) -> Iterator[Profile]:
    """Those that the rule may mean, too, and that share the profile's role or folder."""
    sharers = () if rule.shared_role else people.sharers(profile.role)
    others = (*sharers, *beside(rule, profile, people))
    return (one for one in others if named(to, one.domain, one.name))


def _means(rule: Rule, profiles: Iterable[tuple[str, str]]) -> bool:
    return isinstance(rule.to, Profiles) and any(named(rule.to, *who) for who in profiles)


def _follows(rule: Rule, folder: str) -> bool:
    """Whether the folder is one of those that the rule gives something for: right below a folder that it looks into."""
    above = parent(folder)
    if rule.each_prefix == above:
        return True
    if not rule.excepts or folder in scopes.leads(rule.on, rule.excepts):
        return False
    return any(_matches(level, above) for level in scopes.levels(rule.on, rule.excepts))


def _matches(level: str, folder: str) -> bool:
    """Whether the folder may be the level, its variables filled in somehow."""
    if "{" not in level:
        return level == folder
    return bool(re.fullmatch("[^/]+".join(map(re.escape, VARIABLE.split(level)[::2])), folder))


def heard(bells: Iterable[str], rules: Sequence[Rule], domains: Callable[[], Mapping[str, str]]) -> Focus | None:
    """What all that rang is about, as a focus; None if no rule follows any of it.

    `domains` gives the id of each Studio domain by its name, and is asked only when a profile rang. A domain of an unknown id may have
    been deleted just now, which concerns everyone who was in it.
    """
    listed = tuple(bells)
    names = {identifier: name for name, identifier in domains().items()} if any(map(_profile, listed)) else {}
    subjects = {subject for about in listed for subject in _subjects(about, rules, names)}
    return Focus.of(subjects) if subjects else None


def _subjects(about: str, rules: Sequence[Rule], names: Mapping[str, str]) -> tuple[str, ...]:
    if about.startswith("data "):
        return subjects_of_key(rules, about.removeprefix("data "))
    identifier, name = _profile(about) or ("", "")
    return (profile_subject(names[identifier], name),) if identifier in names else (EVERYTHING,)


def _profile(about: str) -> tuple[str, str] | None:
    found = of_subject(about)
    return found if found and all(found) else None
