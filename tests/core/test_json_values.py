"""Values as JSON and back, and documents that are too long."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grantor.aws.notifications import count_bytes, limit_lists, shorten_lists
from grantor.core.diagnostics import Problem
from grantor.core.grant import Grant, Grantee, Permission, Reason
from grantor.core.planning.plan import Action, Change, UnmanagedGrant
from grantor.core.planning.rendering import (
    decode_change,
    decode_problem,
    decode_unmanaged,
    encode_change,
    encode_problem,
    encode_unmanaged,
    format_timestamp,
    parse_timestamp,
)

texts = st.text(max_size=8)
FIRST, LAST = datetime(2026, 1, 1), datetime(2030, 1, 1)  # noqa: DTZ001
moments = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
reasons = st.builds(
    Reason, texts, st.lists(texts, max_size=2).map(tuple), st.none() | moments, st.booleans()
)
lists = st.lists(reasons, max_size=2).map(tuple)
grants = st.builds(
    Grant, st.builds(Grantee, texts, texts), st.sampled_from(Permission), texts, texts
)
# Whether a delete is agreed is no part of the JSON.
agreed = st.just(False)
changes = st.builds(Change, st.sampled_from(Action), grants, lists, texts, agreed, lists)


@given(changes)
def test_a_change_comes_back_from_json_as_it_was(change: Change) -> None:
    assert decode_change(json.loads(json.dumps(encode_change(change)))) == change


def test_a_change_that_version_0_2_0_has_written_is_read() -> None:
    because = Reason("policy/a.yaml#team", ("profile Lab/ana",))
    change = Change(
        Action.CREATE,
        Grant(Grantee("IAM", "arn:aws:iam::1:role/a"), Permission.READ, "s3://b/*"),
        (because,),
    )
    written = {
        name: value for name, value in encode_change(change).items() if name != "reasons_before"
    }

    assert decode_change(written) == change


@given(grants, lists, texts)
def test_an_unmanaged_grant_comes_back_from_json_as_it_was(
    grant: Grant, why: tuple[Reason, ...], grant_id: str
) -> None:
    unmanaged = UnmanagedGrant(grant, why, grant_id)

    assert decode_unmanaged(json.loads(json.dumps(encode_unmanaged(unmanaged)))) == unmanaged


def test_a_diagnostic_comes_back_from_json_as_it_was() -> None:
    problem = Problem(
        "policy/a.yaml", 3, 5, "unknown key 'alow'", "a rule has allow", "write allow"
    )

    assert decode_problem(encode_problem(problem, "error")) == problem
    assert encode_problem(problem, "warning")["severity"] == "warning"


def test_a_time_is_written_in_utc() -> None:
    noon = datetime(2026, 11, 24, 12, 0, 59, 999_999, tzinfo=timezone(timedelta(hours=2)))

    assert format_timestamp(noon) == "2026-11-24T10:00:59Z"
    assert parse_timestamp(format_timestamp(noon)) == noon.replace(microsecond=0)


def document(changes: int = 0, accepted: int = 0) -> dict[str, Any]:
    return {
        "run_id": "r1",
        "changes": [{"scope": f"s3://data/{n:04}/*"} for n in range(changes)],
        "policy": {"accepted": [f"policy/{n:04}.yaml" for n in range(accepted)], "deleted": []},
        "truncated": {},
    }


@given(st.integers(0, 300), st.integers(0, 300), st.integers(200, 10_000))
def test_a_document_is_shortened_to_the_size_and_says_what_is_left_out(
    changes: int, accepted: int, size: int
) -> None:
    whole = document(changes, accepted)
    shortened = shorten_lists(whole, size)
    lacking = shortened["truncated"]

    assert count_bytes(shortened) <= size
    assert (shortened == whole) is (count_bytes(whole) <= size)
    assert len(shortened["changes"]) + lacking.get("changes", 0) == changes
    assert len(shortened["policy"]["accepted"]) + lacking.get("policy.accepted", 0) == accepted
    assert shortened["changes"] == whole["changes"][: len(shortened["changes"])]
    assert whole == document(changes, accepted)


def test_a_document_that_is_too_large_without_its_lists_is_an_error() -> None:
    with pytest.raises(ValueError, match="more than 50 bytes"):
        shorten_lists({"run_id": "x" * 100}, 50)


def test_each_list_is_limited_and_the_rest_is_counted() -> None:
    limited = limit_lists(document(3, 5), 4)

    assert (len(limited["changes"]), limited["policy"]["accepted"][-1]) == (3, "policy/0003.yaml")
    assert limited["truncated"] == {"policy.accepted": 1}
