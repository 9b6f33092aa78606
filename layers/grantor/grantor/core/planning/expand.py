"""From rules and inventory to the wanted grants, each with its reasons.

    to                        one grant for each
    role, user                role or user
    directory_user, _group    user or group, found in the directory by name
    profiles                  profile, for the role that it runs as
    each_profile              profile, for the role that it runs as, with a scope of its own
    on: each_prefix           existing folder, times the grantees above
    on: except                folder that leads to no exception, times the grantees above

Nothing is dropped silently. What the rule's owner must fix is rejected, with file, line and column.
What could not be read puts the rule on hold. Both affect only the rule, or the rule for one profile
or folder, and keep its grants.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from grantor.core.diagnostics import Fault, quote_text
from grantor.core.grant import Grant, Grantee, Reason, parse_profile_subject, prefix_subject
from grantor.core.planning.grantees import (
    ProfileIndex,
    check_domain,
    find_end,
    has_passed,
    resolve_execution_role,
    resolve_grantee,
)
from grantor.core.planning.holds import NotRead, RuleOutcomes
from grantor.core.planning.profile_conflicts import ConflictCheck
from grantor.core.planning.required_reads import filter_rules
from grantor.core.planning.scopes import (
    LocationCheck,
    fill_variables,
    find_levels,
    list_open_folders,
    prefix_values,
    profile_values,
)
from grantor.core.rules import Mode, Policy, ProfileSelector, Rule
from grantor.core.snapshot import Focus, Inventory, Profile, WantedGrants

EVERYTHING = Focus()
Subjects = tuple[str, ...]
Scopes = list[tuple[str, Subjects]]  # each with the folder that it is for, if the rule names none


def expand_rules(
    policies: Iterable[Policy], inventory: Inventory, focus: Focus = EVERYTHING
) -> WantedGrants:
    """Every grant that the policies want, as far as `focus` includes its reasons. The order of the
    inputs is irrelevant.

    A focused inventory may contain less: of a profile in focus, itself and what find_neighbours
    gives; of a folder in focus, whether it exists.
    """
    run = _Expansion(inventory, focus)
    for policy in policies:
        for rule in filter_rules(policy.rules, focus):
            run.add_rule(rule, additive=policy.mode is Mode.ADDITIVE)
    return run.collect_wanted()


class _Expansion:
    """What all rules of one expansion share: the inventory, indexed, and the results so far."""

    def __init__(self, inventory: Inventory, focus: Focus) -> None:
        self.inventory, self.focus = inventory, focus
        self.has_folders = any(parse_profile_subject(one) is None for one in focus.subjects)
        self.profiles = ProfileIndex(inventory)
        self.locations = LocationCheck(inventory.locations)
        self.outcomes = RuleOutcomes()
        self.found: dict[Grant, list[Reason]] = defaultdict(list)

    def add_rule(self, rule: Rule, *, additive: bool) -> None:
        """Expand one rule."""
        if has_passed(rule.until, self.inventory.now):
            what = f"it ended at {rule.until:%Y-%m-%d %H:%M}Z"
            self.warn(rule, Fault(what, "it grants nothing any more", "remove it"))
            return
        with self.outcomes.collect(rule):
            _RuleExpansion(self, rule, additive).expand()

    def warn(self, rule: Rule, fault: Fault) -> None:
        """Record a warning, in a run over everything only: a focused run need not repeat it."""
        if self.focus.everything:
            self.outcomes.warn(rule, fault)

    def collect_wanted(self) -> WantedGrants:
        """The results, in order."""
        found = sorted(self.found.items(), key=lambda item: item[0].sort_key())
        return WantedGrants(
            {grant: frozenset(reasons) for grant, reasons in found},
            on_hold=tuple(sorted(self.outcomes.on_hold)),
            rejected=tuple(sorted(self.outcomes.rejected)),
            warnings=tuple(sorted(self.outcomes.warnings)),
        )


class _RuleExpansion:
    """One rule. `values` are always those of the variables known so far, `subjects` those that they
    belong to.
    """

    def __init__(self, run: _Expansion, rule: Rule, additive: bool) -> None:
        self.run, self.rule, self.additive = run, rule, additive

    def expand(self) -> None:
        """Raise RuleRejected or NotRead if that concerns the whole rule."""
        if isinstance(self.rule.to, ProfileSelector):
            check_domain(self.rule.to.domain, self.run.inventory)
            self._check_names(self.rule.to)
        if not self.rule.each_prefix:
            self._expand_grantees({}, ())
            return
        for name in self._list_folders(self.rule.each_prefix):
            subject = prefix_subject(f"{self.rule.each_prefix}{name}/")
            with self.run.outcomes.collect(self.rule, subject):
                self._expand_grantees(prefix_values(name), (subject,))

    def _expand_grantees(self, values: Mapping[str, str], subjects: Subjects) -> None:
        to = self.rule.to
        if isinstance(to, ProfileSelector):
            self._expand_profiles(to, values, subjects)
        elif not subjects or self._is_in_focus(subjects):
            grantee = resolve_grantee(to, values, self.run.inventory)
            self._add_grants(grantee, self._list_scopes(values), subjects, self.rule.until)

    def _expand_profiles(
        self, selector: ProfileSelector, values: Mapping[str, str], subjects: Subjects
    ) -> None:
        run = self.run
        tags = tuple((key, fill_variables(value, values)) for key, value in selector.tags)
        selected = run.profiles.select_profiles(selector, tags)
        if not self._includes_all_profiles(subjects):
            selected = [one for one in selected if one.subject in run.focus.subjects]
            if not selected:
                return
        conflicts = ConflictCheck(
            self.rule.query_profiles(selector), values, tags, run.profiles, run.inventory.now
        )
        common = None if selector.each else self._list_scopes(values)
        for profile in selected:
            with run.outcomes.collect(self.rule, profile.subject):
                self._expand_profile(profile, conflicts, common, subjects)

    def _expand_profile(
        self, profile: Profile, conflicts: ConflictCheck, common: Scopes | None, subjects: Subjects
    ) -> None:
        until = find_end(conflicts.query, profile)
        if has_passed(until, self.run.inventory.now):
            return
        grantee = resolve_execution_role(profile)
        conflicts.check_profile(profile)
        scopes = common
        if scopes is None:
            scopes = self._list_scopes({**profile_values(profile), **conflicts.values})
        self._add_grants(grantee, scopes, (profile.subject, *subjects), until)

    def _add_grants(
        self, grantee: Grantee, scopes: Scopes, subjects: Subjects, until: datetime | None
    ) -> None:
        rule, run = self.rule, self.run
        for scope, folder in scopes:
            reason = Reason(rule.id, (*subjects, *folder), until, self.additive)
            if run.focus.includes(reason):
                run.found[Grant(grantee, rule.allow, scope, rule.application)].append(reason)

    def _list_scopes(self, values: Mapping[str, str]) -> Scopes:
        on = fill_variables(self.rule.on, values)
        if self.rule.excepts:
            excepted = tuple(fill_variables(text, values) for text in self.rule.excepts)
            return list(self._list_open_scopes(on, excepted))
        self.run.locations.check_scope(on)
        return [(on, ())]

    def _list_open_scopes(
        self, on: str, excepted: tuple[str, ...]
    ) -> Iterator[tuple[str, Subjects]]:
        """What is granted in place of a scope with exceptions."""
        levels = sorted(find_levels(on, excepted))
        folders = {level: self._list_folders(level) for level in levels}
        for level, name in list_open_folders(on, excepted, folders):
            subject = prefix_subject(f"{level}{name}/")
            with self.run.outcomes.collect(self.rule, subject):
                scope = f"{level}{fill_variables('{prefix.name}', prefix_values(name))}/*"
                self.run.locations.check_scope(scope)
                yield scope, (subject,)

    def _list_folders(self, base: str) -> tuple[str, ...]:
        if why := self.run.inventory.unread.get(f"folders {base}"):
            raise NotRead(f"the folders of {base} could not be read: {why}")
        return self.run.inventory.folders.get(base, ())

    def _check_names(self, selector: ProfileSelector) -> None:
        for name in selector.names:
            if not self.run.profiles.matches_any(selector.domain, name):
                what = f"no profile of {selector.domain} matches {quote_text(name)}"
                why = "it may be a typing mistake, or the profile may not exist yet"
                remedy = "correct the name, or keep it for a future profile"
                self.run.warn(self.rule, Fault(what, why, remedy))

    def _is_in_focus(self, subjects: Subjects) -> bool:
        focus = self.run.focus
        return focus.everything or not set(subjects).isdisjoint(focus.subjects)

    def _includes_all_profiles(self, subjects: Subjects) -> bool:
        """Whether a folder brings all profiles into focus: this one, or one that only an exception
        creates.
        """
        return self._is_in_focus(subjects) or (bool(self.rule.excepts) and self.run.has_folders)
