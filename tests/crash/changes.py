"""Representative changes of an estate. Each lays out what stood before, lets something happen, and
says how it must end.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from grantor.core.triggers import Trigger
from tests.estate import ARTICLE, EVERYTHING, Estate

FOUR = {
    "READWRITE s3://data/Product/* to role/role-userA",
    "READWRITE s3://data/Product/* to role/role-userB",
    "READWRITE s3://data/UserA/* to role/role-userA",
    "READWRITE s3://data/UserB/* to role/role-userB",
}
ANA, BEN = (
    "to: {role: arn:aws:iam::000000000000:role/ana}",
    "to: {role: arn:aws:iam::000000000000:role/ben}",
)
DESK = "READ s3://data/desk/* to role/ana"
LATER = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Change:
    """What happened: the grants that there must be in the end, and the triggers of it."""

    new: set[str]
    triggers: Sequence[Trigger] = tuple(EVERYTHING)
    at: datetime | None = None  # when it happens; now if None
    faults: Sequence[dict[str, Any]] = ()  # what else goes wrong while the first run is on its way
    waits: bool = False  # the new policy versions are not accepted
    calls: Sequence[
        tuple[str, str]
    ] = ()  # calls that must have been made in the end, by service and operation


def policy(*rules: str) -> str:
    return "version: 1\nrules:\n" + "".join(f"  - {{{rule}}}\n" for rule in rules)


def the_first_policy_of_an_empty_estate(estate: Estate) -> Change:
    estate.policy("article", ARTICLE)
    return Change(FOUR)


def a_profile_is_made(estate: Estate) -> Change:
    estate.policy("article", ARTICLE)
    estate.run()
    estate.profile("userC")
    _settled(estate)
    hers = {
        "READWRITE s3://data/Product/* to role/role-userC",
        "READWRITE s3://data/UserC/* to role/role-userC",
    }
    return Change(FOUR | hers, [estate.profile_trigger("userC")])


def a_profile_is_deleted(estate: Estate) -> Change:
    estate.policy("article", ARTICLE)
    estate.run()
    _settled(estate)
    estate.no_profile("userB")
    _settled(estate)
    return Change(
        {grant for grant in FOUR if grant.endswith("userA")}, [estate.profile_trigger("userB")]
    )


def a_profile_is_made_while_a_new_policy_waits_for_its_own_trigger(estate: Estate) -> Change:
    estate.role("ana")
    estate.policy("article", ARTICLE)
    estate.run()
    estate.policy("desk", policy(f"name: desk, {ANA}, on: s3://data/desk/*, allow: READ"))
    estate.profile("userC")
    _settled(estate)
    hers = {
        "READWRITE s3://data/Product/* to role/role-userC",
        "READWRITE s3://data/UserC/* to role/role-userC",
    }
    return Change(FOUR | hers | {DESK}, [estate.profile_trigger("userC")])


def read_becomes_readwrite(estate: Estate) -> Change:
    estate.role("ana")
    estate.policy("desk", policy(f"name: desk, {ANA}, on: s3://data/desk/*, allow: READ"))
    estate.run()
    estate.policy("desk", policy(f"name: desk, {ANA}, on: s3://data/desk/*, allow: READWRITE"))
    return Change({"READWRITE s3://data/desk/* to role/ana"})


def a_rule_moves_from_file_to_file_and_another_goes(estate: Estate) -> Change:
    desk, attic = (
        f"name: desk, {ANA}, on: s3://data/desk/*, allow: READ",
        f"name: attic, {ANA}, on: s3://data/attic/*, allow: READ",
    )
    estate.role("ana")
    estate.policy(
        "one", policy(desk, attic, f"name: shelf, {ANA}, on: s3://data/shelf/*, allow: READ")
    )
    estate.policy("two", policy(f"name: hall, {ANA}, on: s3://data/hall/*, allow: READ"))
    estate.run()
    estate.policy("one", policy(attic))
    estate.policy("two", policy(desk, f"name: hall, {ANA}, on: s3://data/hall/*, allow: WRITE"))
    return Change(
        {DESK, "READ s3://data/attic/* to role/ana", "WRITE s3://data/hall/* to role/ana"}
    )


def a_scope_becomes_narrower(estate: Estate) -> Change:
    estate.role("ana")
    estate.policy("desk", policy(f"name: desk, {ANA}, on: s3://data/*, allow: READ"))
    estate.run()
    estate.policy("desk", policy(f"name: desk, {ANA}, on: s3://data/desk/*, allow: READ"))
    return Change({DESK})


def a_policy_file_is_deleted(estate: Estate) -> Change:
    estate.role("ana")
    estate.policy("article", ARTICLE)
    estate.policy("desk", policy(f"name: desk, {ANA}, on: s3://data/desk/*, allow: READ"))
    estate.run()
    estate.no_policy("desk")
    return Change(FOUR)


def an_until_passes(estate: Estate) -> Change:
    estate.role("ana")
    estate.policy("article", ARTICLE)
    estate.policy(
        "desk", policy(f"name: desk, {ANA}, on: s3://data/desk/*, allow: READ, until: 2099-12-31")
    )
    estate.run()
    return Change(FOUR, at=LATER)


def a_rule_wants_what_somebody_else_has_made(estate: Estate) -> Change:
    ana, ben = estate.role("ana"), estate.role("ben")
    estate.foreign("desk/*", ana)
    estate.foreign("attic/*", ben)
    estate.policy(
        "desk",
        policy(
            f"name: desk, {ANA}, on: s3://data/desk/*, allow: READ",
            f"name: shelf, {ANA}, on: s3://data/shelf/*, allow: READ",
            f"name: too, {BEN}, on: s3://data/desk/*, allow: READ",
        ),
    )
    ours = {"READ s3://data/shelf/* to role/ana", "READ s3://data/desk/* to role/ben"}
    return Change({DESK, "READ s3://data/attic/* to role/ben", *ours})


def an_approved_plan_of_25_deletes(estate: Estate) -> Change:
    refused = _without_25(estate)
    world = estate.world()
    world.run_store.record_approval(refused, "a steward", datetime.now(UTC))
    return Change({DESK})


def a_plan_of_25_deletes_that_nobody_approves(estate: Estate) -> Change:
    _many(estate)
    stood = estate.grants()
    estate.policy("desk", policy(f"name: desk, {ANA}, on: s3://data/desk/*, allow: READ"))
    return Change(stood, waits=True, calls=[("events", "PutEvents"), ("sns", "Publish")])


def what_an_earlier_run_intended_is_wanted_in_part(estate: Estate) -> Change:
    desk = f"name: desk, {ANA}, on: s3://data/desk/*, allow: READ"
    estate.role("ana")
    estate.policy("desk", policy(desk, f"name: shelf, {ANA}, on: s3://data/shelf/*, allow: READ"))
    _run_that_dies_before_it_confirms(estate)
    estate.policy("desk", policy(desk, f"name: hall, {ANA}, on: s3://data/hall/*, allow: READ"))
    return Change({DESK, "READ s3://data/hall/* to role/ana"})


def a_role_is_not_known_to_the_service_yet(estate: Estate) -> Change:
    estate.policy("article", ARTICLE)
    unknown = {
        "service": "s3control",
        "operation": "CreateAccessGrant",
        "kind": "invalid-grantee",
        "after": 1,
        "times": 2,
    }
    return Change(FOUR, faults=[unknown])


def _settled(estate: Estate) -> None:
    """Wait until Studio has done what it was asked."""
    studio, until = estate.client("sagemaker"), time.monotonic() + 10
    while {one["Status"] for one in studio.list_user_profiles()["UserProfiles"]} != {"InService"}:
        assert time.monotonic() < until, "Studio's profiles do not settle"
        time.sleep(0.02)


def _many(estate: Estate) -> None:
    estate.role("ana")
    folders = [
        f"name: folder-{number}, {ANA}, on: s3://data/folder-{number}/*, allow: READ"
        for number in range(25)
    ]
    estate.policy("desk", policy(f"name: desk, {ANA}, on: s3://data/desk/*, allow: READ", *folders))
    estate.run()


def _without_25(estate: Estate) -> str:
    """25 of 26 rules go; the hash of the plan, which waits for its approval."""
    _many(estate)
    estate.policy("desk", policy(f"name: desk, {ANA}, on: s3://data/desk/*, allow: READ"))
    return estate.run().approval.hash


def _run_that_dies_before_it_confirms(estate: Estate) -> None:
    refusal = {
        "kind": "refuse",
        "code": "AccessDeniedException",
        "status": 400,
        "message": "not now",
    }
    estate.faults({"service": "dynamodb", "operation": "TransactWriteItems", "after": 3, **refusal})
    with suppress(ClientError):
        estate.run()
    estate.faults()
    states = {entry.state for entry in estate.entries().values()}
    assert (states, len(estate.grants())) == ({"intended"}, 2), (
        "the run did not die between making and confirming"
    )


CHANGES: tuple[Callable[[Estate], Change], ...] = (
    the_first_policy_of_an_empty_estate,
    a_profile_is_made,
    a_profile_is_deleted,
    a_profile_is_made_while_a_new_policy_waits_for_its_own_trigger,
    read_becomes_readwrite,
    a_rule_moves_from_file_to_file_and_another_goes,
    a_scope_becomes_narrower,
    a_policy_file_is_deleted,
    an_until_passes,
    a_rule_wants_what_somebody_else_has_made,
    an_approved_plan_of_25_deletes,
    a_plan_of_25_deletes_that_nobody_approves,
    what_an_earlier_run_intended_is_wanted_in_part,
    a_role_is_not_known_to_the_service_yet,
)
