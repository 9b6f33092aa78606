"""Plans as a steward reads them: the files before and now, and what Grantor would do.

There is one file for each case:

    == before          policy files and profiles until now; their grants exist and are in the ledger
    == now             as they are now; what is not repeated is as before
    == unmanaged       grants that others created
    == plan            changes, what is on hold or rejected, what requires an approval

A section contains `profile NAME ROLE [tag=value …]`, `folder s3://…/ NAME…`, and policy files,
each below `file NAME`.
"""

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from grantor.core.grant import Grant, Grantee, LedgerEntry, Location, Permission, State
from grantor.core.planning.approvals import describe_objection
from grantor.core.planning.expand import expand_rules
from grantor.core.planning.guard import Baseline, GuardContext, GuardLimits, judge_plan
from grantor.core.planning.plan import compute_plan
from grantor.core.planning.rendering import (
    Home,
    describe_on_hold,
    describe_plan,
    describe_unmanaged,
)
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Mode, Policy
from grantor.core.snapshot import Authority, Focus, Inventory, Profile
from tests.conftest import ROOT

HOME = Home("aws", "111122223333")
CASES = sorted((ROOT / "tests/core/plans").glob("*.txt"))
THEN, NOW = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)
DOMAIN, ROLE = "Lab", "arn:aws:iam::111122223333:role/"


@dataclass(frozen=True)
class Side:
    """What one section says."""

    files: dict[str, str] = field(default_factory=dict)
    profiles: dict[str, Profile] = field(default_factory=dict)
    folders: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> "Side":
        said = cls()
        head, *files = re.split(r"^file (\S+)\n", text, flags=re.MULTILINE)
        for line in filter(None, head.splitlines()):
            kind, name, *rest = line.split()
            if kind == "profile":
                tags = tuple(
                    sorted(
                        (key, value) for key, _, value in (tag.partition("=") for tag in rest[1:])
                    )
                )
                said.profiles[name] = Profile(DOMAIN, name, ROLE + rest[0], THEN, tags)
            else:
                said.folders[name] = tuple(rest)
        said.files.update(
            {f"policy/{name}": body for name, body in zip(files[::2], files[1::2], strict=True)}
        )
        return said

    def over(self, before: "Side") -> "Side":
        """With what is not said again as it was before."""
        return Side(
            *(
                getattr(self, name) or getattr(before, name)
                for name in ("files", "profiles", "folders")
            )
        )

    def policies(self) -> list[Policy]:
        found = [parse_policy(name, body.encode(), "data") for name, body in self.files.items()]
        assert all(isinstance(policy, Policy) for policy in found), found
        return [policy for policy in found if isinstance(policy, Policy)]

    def facts(self, now: datetime) -> Inventory:
        sharing: dict[str, frozenset[str]] = {}
        for profile in self.profiles.values():
            sharing[profile.role] = sharing.get(profile.role, frozenset()) | {profile.subject}
        return Inventory(
            now,
            (Location("1", "s3://data/"),),
            tuple(self.profiles.values()),
            frozenset({DOMAIN}),
            self.folders,
            sharing=sharing,
        )


def sections(text: str) -> dict[str, str]:
    _, *parts = re.split(r"^== (\w+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def planned(said: dict[str, str]) -> str:
    before = Side.of(said.get("before", ""))
    now = Side.of(said["now"]).over(before)
    stood = expand_rules(before.policies(), before.facts(THEN)).grants
    entries = {
        grant: LedgerEntry(grant, State.LIVE, reasons, f"id-{n}")
        for n, (grant, reasons) in enumerate(stood.items())
    }
    actual = {grant: entry.id for grant, entry in entries.items()} | dict.fromkeys(
        unmanaged(said), "theirs"
    )
    wanted = expand_rules(now.policies(), now.facts(NOW))
    modes: dict[str, Mode | None] = dict.fromkeys(before.files, None) | {
        policy.file: policy.mode for policy in now.policies()
    }
    plan = compute_plan(
        wanted.grants, entries, actual, (), Authority.build(NOW, Focus(), modes, wanted.on_hold)
    )
    against = judge_plan(
        plan,
        GuardContext(
            NOW,
            HOME.account,
            entries=entries,
            baseline=Baseline.count(entries.values(), {DOMAIN: len(before.profiles)}, NOW),
            rules=frozenset(rule.id for policy in now.policies() for rule in policy.rules),
            deleted_files=frozenset(file for file, mode in modes.items() if mode is None),
            profiles={DOMAIN: len(now.profiles)},
            changed_files=frozenset(file for file in now.files if file in before.files),
        ),
    )
    lines = [
        *describe_plan(plan, HOME),
        *(describe_on_hold(held, HOME) for held in plan.on_hold),
        *(describe_unmanaged(one, HOME) for one in plan.unmanaged),
        *(f"refused: {problem}" for problem in wanted.rejected),
        *(f"asks: {describe_objection(one, GuardLimits())}" for one in against),
    ]
    return "\n".join(lines) or "nothing to change"


def unmanaged(said: dict[str, str]) -> list[Grant]:
    rows = [line.split() for line in said.get("unmanaged", "").splitlines() if line]
    return [
        Grant(Grantee("IAM", ROLE + role), Permission(permission), scope)
        for permission, scope, role in rows
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_plan_says_what_a_steward_expects(case) -> None:
    said = sections(case.read_text())

    assert planned(said) == said["plan"].strip()


def test_every_case_has_a_description() -> None:
    assert len(CASES) >= 10
    assert [case.stem for case in CASES if not case.read_text().startswith("# ")] == []


def test_the_same_case_in_another_order_gives_the_same_plan() -> None:
    said = sections((ROOT / "tests/core/plans/a_profile_leaves.txt").read_text())
    turned = replace(
        Side.of(said["before"]), profiles=dict(reversed(Side.of(said["before"]).profiles.items()))
    )

    assert expand_rules(turned.policies(), turned.facts(THEN)) == expand_rules(
        Side.of(said["before"]).policies(), Side.of(said["before"]).facts(THEN)
    )
