"""Several stages in one account and Region.

Each has its own buckets, policy files and ledger, and none touches another's grants.
"""

from dataclasses import dataclass

import pytest

from tests.stages.account_snapshot import AccountSnapshot, select_existing, take_snapshot
from tests.stages.conftest import POLICY, list_grants, put_policy
from tests.teardown.empty_account import DeployedStack, EmptyAccount, wait_until

SHARED = {"AccessGrants": "existing", "Trail": "existing"}
SECOND = SHARED | {"RolePrefix": "second", "DomainName": "Second-Domain", "ProjectName": "second"}
GUEST = SHARED | {"CreateStudio": "false"}  # it works with the first one's domain

# Role and place, in the bucket of the stage.
FIRST = {
    (f"grantor-{user}-role", place)
    for user in ("usera", "userb")
    for place in ("Product/*", f"User{user[-1].upper()}/*")
}
IN_SECOND = {(role.replace("grantor", "second"), place) for role, place in FIRST}
OWN_FOLDERS = {(role, place) for role, place in IN_SECOND if place != "Product/*"}
WITHOUT_TEAM = (
    POLICY.partition("  - name: product-team")[0]
    + "  - name: own-folder"
    + POLICY.partition("  - name: own-folder")[2]
)


@dataclass
class DeployedStage:
    """One stage: its stack, its buckets and its table."""

    stack: DeployedStack
    data: str
    policies: str
    ledger: str

    def put_policy(self, policy: str, domain: str) -> None:
        put_policy(self.stack.account, self.policies, policy.format(domain=domain))

    def has_grants(self, wanted: set[tuple[str, str]]) -> bool:
        return wait_until(lambda: list_grants(self.stack.account, self.data) == wanted) is True


def deploy_stage(stack: DeployedStack, **parameters: str) -> DeployedStage:
    assert stack.create(**parameters) == "CREATE_COMPLETE", stack.describe_failures()
    outputs = stack.read_outputs()
    names = (outputs[name] for name in ("DataBucket", "PolicyBucket", "Ledger"))
    return DeployedStage(stack, *names)


@dataclass
class Seen:
    """The account after each step, and what was done there."""

    alone: AccountSnapshot  # the first stage, with its grants
    clash: tuple[
        str, str, AccountSnapshot
    ]  # the status of a second with the first one's names, why, and the account then
    second: DeployedStage
    together: AccountSnapshot  # all three, with their grants
    changed: AccountSnapshot  # after a policy file of the second was changed
    without_guest: tuple[str, AccountSnapshot]
    owner_goes: tuple[
        str, str, AccountSnapshot
    ]  # the first, which has made the instance, is deleted
    at_last: tuple[str, str]  # the second, and the first again
    left: set[str]  # of whatever there is in any service


@pytest.fixture(scope="module")
def seen(account: EmptyAccount) -> Seen:
    things = account.list_resources()
    first = deploy_stage(account.build_stack())
    first.put_policy(POLICY, "Product-Domain")
    assert first.has_grants(FIRST)
    alone = take_snapshot(account.client)
    clash = deploy_with_taken_names(account.build_stack("clash"))

    second, guest = (
        deploy_stage(account.build_stack("second"), **SECOND),
        deploy_stage(account.build_stack("guest"), **GUEST),
    )
    second.put_policy(POLICY, "Second-Domain")
    guest.put_policy(POLICY, "Product-Domain")
    assert second.has_grants(IN_SECOND)
    assert guest.has_grants(FIRST)
    together = take_snapshot(account.client)
    second.put_policy(WITHOUT_TEAM, "Second-Domain")
    assert second.has_grants(OWN_FOLDERS)
    changed = take_snapshot(account.client)

    without_guest = guest.stack.delete(), take_snapshot(account.client)
    owner_goes = (
        first.stack.delete(),
        first.stack.describe_failures(),
        take_snapshot(account.client),
    )
    second.put_policy(POLICY, "Second-Domain")
    assert second.has_grants(IN_SECOND)
    at_last = second.stack.delete(), first.stack.delete()
    return Seen(
        alone,
        clash,
        second,
        together,
        changed,
        without_guest,
        owner_goes,
        at_last,
        account.list_resources() - things,
    )


def deploy_with_taken_names(stack: DeployedStack) -> tuple[str, str, AccountSnapshot]:
    status, why = stack.create(**SHARED), stack.describe_failures()
    assert stack.delete() == "DELETE_COMPLETE"
    return status, why, take_snapshot(stack.account.client)


def test_taken_names_fail_the_second_stage_and_the_first_keeps_its_roles(seen: Seen):
    status, why, account = seen.clash

    assert status == "ROLLBACK_COMPLETE"
    assert "-role already exists in stack" in why
    assert account == seen.alone


def test_a_second_and_a_third_stage_with_their_own_names_change_nothing_of_the_first(seen: Seen):
    assert select_existing(seen.alone, seen.together) == seen.alone


def test_a_policy_change_in_one_stage_changes_only_its_own_grants(seen: Seen):
    before, after, second = seen.together, seen.changed, seen.second
    team = f"s3://{second.data}/Product/*"
    gone = {
        name
        for name, value in before.items()
        if name.startswith("grant ") and value["GrantScope"] == team
    }

    assert len(gone) == 2
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == gone | {f"ledger {second.ledger}", f"bucket {second.policies}"}


def test_the_deletion_of_a_stage_changes_nothing_of_the_others(seen: Seen):
    status, after = seen.without_guest
    others = {
        name: value for name, value in seen.changed.items() if name in seen.alone or name in after
    }

    assert status == "DELETE_COMPLETE"
    assert after == others


def test_the_stage_that_created_the_instance_is_deleted_except_for_the_instance_while_others_use_it(
    seen: Seen,
):
    status, why, after = seen.owner_goes
    _, before = seen.without_guest
    others = {
        name: value
        for name, value in before.items()
        if name == "instance" or name not in seen.alone
    }

    assert status == "DELETE_FAILED"
    assert "The following resource(s) failed to delete: [AccessGrantsInstance]." in why
    assert "Please clean up locations before deleting the access grants instance" in why
    assert after == others


def test_it_is_deleted_again_once_the_others_are_gone_and_nothing_is_left(seen: Seen):
    assert seen.at_last == ("DELETE_COMPLETE", "DELETE_COMPLETE")
    assert seen.left == set()
