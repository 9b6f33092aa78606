"""Today's template is deployed over the latest release, which people use.

The release is built from the repository's history, so the test moves on with each version.
"""

import json
from typing import Any

import pytest

from demo import job_runs
from harness.steps import wait_until
from tests.upgrade.access_watch import watch_access
from tests.upgrade.conftest import ATTACHED, Upgrade
from tests.upgrade.previous_version import find_release

pytestmark = pytest.mark.timeout(900)
# What holds no state: an upgrade may make it again.
REPLACEABLE = ("AWS::Lambda::LayerVersion", "AWS::Lambda::Permission", "Custom::")


def test_the_latest_release_is_the_first_that_the_changelog_names_with_its_commit():
    text = "## [Unreleased]\n\n## [1.4.0] - 2030-01-02\n\nCommit " + "a" * 40 + ".\n\n## [1.3.0]\n"

    assert find_release(text) == ("1.4.0", "a" * 40)


def test_every_grant_is_the_same_grant_as_before(upgrade: Upgrade):
    assert len(upgrade.before.grants) == 4
    assert upgrade.after.grants == upgrade.before.grants


def test_nobody_is_without_access_for_a_moment(upgrade: Upgrade):
    assert upgrade.access.refused == []
    assert upgrade.access.asked > 100


def test_someone_without_a_grant_is_counted_as_refused(upgrade: Upgrade):
    with watch_access(upgrade.deployment, [("userB", "UserA")]) as access:
        wait_until("a refusal is seen", True, lambda: access.asked > 2)

    assert len(access.refused) == access.asked


def test_the_ledger_keeps_what_it_said_of_each_grant(upgrade: Upgrade):
    before, after = upgrade.before.ledger, upgrade.after.ledger

    assert sum(key.startswith("IAM ") for key in before) == 6  # four grants, two people
    assert {key: keep(item, after.get(key, {})) for key, item in before.items()} == before


def keep(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The attributes of `new` that `old` has too: a later version may add some."""
    return {name: value for name, value in new.items() if name in old}


def test_no_resource_that_holds_state_is_made_again(upgrade: Upgrade):
    before, after = upgrade.before.resources, upgrade.after.resources
    kept = {name for name in before if not name.startswith(REPLACEABLE)}

    assert {name: after.get(name) for name in kept} == {name: before[name] for name in kept}


def test_people_keep_the_policies_that_are_attached_to_their_roles(upgrade: Upgrade):
    outputs = upgrade.after.outputs

    assert set(upgrade.after.attached) == {outputs[name] for name in ATTACHED}


def test_every_output_keeps_its_name_and_its_value(upgrade: Upgrade):
    assert upgrade.after.outputs.items() >= upgrade.before.outputs.items()


def test_data_and_policy_files_keep_their_versions(upgrade: Upgrade):
    assert upgrade.after.objects.items() >= upgrade.before.objects.items()


def test_history_still_shows_every_run(upgrade: Upgrade):
    before, after = (
        [run["run_id"] for run in it.history] for it in (upgrade.before, upgrade.after)
    )

    assert before
    assert set(before) <= set(after)


def test_the_job_that_completed_is_known_and_the_upgrade_starts_no_other(upgrade: Upgrade):
    before, after = upgrade.before.runs, upgrade.after.runs

    assert len(before) == 1
    assert [(run["name"], run["status"]) for run in after] == [
        (run["name"], run["status"]) for run in before
    ]
    assert upgrade.deployment.count_messages("UploadQueue") == 0


def test_nothing_is_left_to_change(upgrade: Upgrade):
    plan = json.loads(upgrade.deployment.session.run_grantor("plan", "--json"))

    assert plan["changes"] == []
    assert upgrade.deployment.session.run_grantor("status")


def test_changed_data_starts_a_job_of_the_new_version(upgrade: Upgrade):
    deployment = upgrade.deployment
    known = job_runs.list_runs(deployment)

    job_runs.upload_rows(deployment, job_runs.read_rows(None)[1:])

    assert job_runs.wait_for_run(deployment, "a new run completes", known)
