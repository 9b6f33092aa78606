"""Answers to questions about access: can somebody, who can, what can somebody reach.

An answer follows from the grants that exist, because these are what S3 Access Grants asks, and its
reasons from the ledger and the rules. It is a value; answer_text.py renders it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from grantor.core.access.access_index import AccessIndex, Principal
from grantor.core.access.explain import (
    AccessEvidence,
    Explanation,
    explain_access,
    propose_rule,
)
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
from grantor.core.policy.grantee_types import GRANTEE_TYPES_BY_KEY
from grantor.core.rules import Rule
from grantor.core.snapshot import Inventory, Snapshot


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

    @property
    def until(self) -> datetime | None:
        """When the last of its reasons ends."""
        return last_end(self.reasons)


@dataclass(frozen=True)
class CanAnswer:
    """Whether a principal gets credentials for a target, and why.

    For a yes, `row` is the grant and `scope` what its credentials reach. `expected` explains what
    the rules say, which may differ from the grants until the next run: `deferral` says why a grant
    that they give does not exist yet.
    """

    who: AskedPrincipal
    permission: Permission
    target: str
    row: AccessRow | None
    scope: str
    expected: Explanation
    deferral: str = ""
    proposal: str = ""

    @property
    def is_yes(self) -> bool:
        """Whether the answer is yes."""
        return self.row is not None

    @property
    def is_settled(self) -> bool:
        """Whether rules and grants agree."""
        return self.is_yes == (self.expected.grant is not None)


@dataclass(frozen=True)
class AccessSnapshot:
    """What questions are answered from: a snapshot over everything, and the rules in force."""

    snapshot: Snapshot
    evidence: AccessEvidence
    sources: Mapping[str, RuleSource] = field(default_factory=dict)

    @cached_property
    def index(self) -> AccessIndex:
        """The grants that exist."""
        return AccessIndex(self.snapshot.actual)

    @cached_property
    def subjects(self) -> Mapping[str, tuple[str, ...]]:
        """The profiles of each role, by its ARN."""
        sharing = self.snapshot.inventory.sharing
        return {role: tuple(sorted(subjects)) for role, subjects in sharing.items()}

    def answer_can(self, who: AskedPrincipal, permission: Permission, target: str) -> CanAnswer:
        """Answer whether the principal gets credentials for the target."""
        found = self.index.decide(who.principal, permission, target)
        expected = explain_access(self.evidence, who.principal, permission, target)
        row = self.describe(found.grant) if found.grant else None
        entry = self.snapshot.entries.get(expected.grant) if expected.grant else None
        is_no = not found.grant and not expected.grant
        return CanAnswer(
            who, permission, target, row, found.scope, expected,
            deferral="" if row or not expected.grant else explain_deferral(entry),
            proposal=propose_rule(who.principal, permission, target) if is_no else "",
        )  # fmt: skip

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
        entry = self.snapshot.entries.get(grant)
        if entry is None:
            return AccessRow(grant, is_managed=False, is_whole=is_whole)
        return AccessRow(
            grant, sort_reasons(entry.reasons), entry.since, is_managed=True, is_whole=is_whole
        )


def _select(grants: Iterable[Grant], permission: Permission | None) -> list[Grant]:
    return [grant for grant in grants if not permission or permission in grant.permission.included]


def explain_deferral(entry: LedgerEntry | None) -> str:
    """Say why a grant that rules give does not exist yet."""
    if entry is None:
        return "the next run creates the grant"
    if entry.state is State.INTENDED and entry.refusal:
        return f"S3 has refused the grant since {entry.tried}: {entry.refusal}"
    return "a run is creating the grant"


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
