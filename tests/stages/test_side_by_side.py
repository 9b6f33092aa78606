"""Several stages in one account and Region: each has buckets, policy files and a ledger of its own, and none touches another's grants."""

from dataclasses import dataclass

import pytest

from tests.leaving.stage import Stack, Stage, until
from tests.stages.account import Account, look, theirs
from tests.stages.conftest import POLICY, drop, grants

BESIDE = {"AccessGrants": "existing", "Trail": "existing"}
SECOND = BESIDE | {"RolePrefix": "second", "DomainName": "Second-Domain", "ProjectName": "second"}
GUEST = BESIDE | {"CreateStudio": "false"}  # it works with the first one's domain

# Role and place, in the bucket of the stage.
FIRST = {(f"sagemaker-{user}-role", place) for user in ("usera", "userb") for place in ("Product/*", f"User{user[-1].upper()}/*")}
IN_SECOND = {(role.replace("sagemaker", "second"), place) for role, place in FIRST}
OWN_FOLDERS = {(role, place) for role, place in IN_SECOND if place != "Product/*"}
WITHOUT_TEAM = (
    POLICY.partition("  - name: product-team")[0] + "  - name: own-folder" + POLICY.partition("  - name: own-folder")[2]
)


@dataclass
class Tenant:
    """One stage: its stack, and its buckets and table."""

    stack: Stack
    data: str
    policies: str
    ledger: str

    def say(self, policy: str, domain: str) -> None:
        drop(self.stack.stage, self.policies, policy.format(domain=domain))

    def has(self, wanted: set[tuple[str, str]]) -> bool:
        return until(lambda: grants(self.stack.stage, self.data) == wanted) is True


def tenant(stack: Stack, **parameters: str) -> Tenant:
    assert stack.create(**parameters) == "CREATE_COMPLETE", stack.why()
    told = stack.outputs()
    return Tenant(stack, told["DataBucket"], told["PolicyBucket"], told["Ledger"])


@dataclass
class Seen:
    """The account at each step, and what was done there."""

    alone: Account  # the first stage, with its grants
    clash: tuple[str, str, Account]  # the status of a second with the first one's names, why, and the account then
    second: Tenant
    together: Account  # all three, with their grants
    changed: Account  # after a policy file of the second was changed
    without_guest: tuple[str, Account]
    owner_goes: tuple[str, str, Account]  # the first, which has made the instance, is deleted
    at_last: tuple[str, str]  # the second, and the first again
    left: set[str]  # of whatever there is in any service


@pytest.fixture(scope="module")
def seen(stage: Stage) -> Seen:
    things = stage.things()
    first = tenant(stage.stack())
    first.say(POLICY, "Product-Domain")
    assert first.has(FIRST)
    alone = look(stage.client)
    clash = clashing(stage.stack("clash"))

    second, guest = tenant(stage.stack("second"), **SECOND), tenant(stage.stack("guest"), **GUEST)
    second.say(POLICY, "Second-Domain")
    guest.say(POLICY, "Product-Domain")
    assert second.has(IN_SECOND)
    assert guest.has(FIRST)
    together = look(stage.client)
    second.say(WITHOUT_TEAM, "Second-Domain")
    assert second.has(OWN_FOLDERS)
    changed = look(stage.client)

    without_guest = guest.stack.delete(), look(stage.client)
    owner_goes = first.stack.delete(), first.stack.why(), look(stage.client)
    second.say(POLICY, "Second-Domain")
    assert second.has(IN_SECOND)
    at_last = second.stack.delete(), first.stack.delete()
    return Seen(alone, clash, second, together, changed, without_guest, owner_goes, at_last, stage.things() - things)


def clashing(stack: Stack) -> tuple[str, str, Account]:
    status, why = stack.create(**BESIDE), stack.why()
    assert stack.delete() == "DELETE_COMPLETE"
    return status, why, look(stack.stage.client)


def test_names_that_are_taken_fail_the_second_stage_and_the_first_keeps_its_roles(seen: Seen):
    status, why, account = seen.clash

    assert status == "ROLLBACK_COMPLETE"
    assert "sagemaker-usera-role already exists in stack" in why
    assert account == seen.alone


def test_with_names_of_their_own_a_second_and_a_third_come_and_nothing_of_the_first_changes(seen: Seen):
    assert theirs(seen.alone, seen.together) == seen.alone


def test_a_policy_change_in_one_stage_changes_only_its_own_grants(seen: Seen):
    before, after, second = seen.together, seen.changed, seen.second
    team = f"s3://{second.data}/Product/*"
    gone = {name for name, told in before.items() if name.startswith("grant ") and told["GrantScope"] == team}

    assert len(gone) == 2
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == gone | {f"ledger {second.ledger}", f"bucket {second.policies}"}


def test_when_a_stage_goes_the_others_stay_as_they_are(seen: Seen):
    status, after = seen.without_guest
    others = {name: told for name, told in seen.changed.items() if name in seen.alone or name in after}

    assert status == "DELETE_COMPLETE"
    assert after == others


def test_the_stage_that_made_the_instance_goes_but_for_the_instance_as_long_as_others_use_it(seen: Seen):
    status, why, after = seen.owner_goes
    _, before = seen.without_guest
    others = {name: told for name, told in before.items() if name == "instance" or name not in seen.alone}

    assert status == "DELETE_FAILED"
    assert "The following resource(s) failed to delete: [AccessGrantsInstance]." in why
    assert "Please clean up locations before deleting the access grants instance" in why
    assert after == others


def test_when_the_others_have_gone_it_is_deleted_again_and_nothing_is_left(seen: Seen):
    assert seen.at_last == ("DELETE_COMPLETE", "DELETE_COMPLETE")
    assert seen.left == set()
