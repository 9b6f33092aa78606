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

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial

from grantor.core.diagnostics import Fault
from grantor.core.grant import (
    Grant,
    Grantee,
    Reason,
    domain_subject,
    parse_profile_subject,
    prefix_subject,
)
from grantor.core.planning.bounds import Bounds, RuleBounds
from grantor.core.planning.grantees import (
    ProfileIndex,
    carries_tags,
    check_domain,
    fill_tags,
    find_end,
    find_unmatched,
    has_ended,
    has_passed,
    list_needed_domains,
    resolve_execution_role,
    resolve_grantee,
)
from grantor.core.planning.profile_conflicts import (
    ConflictCheck,
    FolderClaim,
    FolderClaims,
    gives_own_folder,
)
from grantor.core.planning.required_reads import filter_rules
from grantor.core.planning.reviews import choose_earliest, find_ended, find_review_end
from grantor.core.planning.scopes import (
    LocationCheck,
    NotRead,
    RuleOutcomes,
    RuleRejected,
    explain_unusable,
    fill_variables,
    find_levels,
    is_usable_name,
    list_open_folders,
    prefix_values,
    profile_values,
)
from grantor.core.planning.suspensions import find_suspended
from grantor.core.planning.unmatched import (
    explain_missing,
    explain_no_association,
    explain_no_folders,
)
from grantor.core.rules import Mode, Policy, ProfileQuery, ProfileSelector, Rule, Suspension
from grantor.core.snapshot import NOBODY, Focus, Hold, Inventory, Profile, WantedGrants
from grantor.settings import MAX_PREFIX_FOLDERS

EVERYTHING = Focus()
Subjects = tuple[str, ...]
Scopes = list[tuple[str, Subjects]]  # each with the folder that it is for, if the rule names none


def expand_rules(
    policies: Iterable[Policy],
    inventory: Inventory,
    focus: Focus = EVERYTHING,
    bounds: Bounds | None = None,
) -> WantedGrants:
    """Every grant that the policies want, as far as `focus` includes its reasons. The order of the
    inputs is irrelevant.

    A focused inventory may contain less: of a profile in focus, itself and what find_neighbours
    gives; of a folder in focus, whether it exists. Without `bounds`, nothing is outside of them:
    for questions about files alone.
    """
    run, policies = _Expansion(inventory, focus, bounds), tuple(policies)
    run.suspend(one for policy in policies for one in policy.suspensions)
    for policy in policies:
        for rule in policy.rules:
            run.claim_folders(rule)
        for rule in filter_rules(policy.rules, focus):
            run.add_rule(rule, additive=policy.mode is Mode.ADDITIVE)
    run.settle_disputes()
    run.limit_files(policies)
    run.limit_jobs(policies)
    return run.collect_wanted()


class _Expansion:
    """What all rules of one expansion share: the inventory, indexed, and the results so far."""

    def __init__(self, inventory: Inventory, focus: Focus, bounds: Bounds | None) -> None:
        self.inventory, self.focus, self.bounds = inventory, focus, bounds
        self.has_folders = any(parse_profile_subject(one) is None for one in focus.subjects)
        self.profiles = ProfileIndex(inventory)
        self.locations = LocationCheck(inventory.locations)
        self.outcomes = RuleOutcomes()
        self.found: dict[Grant, list[Reason]] = defaultdict(list)
        self.suspended = NOBODY
        self.claims = FolderClaims()

    def suspend(self, suspensions: Iterable[Suspension]) -> None:
        """Let no rule give these anything."""
        if not (listed := tuple(suspensions)):
            return
        outcomes = RuleOutcomes()
        self.suspended = find_suspended(listed, self.inventory, outcomes)
        if self.focus.everything:
            self.outcomes.rejected |= outcomes.rejected
            self.outcomes.warnings |= outcomes.warnings

    def add_rule(self, rule: Rule, *, additive: bool) -> None:
        """Expand one rule."""
        if fault := find_ended(rule, self.inventory):
            self.warn(rule, fault)
            return
        expansion = _RuleExpansion(self, rule, additive)
        with self.outcomes.collect(rule):
            expansion.expand()
        for fault in expansion.bounds.faults if expansion.bounds else ():
            self.outcomes.reject(rule, fault)

    def claim_folders(self, rule: Rule) -> None:
        """Note whose folders a rule gives that this run does not expand for all its profiles."""
        query = rule.profile_query
        if query is None or not gives_own_folder(query) or find_ended(rule, self.inventory):
            return
        if self.focus.everything and not self._has_unread(query.selector):
            return
        folders = self.inventory.folders.get(rule.each_prefix, ()) if rule.each_prefix else ("",)
        for profile in self.profiles.list_known(query.selector):
            for name in folders:
                self._claim_folder(rule, query, profile, prefix_values(name) if name else {})

    def _claim_folder(
        self, rule: Rule, query: ProfileQuery, profile: Profile, values: Mapping[str, str]
    ) -> None:
        is_read, now = self.profiles.is_read(profile), self.inventory.now
        with suppress(RuleRejected):
            selector = fill_tags(query.selector, values)
            scope = fill_variables(rule.on, {**profile_values(profile), **values})
            gives = carries_tags(selector, profile) and not has_ended(query, profile, now)
            if not is_read or gives:
                self.claims.add(FolderClaim(scope, rule, profile, is_read, is_expanded=False))

    def _has_unread(self, selector: ProfileSelector) -> bool:
        domains = list_needed_domains(selector, self.inventory.domains)
        return any(f"domain {domain}" in self.inventory.unread for domain in domains)

    def settle_disputes(self) -> None:
        """Grant no scope that rules give to profiles of two roles; what they have stays."""
        disputed = set()
        for claim, why in self.claims.find_disputes():
            disputed.add(claim.key)
            with self.outcomes.collect(claim.rule, claim.profile.subject):
                raise why
        if disputed:
            self._drop(
                lambda reason: any((reason.rule, one) in disputed for one in reason.subjects)
            )

    def limit_files(self, policies: Iterable[Policy]) -> None:
        """Put the rules of a file on hold that has more grants than it may; a focused run does not
        know how many it has.
        """
        if not self.bounds or not self.focus.everything:
            return
        if len(self.found) <= min(one.grants for one in self.bounds.folders.values()):
            return
        counts = Counter(
            file for reasons in self.found.values() for file in {one.file for one in reasons}
        )
        for policy in policies:
            own, count = self.bounds.find(policy.file), counts[policy.file]
            if count > own.grants:
                # How many they are would make another alert of each run.
                what = "the number of grants of its file"
                fault = own.explain_excess(what, "grants", f"up to {own.grants:,}")
                self.outcomes.reject(policy.rules[0], fault)
                holds = (Hold(rule.id, "", fault.what) for rule in policy.rules)
                self.outcomes.on_hold.update(holds)
                self._drop(partial(_is_from, policy.file))

    def limit_jobs(self, policies: Iterable[Policy]) -> None:
        """Say which jobs are outside of the bounds, before an upload asks for their machines."""
        if self.bounds and self.focus.everything:
            for job in (job for policy in policies for job in policy.jobs):
                for fault in self.bounds.find_job_faults(job):
                    self.outcomes.reject(job, fault)

    def _drop(self, is_dropped: Callable[[Reason], bool]) -> None:
        for grant, reasons in list(self.found.items()):
            kept = [reason for reason in reasons if not is_dropped(reason)]
            if kept:
                self.found[grant] = kept
            else:
                del self.found[grant]

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
            suspended=self.suspended,
            notices=tuple(sorted(self.outcomes.notices)),
        )


def _is_from(file: str, reason: Reason) -> bool:
    return reason.file == file


class _RuleExpansion:
    """One rule. `values` are always those of the variables known so far, `subjects` those that they
    belong to.
    """

    def __init__(self, run: _Expansion, rule: Rule, additive: bool) -> None:
        self.run, self.rule, self.additive = run, rule, additive
        self.review_end = find_review_end(rule, run.inventory)
        bounds = run.bounds.find(rule.file) if run.bounds else None
        self.bounds = RuleBounds(rule, bounds) if bounds else None

    def expand(self) -> None:
        """Raise RuleRejected or NotRead if that concerns the whole rule."""
        if isinstance(self.rule.to, ProfileSelector):
            self._check_selector(self.rule.to)
        if not self.rule.each_prefix:
            self._expand_grantees({}, ())
            return
        names = self._list_followed(self.rule.each_prefix)
        if not names:
            self._warn_of_no_folders(self.rule.each_prefix)
        for name in names:
            subject = prefix_subject(f"{self.rule.each_prefix}{name}/")
            with self.run.outcomes.collect(self.rule, subject):
                self._expand_grantees(prefix_values(name), (subject,))

    def _expand_grantees(self, values: Mapping[str, str], subjects: Subjects) -> None:
        to = self.rule.to
        if isinstance(to, ProfileSelector):
            self._expand_profiles(to, values, subjects)
        elif not subjects or self._is_in_focus(subjects):
            grantee = resolve_grantee(to, values, self.run.inventory)
            if grantee.kind != "IAM" and self.run.inventory.identity_center == "":
                raise RuleRejected(explain_no_association(grantee))
            self._add_grants(grantee, self._list_scopes(values), subjects, self.rule.until)

    def _expand_profiles(
        self, selector: ProfileSelector, values: Mapping[str, str], subjects: Subjects
    ) -> None:
        run, selector = self.run, fill_tags(selector, values)
        selected = run.profiles.select_profiles(selector)
        if not self._includes_all_profiles(subjects):
            selected = [one for one in selected if one.subject in run.focus.subjects]
            if not selected:
                return
        conflicts = ConflictCheck(
            self.rule.query_profiles(selector), values, run.profiles, run.inventory.now
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
        values = {**profile_values(profile), **conflicts.values}
        if gives_own_folder(conflicts.query):  # also of a suspended one: its folder is its own
            scope = fill_variables(self.rule.on, values)
            self.run.claims.add(FolderClaim(scope, self.rule, profile))
        if profile.subject in self.run.suspended.subjects:
            return
        scopes = self._list_scopes(values) if common is None else common
        conflicts.check_profile(profile)
        self._add_grants(grantee, scopes, (profile.subject, *subjects), until)

    def _add_grants(
        self, grantee: Grantee, scopes: Scopes, subjects: Subjects, until: datetime | None
    ) -> None:
        rule, run, until = self.rule, self.run, choose_earliest(until, self.review_end)
        if grantee in run.suspended.grantees:
            return
        if run.inventory.principals.lacks(grantee):
            run.warn(rule, explain_missing(grantee))
        for scope, folder in scopes:
            reason = Reason(rule.id, (*subjects, *folder), until, self.additive)
            grant = Grant(grantee, rule.allow, scope, rule.application)
            if run.focus.includes(reason) and (not self.bounds or self.bounds.allow(grant)):
                run.found[grant].append(reason)

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
        folders = {level: self._list_usable(level, self._list_folders(level)) for level in levels}
        for level, name in list_open_folders(on, excepted, folders):
            subject = prefix_subject(f"{level}{name}/")
            with self.run.outcomes.collect(self.rule, subject):
                scope = f"{level}{name}/*"
                self.run.locations.check_scope(scope)
                yield scope, (subject,)

    def _list_followed(self, base: str) -> tuple[str, ...]:
        """The folders that get grants. Raises RuleRejected if there are more than there may be."""
        rule, names = self.rule, self._list_folders(base)
        own = self.bounds.bounds if self.bounds else None
        if own and rule.at_most > own.at_most:
            what = f"at_most: {rule.at_most}"
            raise RuleRejected(own.explain_excess(what, "at_most", f"up to {own.at_most:,}"))
        most = rule.at_most or MAX_PREFIX_FOLDERS
        most = min(most, own.at_most) if own else most
        if len(names) > most:
            what = f"{base} has more than {most:,} folders"
            why = "a rule follows no more, so that whoever writes there cannot make grants at will"
            remedy = "remove the folders that nobody needs, or write in on at_most: and a number"
            raise RuleRejected(Fault(what, why, remedy))
        return self._list_usable(base, names)

    def _list_usable(self, base: str, names: tuple[str, ...]) -> tuple[str, ...]:
        """The folders whose names can be part of a scope; notes the others."""
        unusable = [name for name in names if not is_usable_name(name)]
        if not unusable:
            return names
        self.run.outcomes.notify(self.rule, explain_unusable(unusable), base)
        return tuple(name for name in names if name not in unusable)

    def _list_folders(self, base: str) -> tuple[str, ...]:
        if why := self.run.inventory.unread.get(f"folders {base}"):
            raise NotRead(f"the folders of {base} could not be read: {why}")
        return self.run.inventory.folders.get(base, ())

    def _check_selector(self, selector: ProfileSelector) -> None:
        """Check the domains, each on hold alone if there are several, and whom else it names."""
        inventory = self.run.inventory
        for domain in list_needed_domains(selector, inventory.domains):
            if selector.has_one_domain:
                check_domain(domain, inventory)
            else:
                with self.run.outcomes.collect(self.rule, domain_subject(domain)):
                    check_domain(domain, inventory)
        if self.run.focus.everything:
            for fault in find_unmatched(selector, self.run.profiles, inventory.domains):
                self.run.warn(self.rule, fault)

    def _warn_of_no_folders(self, base: str) -> None:
        folders = self.run.inventory.folders
        below = (f"{level}{name}/" for level, names in folders.items() for name in names)
        if base in folders and not folders[base]:
            self.run.warn(self.rule, explain_no_folders(base, [*folders, *below]))

    def _is_in_focus(self, subjects: Subjects) -> bool:
        focus = self.run.focus
        return focus.everything or not set(subjects).isdisjoint(focus.subjects)

    def _includes_all_profiles(self, subjects: Subjects) -> bool:
        """Whether a folder brings all profiles into focus: this one, or one that only an exception
        creates.
        """
        return self._is_in_focus(subjects) or (bool(self.rule.excepts) and self.run.has_folders)
