"""A probe is believed when it tells every answer from every other: each switch is set to each of its values, and the probe asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Sandbox
from tests.live.account import Account
from tests.live.asking import asked
from tests.live.catalogue import ALL, BY_NAME, JOBS
from tests.live.ground import Ground, ground
from tests.live.probe import Value
from tests.sandbox.desk import ask

# What was assumed first.
WAYS: dict[str, tuple[Value, ...]] = {
    "location_in_key": (False, True),
    "slash_makes_same_location": (False, True),
    "bare_bucket_is_inside": (True, False),
    "read_and_write_combine": (False, True),
    "plain_prefix_is_taken": (True, False),
    "invalid_scope_code": ("InvalidAccessGrant", "InvalidRequest"),
    "grant_scope_filters_exactly": (True, False),
    "default_page": (1000, 2, 50),
    "grants_survive_their_role": (True, False),
    "association_keeps_instance": (True, False),
    "prefix_needs_location": (False, True),
    "bad_value_code": ("InvalidRequest", "InvalidArgument"),
    "stale_seconds": (0, 1),
    "late_deletes": (0, 1, 3),
    "vended_seconds": (3600, 900),
    "job_failure_reason": ("code", "logs", "message"),
    "job_image_needs_rights": (True, False),
}
BOTH = [(name, value) for name, values in WAYS.items() for value in values]


@pytest.mark.parametrize(("name", "value"), [row for row in BOTH if row[0] not in JOBS])
def test_a_probe_tells_how_the_switch_is_set(inside: Callable[..., Account], tmp_path: Path, name: str, value: Value):
    with ground(inside(**{name: value}), tmp_path, patience=10, doubt=0) as here:
        here.open()

        assert asked(here, BY_NAME[name]).value == value


@pytest.mark.parametrize(("name", "value"), [row for row in BOTH if row[0] in JOBS])
def test_a_probe_of_jobs_tells_how_the_switch_is_set(on_server: Sandbox, here: Ground, name: str, value: Value):
    ask(on_server, "faults", "POST", {"switches": {name: value}})

    assert asked(here, BY_NAME[name]).value == value


def strike(operation: str, code: str, status: int = 400, **more: Any) -> dict[str, Any]:
    """A fault that gives another answer to a question for which there is no switch."""
    return {
        "service": "s3control",
        "operation": operation,
        "kind": "refuse",
        "code": code,
        "status": status,
        "message": "no",
    } | more


PEOPLE = "grantor-live-*"
OTHERWISE: list[tuple[str, Value, dict[str, Any]]] = [
    ("leading_slash", "InvalidRequest", strike("CreateAccessGrant", "InvalidRequest")),
    ("starred_location", "InvalidRequest", strike("CreateAccessGrant", "InvalidRequest")),
    ("missing_grantee", "InvalidPrincipal: no", strike("CreateAccessGrant", "InvalidPrincipal")),
    ("order_of_checks", "scope scope scope scope scope", strike("CreateAccessGrant", "InvalidAccessGrant", after=6)),
    ("tags_of_what_is_gone", "AccessDenied", strike("ListTagsForResource", "AccessDenied", 403)),
    ("too_long_code", "InvalidRequest", strike("GetDataAccess", "InvalidRequest", after=1)),
    ("missing_key_status", "403", strike("HeadObject", "AccessDenied", 403, service="s3", principal=PEOPLE)),
    ("credentials_outlive_their_grant", False, strike("GetObject", "AccessDenied", 403, after=1, service="s3", principal=PEOPLE)),
    ("create_is_judged_on", "both", strike("CreateAccessGrant", "AccessDenied", 403, principal=PEOPLE)),
    ("scope_binds_create", "refuses everything", strike("CreateAccessGrant", "AccessDenied", 403, principal=PEOPLE)),
    ("request_tag_binds_create", "refuses everything", strike("CreateAccessGrant", "AccessDenied", 403, principal=PEOPLE)),
    ("tagging_needs_its_right", True, strike("CreateAccessGrant", "AccessDenied", 403, principal=PEOPLE)),
    ("tag_binds_delete", "refuses everything", strike("DeleteAccessGrant", "AccessDenied", 403, principal=PEOPLE)),
    ("delete_of_what_is_gone", "NoSuchAccessGrantError", strike("DeleteAccessGrant", "NoSuchAccessGrantError", 404, principal=PEOPLE)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "fault"), OTHERWISE, ids=[row[0] for row in OTHERWISE])
def test_a_probe_without_a_switch_tells_what_is_assumed_from_something_else(
    on_server: Sandbox, here: Ground, name: str, value: Value, fault: dict[str, Any]
):
    assumed = asked(here, BY_NAME[name]).value
    ask(on_server, "faults", "POST", {"rules": [fault]})
    seen = asked(here, BY_NAME[name]).value
    ask(on_server, "faults", "DELETE")

    assert (assumed, seen) == (BY_NAME[name].assumed, value)


# No fault lets through what a policy refuses; inside the process nobody judges policies.
ALLOWED: list[tuple[str, Value]] = [("readers_see_uploads", True)]


@pytest.mark.parametrize("name", [row[0] for row in ALLOWED])
def test_a_probe_sees_what_policies_refuse(here: Ground, name: str):
    assert asked(here, BY_NAME[name]).value == BY_NAME[name].assumed


@pytest.mark.parametrize(("name", "value"), ALLOWED)
def test_a_probe_sees_what_no_policy_refuses(inside: Callable[..., Account], tmp_path: Path, name: str, value: Value):
    with ground(inside(), tmp_path, patience=10, doubt=0) as here:
        here.open()

        assert asked(here, BY_NAME[name]).value == value


def test_every_probe_is_tried_both_ways_the_assumed_one_first():
    other = {name: value for name, value, *_ in (*OTHERWISE, *ALLOWED)}

    assert {name: values[0] for name, values in WAYS.items()} == {probe.name: probe.assumed for probe in ALL if probe.switch}
    assert other.keys() == {probe.name for probe in ALL if not probe.switch}
    assert all(len(set(values)) > 1 for values in WAYS.values())
    assert [name for name, value in other.items() if value == BY_NAME[name].assumed] == []
