"""Rules and facts become the grants that are wanted, each with the reasons for it.

    to                        one grant for each
    role, user                role or user
    directory_user, _group    person or group, found in the directory by name
    profiles                  profile, for the role that it runs as
    each_profile              likewise, with a scope of its own
    on: each_prefix           folder that there is, times the grantees above
    on: except                folder that leads to no exception (scopes.py), times the grantees above

Nothing is dropped in silence. What the rule's owner must mend is refused, with file, line and column; what could not be read is held;
both hold back just the rule, or the rule for one profile or folder, and leave its grants as they are.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from grantor.core.diagnostics import Fault, shown
from grantor.core.grant import Grant, Grantee, Reason, of_subject, prefix_subject
from grantor.core.planning import scopes
from grantor.core.planning.grantees import People, check_domain, execution_role, member, principal
from grantor.core.planning.inputs import concerned
from grantor.core.planning.scopes import Placing
from grantor.core.planning.shared_roles import Sharing
from grantor.core.planning.templates import Notes, Unread, end, fill, of_prefix, of_profile, over
from grantor.core.rules import Mode, Policy, Principal, Profiles, Rule
from grantor.core.snapshot import Facts, Focus, Profile, Wanted

WHOLE = Focus()
Scopes = list[tuple[str, tuple[str, ...]]]  # each with the folder that it is for, if the rule names none
Subjects = tuple[str, ...]


def expand(policies: Iterable[Policy], facts: Facts, focus: Focus = WHOLE) -> Wanted:
    """Every grant that the policies want, as far as `focus` sees its reasons; the order of whatever is given does not matter.

    Facts may tell less the less the focus sees: of a profile in focus, it and needs.neighbours; of a folder in focus, whether it is there.
    """
    run = _Run(facts, focus)
    for policy in policies:
        for rule in concerned(policy.rules, focus):
            run.add(rule, additive=policy.mode is Mode.ADDITIVE)
    return run.wanted()


class _Run:
    """What the rules of one expansion share: the facts in order for looking up, and what came out so far."""

    def __init__(self, facts: Facts, focus: Focus) -> None:
        self.facts, self.focus = facts, focus
        self.follows_folders = any(of_subject(subject) is None for subject in focus.subjects)
        self.people, self.placing, self.notes = People(facts), Placing(facts.locations), Notes()
        self.found: dict[Grant, list[Reason]] = defaultdict(list)

    def add(self, rule: Rule, *, additive: bool) -> None:
        """Expand one rule."""
        if over(rule.until, self.facts.now):
            self.warn(rule, Fault(f"it ended at {rule.until:%Y-%m-%d %H:%M}Z", "it grants nothing any more", "remove it"))
            return
        with self.notes.about(rule):
            _Expansion(self, rule, additive).everywhere()

    def warn(self, rule: Rule, fault: Fault) -> None:
        """Note it if this is a run over everything: a bell for one profile or folder need not say it all again."""
        if self.focus.everything:
            self.notes.warn(rule, fault)

    def wanted(self) -> Wanted:
        """What came out, in order."""
        found = sorted(self.found.items(), key=lambda item: item[0].order())
        grants = {grant: frozenset(reasons) for grant, reasons in found}
        notes = self.notes
        return Wanted(grants, tuple(sorted(notes.held)), tuple(sorted(notes.refused)), tuple(sorted(notes.warnings)))


class _Expansion:
    """One rule. `values` are always those of the variables known so far, `subjects` those that they belong to."""

    def __init__(self, run: _Run, rule: Rule, additive: bool) -> None:
        self.run, self.rule, self.additive = run, rule, additive

    def everywhere(self) -> None:
        """Raises Refused or Unread where that says something of the whole rule."""
        if isinstance(self.rule.to, Profiles):
            check_domain(self.rule.to.domain, self.run.facts)
            self._check_names(self.rule.to)
        if not self.rule.each_prefix:
            self._at({}, ())
            return
        for name in self._folders(self.rule.each_prefix):
            subject = prefix_subject(f"{self.rule.each_prefix}{name}/")
            with self.run.notes.about(self.rule, subject):
                self._at(of_prefix(name), (subject,))

    def _at(self, values: Mapping[str, str], subjects: Subjects) -> None:
        to = self.rule.to
        if isinstance(to, Profiles):
            self._profiles(to, values, subjects)
        elif not subjects or self._sees(subjects):
            grantee = principal(to, values) if isinstance(to, Principal) else member(to, values, self.run.facts)
            self._want(grantee, self._scopes(values), subjects, self.rule.until)

    def _profiles(self, to: Profiles, values: Mapping[str, str], subjects: Subjects) -> None:
        tags = tuple((key, fill(value, values)) for key, value in to.tags)
        chosen = self.run.people.chosen(to, tags)
        if not self._sees_all(subjects):
            chosen = [profile for profile in chosen if profile.subject in self.run.focus.subjects]
            if not chosen:
                return
        sharing = Sharing(self.rule, to, values, tags, self.run.people, self.run.facts.now)
        common = None if to.each else self._scopes(values)
        for profile in chosen:
            with self.run.notes.about(self.rule, profile.subject):
                self._profile(profile, sharing, common, subjects)

    def _profile(self, profile: Profile, sharing: Sharing, common: Scopes | None, subjects: Subjects) -> None:
        until = end(self.rule, profile)
        if over(until, self.run.facts.now):
            return
        grantee = execution_role(profile)
        sharing.judge(profile)
        scopes = self._scopes({**of_profile(profile), **sharing.values}) if common is None else common
        self._want(grantee, scopes, (profile.subject, *subjects), until)

    def _want(self, grantee: Grantee, scopes: Scopes, subjects: Subjects, until: datetime | None) -> None:
        rule, run = self.rule, self.run
        for scope, folder in scopes:
            reason = Reason(rule.id, (*subjects, *folder), until, self.additive)
            if run.focus.sees(reason):
                run.found[Grant(grantee, rule.allow, scope, rule.application)].append(reason)

    def _scopes(self, values: Mapping[str, str]) -> Scopes:
        on = fill(self.rule.on, values)
        if self.rule.excepts:
            return list(self._open(on, tuple(fill(text, values) for text in self.rule.excepts)))
        self.run.placing.check(on)
        return [(on, ())]

    def _open(self, on: str, excepted: tuple[str, ...]) -> Iterator[tuple[str, Subjects]]:
        """What is granted in place of a scope with exceptions."""
        folders = {level: self._folders(level) for level in sorted(scopes.levels(on, excepted))}
        for level, name in scopes.open_folders(on, excepted, folders):
            subject = prefix_subject(f"{level}{name}/")
            with self.run.notes.about(self.rule, subject):
                scope = f"{level}{fill('{prefix.name}', of_prefix(name))}/*"
                self.run.placing.check(scope)
                yield scope, (subject,)

    def _folders(self, base: str) -> tuple[str, ...]:
        if why := self.run.facts.unread.get(f"folders {base}"):
            raise Unread(f"the folders of {base} could not be read: {why}")
        return self.run.facts.folders.get(base, ())

    def _check_names(self, to: Profiles) -> None:
        for name in to.names:
            if not self.run.people.fits_any(to.domain, name):
                self.run.warn(self.rule, _fits_none(to.domain, name))

    def _sees(self, subjects: Subjects) -> bool:
        return self.run.focus.everything or not set(subjects).isdisjoint(self.run.focus.subjects)

    def _sees_all(self, subjects: Subjects) -> bool:
        """Whether all profiles are looked at here, because of a folder: this one, or one that only an exception brings into being."""
        return self._sees(subjects) or (bool(self.rule.excepts) and self.run.follows_folders)


def _fits_none(domain: str, name: str) -> Fault:
    why = "either it is a slip, or the rule is there before the profile"
    return Fault(f"no profile of {domain} fits {shown(name)}", why, "correct the name, or leave it for a profile to come")
