"""The printed result of a probe: that the assumption holds, that the answer differs, or why it is
open.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.account import Account
from tests.live.catalogue import PROBES_BY_NAME
from tests.live.probe import Value
from tests.live.runner import run_probes
from tests.live.workspace import open_workspace


@pytest.fixture
def say(
    in_process: Callable[..., Account], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[str, list[str]]]:
    """What is printed of a probe when the switches are set so, and the names of those that remain
    open.
    """

    def asked(name: str, **switches: Value) -> tuple[str, list[str]]:
        with open_workspace(in_process(**switches), tmp_path, doubt=0) as workspace:
            workspace.set_up()
            left = run_probes(workspace, [PROBES_BY_NAME[name]])
        return capsys.readouterr().out.rstrip(), [probe.name for probe in left]

    return asked


def test_an_answer_that_was_assumed_settles_its_switch(say):
    assert say("vended_seconds") == (
        "settles vended_seconds = 3600  (observed: about 3600 s until its Expiration)",
        [],
    )


def test_another_answer_says_what_was_assumed(say):
    line = (
        "settles vended_seconds = 900  (observed: about 900 s until its Expiration)  ASSUMED: 3600"
    )

    assert say("vended_seconds", vended_seconds=900) == (line, [])


def test_a_question_without_a_switch_is_answered(say):
    line = (
        'answers missing_grantee = "InvalidRequest: Invalid Grantee in the request"'
        "  (observed: a grant to a role that never was)"
    )

    assert say("missing_grantee") == (line, [])


def test_an_unexpected_answer_leaves_the_question_open(say):
    line = (
        "leaves plain_prefix_is_taken open: analytics/ without S3PrefixType: "
        "Never, which is neither done nor InvalidAccessGrant nor InvalidRequest"
    )

    assert say(
        "plain_prefix_is_taken", plain_prefix_is_taken=False, invalid_scope_code="Never"
    ) == (
        line,
        ["plain_prefix_is_taken"],
    )


def test_a_refusal_before_it_could_be_asked_leaves_the_question_open(say):
    line, left = say("bad_value_code", locations_quota=0)

    assert line.startswith(
        "leaves bad_value_code open: An error occurred (AccessGrantsLocationsQuotaExceededError)"
    )
    assert left == ["bad_value_code"]


def test_what_this_account_has_nothing_to_ask_with_does_not_count_as_open(
    in_process: Callable[..., Account], tmp_path: Path
):
    account = in_process()
    account.client("s3control").create_access_grants_instance(AccountId=account.id)
    with open_workspace(account, tmp_path) as workspace:
        workspace.set_up()

        assert run_probes(workspace, [PROBES_BY_NAME["association_keeps_instance"]]) == []
