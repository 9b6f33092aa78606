"""The live suite needs a confirmed account, changes only its own resources, and leaves nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.live.account import LIVE, Account, AccountNotConfirmed
from tests.live.catalogue import PROBES_BY_NAME
from tests.live.cleanup_list import CleanupList, find_leftovers
from tests.live.conftest import INSIDE
from tests.live.runner import run_probe
from tests.live.workspace import NotOwned, Workspace, open_workspace


def list_resources(account: Account) -> dict[str, list[str]]:
    """What is in the account, by kind."""
    control = account.client("s3control")
    there = control.list_access_grants_instances(AccountId=account.id)["AccessGrantsInstancesList"]
    return {
        "buckets": [bucket["Name"] for bucket in account.client("s3").list_buckets()["Buckets"]],
        "roles": [role["RoleName"] for role in account.client("iam").list_roles()["Roles"]],
        "instances": [each["AccessGrantsInstanceId"] for each in there],
        "grants": [
            g["GrantScope"]
            for g in control.list_access_grants(AccountId=account.id)["AccessGrantsList"]
        ]
        if there
        else [],
    }


EMPTY: dict[str, list[str]] = {"buckets": [], "roles": [], "instances": [], "grants": []}


def test_without_the_accounts_own_number_nothing_is_asked(in_process: Callable[..., Account]):
    in_process()

    with pytest.raises(
        AccountNotConfirmed,
        match="GRANTOR_LIVE is 'yes': say which account is meant, by its 12 digits",
    ):
        Account.from_environment({LIVE: "yes"})


def test_credentials_of_another_account_are_refused(in_process: Callable[..., Account]):
    in_process()

    with pytest.raises(
        AccountNotConfirmed,
        match=f"GRANTOR_LIVE says 111122223333, and these credentials are of account {INSIDE}",
    ):
        Account.from_environment({LIVE: "111122223333"})


def test_nothing_is_left_after_a_failure(in_process: Callable[..., Account], tmp_path: Path):
    account = in_process()

    def fail_amidst() -> None:
        with open_workspace(account, tmp_path) as workspace:
            workspace.set_up()
            workspace.create_location()
            workspace.create_grant("x/*", workspace.create_person())
            account.client("s3").put_object(Bucket=workspace.bucket, Key="x/y", Body=b"")
            assert [len(found) for found in list_resources(account).values()] == [1, 2, 1, 1]
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail_amidst()
    assert list_resources(account) == EMPTY
    assert list(tmp_path.iterdir()) == []


def test_each_probe_leaves_the_workspace_as_it_found_it(
    in_process: Callable[..., Account], tmp_path: Path
):
    account = in_process()
    with open_workspace(account, tmp_path) as workspace:
        workspace.set_up()
        workspace.create_location()
        before = list_resources(account)
        run_probe(workspace, PROBES_BY_NAME["location_in_key"])

        assert list_resources(account) == before


def test_an_instance_that_was_there_stays_with_all_that_is_in_it(
    in_process: Callable[..., Account], tmp_path: Path
):
    account = in_process()
    theirs = create_others(account, tmp_path)
    before = list_resources(account)
    with open_workspace(account, tmp_path) as workspace:
        workspace.set_up()
        run_probe(workspace, PROBES_BY_NAME["late_deletes"])

    assert list_resources(account) == before
    assert before["grants"] == [f"s3://{theirs.bucket}/theirs/*"]


def create_others(account: Account, folder: Path) -> Workspace:
    """Somebody else's instance, location and grant."""
    theirs = Workspace(account, CleanupList(account, folder / "theirs"), "theirs")
    theirs.set_up()
    theirs.create_location()
    theirs.create_grant("theirs/*", theirs.create_person())
    return theirs


def test_a_bucket_that_is_there_already_is_not_taken(
    in_process: Callable[..., Account], tmp_path: Path
):
    account = in_process()
    account.client("s3").create_bucket(Bucket="taken")
    made = CleanupList(account, tmp_path / "made")

    with pytest.raises(NotOwned, match="bucket taken exists"):
        Workspace(account, made, "taken").set_up()
    assert made.resources == []


def test_what_a_killed_run_has_left_is_removed_by_its_list(
    in_process: Callable[..., Account], tmp_path: Path
):
    account = in_process()
    file = tmp_path / f"{account.id}-{account.region}-killed.jsonl"
    killed = Workspace(account, CleanupList(account, file), "grantor-live-killed")
    killed.set_up()
    killed.create_location()
    killed.create_grant("x/*", killed.create_person())

    assert [why for made in find_leftovers(account, tmp_path) for why in made.remove()] == []
    assert list_resources(account) == EMPTY
    assert not file.exists()


def test_what_cannot_be_removed_is_named_and_stays_on_the_list(
    in_process: Callable[..., Account], tmp_path: Path
):
    account = in_process()
    made = CleanupList(account, tmp_path / "made", patience=0.1)
    account.client("s3").create_bucket(Bucket="full")
    made.add("s3", "delete_bucket", Bucket="full")
    account.client("s3").put_object(Bucket="full", Key="x", Body=b"")
    answer = made.remove()

    assert answer == [
        's3 delete_bucket {"Bucket": "full"}: '
        + refusal(lambda: account.client("s3").delete_bucket(Bucket="full"))
    ]
    assert made.file.read_text().count("delete_bucket") == 1


def refusal(do: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as refused:
        do()
    return str(refused.value)
