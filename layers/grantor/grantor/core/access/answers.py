"""Answers to questions about access: can somebody, who can, what can somebody reach.

An answer follows from the grants that exist, because these are what S3 Access Grants asks, and its
reasons from the ledger and the rules. It is a value; answer_text.py renders it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from grantor.core.access.access_index import AccessIndex, Principal
from grantor.core.access.explain import (
    AccessEvidence,
    Cause,
    Explanation,
    explain_access,
)
from grantor.core.access.proposed_rule import ProposedRule, propose_access
from grantor.core.diagnostics import Fault
from grantor.core.grant import (
    Grant,
    Grantee,
    LedgerEntry,
    Permission,
    Reason,
    State,
    iam_grantee,
    last_end,
    profile_subject,
    sort_reasons,
)
from grantor.core.planning.plan import compute_plan
from grantor.core.planning.rendering import Home
from grantor.core.policy.grantee_types import GRANTEE_TYPES_BY_KEY
from grantor.core.rules import Rule
from grantor.core.snapshot import Inventory, Snapshot

NOWHERE = Home("", "")  # no account is the stack's


@dataclass(frozen=True)
class RuleSource:
    """Where a rule stands: its line in which version of its file, and whose it is."""

    rule: str
    line: int
    version: str = ""
    owner: str = ""


@dataclass(frozen=True)
class AskedPrincipal:
    """Whom a question is about: the text that names them, and who they are to S3."""

    text: str
    principal: Principal
    subject: str = ""  # of a profile


@dataclass(frozen=True)
class AccessRow:
    """One grant in an answer. `is_managed` says whether it is in the ledger, `is_whole` whether it
    covers all that was asked for.
    """

    grant: Grant
    reasons: tuple[Reason, ...] = ()
    since: str = ""  # ISO 8601, UTC; "" if not known
    is_managed: bool = True
    is_whole: bool = True
    id: str = ""  # of the grant in S3 Access Grants; "" for one that does not exist yet

    @property
    def until(self) -> datetime | None:
        """When the last of its reasons ends."""
        return last_end(self.reasons)


@dataclass(frozen=True)
class CanAnswer:
    """Whether a principal gets credentials for a target, and why.

    For a yes, `row` is the grant and `scope` what its credentials reach. `expected` explains what
    the rules say, which may differ from the grants until the next run: `deferral` says why a grant
    that they give does not exist yet, `fate` what becomes of one that they do not give.
    """

    who: AskedPrincipal
    permission: Permission
    target: str
    row: AccessRow | None
    scope: str
    expected: Explanation
    deferral: str = ""
    fate: str = ""
    proposal: ProposedRule | None = None

    @property
    def is_yes(self) -> bool:
        """Whether the answer is yes."""
        return self.row is not None


@dataclass(frozen=True)
class AccessSnapshot:
    """What questions are answered from: a snapshot over everything, and the rules in force.

    `home` is the stack's account, for texts. `as_of` is its moment if that is not now; of the past
    no rules are known.
    """

    snapshot: Snapshot
    evidence: AccessEvidence
    sources: Mapping[str, RuleSource] = field(default_factory=dict)
    home: Home = NOWHERE
    as_of: datetime | None = None
    knows_rules: bool = True

    @cached_property
    def index(self) -> AccessIndex:
        """The grants that exist. Those whose scope is that of a location are for the whole of it,
        also without a `*`.
        """
        scopes = {location.scope for location in self.snapshot.inventory.locations}
        grants = self.snapshot.actual
        return AccessIndex(grants, {grant for grant in grants if grant.scope in scopes})

    @cached_property
    def subjects(self) -> Mapping[str, tuple[str, ...]]:
        """The profiles of each role, by its ARN."""
        sharing = self.snapshot.inventory.sharing
        return {role: tuple(sorted(subjects)) for role, subjects in sharing.items()}

    def answer_can(self, who: AskedPrincipal, permission: Permission, target: str) -> CanAnswer:
        """Answer whether the principal gets credentials for the target."""
        found = self.index.decide(who.principal, permission, target)
        row = self.describe(found.grant) if found.grant else None
        if not self.knows_rules:
            return CanAnswer(who, permission, target, row, found.reach, Explanation())
        expected = explain_access(self.evidence, who.principal, permission, target)
        answer = CanAnswer(who, permission, target, row, found.reach, expected)
        if row:
            return replace(answer, fate=self._find_fate(row))
        if expected.grant:
            entry = self.snapshot.entries.get(expected.grant)
            return replace(answer, deferral=explain_deferral(entry))
        if Cause.SUSPENDED in expected.causes:
            return answer
        request = who.principal, permission, target
        return replace(answer, proposal=propose_access(self.evidence, *request, who.subject))

    def _find_fate(self, row: AccessRow) -> str:
        """What becomes of a managed grant that no rule gives now; "" if one does."""
        wanted = self.evidence.narrow(row.grant.scope).wanted
        if not row.is_managed or row.grant in wanted.grants:
            return ""
        holds = (hold for hold in wanted.on_hold if any(map(hold.covers, row.reasons)))
        if hold := next(holds, None):
            return f"its rule is on hold, so the grant stays as it is: {hold.why}"
        if row.reasons and all(reason.additive for reason in row.reasons):
            return "no rule gives it any more; its additive file keeps it"
        return "no rule gives it now; the next run takes the grant away"

    def list_who(self, target: str, permission: Permission | None = None) -> list[AccessRow]:
        """List who reaches all of the target or a part of it: those of all of it first."""
        whole = self.index.list_covering(target)
        parts = self.index.list_within(target)
        found = [self.describe(grant) for grant in _select(whole, permission)]
        found += [self.describe(grant, is_whole=False) for grant in _select(parts, permission)]
        return found

    def list_reach(self, who: AskedPrincipal) -> list[AccessRow]:
        """List what the principal reaches, by scope."""
        held = self.index.list_held(who.principal.grantees)
        return [self.describe(grant) for grant in sorted(held, key=lambda grant: grant.scope)]

    def describe(self, grant: Grant, *, is_whole: bool = True) -> AccessRow:
        """Describe a grant by its entry in the ledger, if it has one."""
        entry, grant_id = self.snapshot.entries.get(grant), self.snapshot.actual.get(grant, "")
        if entry is None:
            return AccessRow(grant, is_managed=False, is_whole=is_whole, id=grant_id)
        reasons = sort_reasons(entry.reasons)
        return AccessRow(grant, reasons, entry.since, is_whole=is_whole, id=grant_id)


def _select(grants: Iterable[Grant], permission: Permission | None) -> list[Grant]:
    return [grant for grant in grants if not permission or permission in grant.permission.included]


def explain_deferral(entry: LedgerEntry | None) -> str:
    """Say why a grant that rules give does not exist yet."""
    if entry is None:
        return "the next run creates the grant"
    if entry.state is State.INTENDED and entry.refusal:
        return f"S3 has refused the grant since {entry.tried}: {entry.refusal}"
    return "a run is creating the grant"


def foresee_grants(snapshot: Snapshot) -> Snapshot:
    """The snapshot once a run has applied its plan: as if everything was approved, and S3 refused
    nothing. Grants that are created have no id.
    """
    plan = compute_plan(
        snapshot.wanted.grants, snapshot.entries, snapshot.actual, snapshot.ours, snapshot.authority
    )
    gone = {change.grant for change in plan.delete}
    removed = gone.union(plan.ledger_removals)
    actual = {grant: found for grant, found in snapshot.actual.items() if grant not in gone}
    entries = {one: entry for one, entry in snapshot.entries.items() if one not in removed}
    for change in (*plan.create, *plan.update):
        known = entries.get(change.grant) or LedgerEntry(change.grant, State.LIVE, frozenset())
        reasons = frozenset(change.reasons)
        entries[change.grant] = replace(known, state=State.LIVE, reasons=reasons)
        actual.setdefault(change.grant, "")
    return replace(snapshot, actual=actual, entries=entries)


def find_sources(rules: Iterable[Rule], versions: Mapping[str, str]) -> dict[str, RuleSource]:
    """Find where each rule stands; `versions` are those of the files."""
    return {
        rule.id: RuleSource(rule.id, rule.line, versions.get(rule.file, ""), rule.owner)
        for rule in rules
    }


def find_principal(text: str, inventory: Inventory) -> AskedPrincipal | Fault:
    """Find whom a text names: an ARN, a profile as DOMAIN/NAME or by a name that only one has, or
    directory_user:NAME and directory_group:NAME.
    """
    if text.startswith("arn:"):
        return AskedPrincipal(text, Principal((iam_grantee(text),)))
    key, _, name = text.partition(":")
    known = GRANTEE_TYPES_BY_KEY.get(key)
    if known and known.attribute:
        kind = known.service_type
        identifier = inventory.directory.get((kind, name), name)
        return AskedPrincipal(text, Principal((Grantee(kind, identifier),)))
    found = [
        profile
        for profile in inventory.profiles
        if text in (profile.name, f"{profile.domain}/{profile.name}")
    ]
    if len(found) == 1:
        subject = profile_subject(found[0].domain, found[0].name)
        return AskedPrincipal(subject, Principal((iam_grantee(found[0].role),)), subject)
    if found:
        names = ", ".join(f"{one.domain}/{one.name}" for one in found)
        return Fault(f"several profiles are called {text}", f"they are {names}", "name one of them")
    return Fault(
        f"there is no profile {text}",
        "a principal is a profile as DOMAIN/NAME, the ARN of a role or user, directory_user:NAME "
        "or directory_group:NAME",
        "check the name, and the domain",
    )
