"""The suite asks nobody's account by accident, touches nothing but its own, and leaves nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.live.account import LIVE, Account, NotAsked
from tests.live.asking import asked
from tests.live.catalogue import BY_NAME
from tests.live.conftest import INSIDE
from tests.live.ground import Ground, NotOurs, ground
from tests.live.making import Made, left_behind


def left(account: Account) -> dict[str, list[str]]:
    """What is in the account, by kind."""
    control = account.client("s3control")
    there = control.list_access_grants_instances(AccountId=account.id)["AccessGrantsInstancesList"]
    return {
        "buckets": [bucket["Name"] for bucket in account.client("s3").list_buckets()["Buckets"]],
        "roles": [role["RoleName"] for role in account.client("iam").list_roles()["Roles"]],
        "instances": [each["AccessGrantsInstanceId"] for each in there],
        "grants": [g["GrantScope"] for g in control.list_access_grants(AccountId=account.id)["AccessGrantsList"]]
        if there
        else [],
    }


EMPTY: dict[str, list[str]] = {"buckets": [], "roles": [], "instances": [], "grants": []}


def test_without_the_accounts_own_number_nothing_is_asked(inside: Callable[..., Account]):
    inside()

    with pytest.raises(NotAsked, match="GRANTOR_LIVE is 'yes': say which account is meant, by its 12 digits"):
        Account.of({LIVE: "yes"})


def test_credentials_of_another_account_are_refused(inside: Callable[..., Account]):
    inside()

    with pytest.raises(NotAsked, match=f"GRANTOR_LIVE says 111122223333, and these credentials are of account {INSIDE}"):
        Account.of({LIVE: "111122223333"})


def test_nothing_is_left_after_a_failure(inside: Callable[..., Account], tmp_path: Path):
    account = inside()

    def fail_amidst() -> None:
        with ground(account, tmp_path) as here:
            here.open()
            here.lay()
            here.grant("x/*", here.person())
            account.client("s3").put_object(Bucket=here.bucket, Key="x/y", Body=b"")
            assert [len(found) for found in left(account).values()] == [1, 2, 1, 1]
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail_amidst()
    assert left(account) == EMPTY
    assert list(tmp_path.iterdir()) == []


def test_each_probe_leaves_the_ground_as_it_found_it(inside: Callable[..., Account], tmp_path: Path):
    account = inside()
    with ground(account, tmp_path) as here:
        here.open()
        here.lay()
        before = left(account)
        asked(here, BY_NAME["location_in_key"])

        assert left(account) == before


def test_an_instance_that_was_there_stays_with_all_that_is_in_it(inside: Callable[..., Account], tmp_path: Path):
    account = inside()
    theirs = others(account, tmp_path)
    before = left(account)
    with ground(account, tmp_path) as here:
        here.open()
        asked(here, BY_NAME["late_deletes"])

    assert left(account) == before
    assert before["grants"] == [f"s3://{theirs.bucket}/theirs/*"]


def others(account: Account, folder: Path) -> Ground:
    """Somebody else's instance, location and grant."""
    theirs = Ground(account, Made(account, folder / "theirs"), "theirs")
    theirs.open()
    theirs.lay()
    theirs.grant("theirs/*", theirs.person())
    return theirs


def test_a_bucket_that_is_there_already_is_not_taken(inside: Callable[..., Account], tmp_path: Path):
    account = inside()
    account.client("s3").create_bucket(Bucket="taken")
    made = Made(account, tmp_path / "made")

    with pytest.raises(NotOurs, match="bucket taken is there already"):
        Ground(account, made, "taken").open()
    assert made.things == []


def test_what_a_killed_run_has_left_is_removed_by_its_list(inside: Callable[..., Account], tmp_path: Path):
    account = inside()
    file = tmp_path / f"{account.id}-{account.region}-killed.jsonl"
    killed = Ground(account, Made(account, file), "grantor-live-killed")
    killed.open()
    killed.lay()
    killed.grant("x/*", killed.person())

    assert [why for made in left_behind(account, tmp_path) for why in made.remove()] == []
    assert left(account) == EMPTY
    assert not file.exists()


def test_what_can_not_be_removed_is_told_and_stays_on_the_list(inside: Callable[..., Account], tmp_path: Path):
    account = inside()
    made = Made(account, tmp_path / "made", patience=0.1)
    account.client("s3").create_bucket(Bucket="full")
    made.add("s3", "delete_bucket", Bucket="full")
    account.client("s3").put_object(Bucket="full", Key="x", Body=b"")
    told = made.remove()

    assert told == ['s3 delete_bucket {"Bucket": "full"}: ' + refusal(lambda: account.client("s3").delete_bucket(Bucket="full"))]
    assert made.file.read_text().count("delete_bucket") == 1


def refusal(do: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as refused:
        do()
    return str(refused.value)
