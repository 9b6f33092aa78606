"""Folders come and go as objects are uploaded and deleted, and grants follow them."""

from tests.engine.helpers import assert_settled
from tests.grantor_setup import DATA, GrantorSetup

TEAMS = """\
version: 1
rules:
  - name: team-folders
    to: {profiles: {domain: Product-Domain, tags: {team: "{prefix.name}"}}}
    on: {each_prefix: "s3://{data_bucket}/teams/"}
    allow: READWRITE
"""
AUDITOR = """\
version: 1
rules:
  - name: auditors
    to: {role: "arn:aws:iam::000000000000:role/auditor"}
    on: {scope: "s3://{data_bucket}/*", except: ["s3://{data_bucket}/UserA/*"]}
    allow: READ
"""
BLUE = {"READWRITE s3://data/teams/blue/* to role/role-blue"}
RED = {"READWRITE s3://data/teams/red/* to role/role-red"}


def set_folder_teams(setup: GrantorSetup) -> None:
    setup.put_policy("teams", TEAMS)
    setup.create_profile("blue", team="blue")
    setup.create_profile("red", team="red")


def test_the_first_object_of_a_folder_creates_its_teams_grant_and_deleting_the_last_one_revokes_it(
    setup: GrantorSetup,
) -> None:
    set_folder_teams(setup)
    setup.upload("teams/red/a.csv")
    assert_settled(setup, RED)

    trigger = setup.upload("teams/blue/2026/a.csv")
    assert (setup.reconcile(trigger).created, setup.describe_grants()) == (1, BLUE | RED)
    again = setup.upload("teams/blue/b.csv")
    assert (setup.reconcile(again).done, setup.describe_grants()) == ([], BLUE | RED)
    setup.client("s3").delete_object(Bucket=DATA, Key="teams/blue/2026/a.csv")
    assert (setup.reconcile(trigger).done, setup.describe_grants()) == ([], BLUE | RED)
    setup.client("s3").delete_object(Bucket=DATA, Key="teams/blue/b.csv")
    assert (setup.reconcile(again).deleted, setup.describe_grants()) == (1, RED)
    assert_settled(setup, RED)


def test_a_grant_that_a_sweep_found_again_is_revoked_with_the_folders_last_object(
    setup: GrantorSetup,
) -> None:
    set_folder_teams(setup)
    trigger = setup.upload("teams/blue/a.csv")
    for finds in ((trigger,), ()):
        setup.upload("teams/blue/a.csv")
        setup.reconcile(*finds)
        assert setup.describe_grants() == BLUE
        setup.client("s3").delete_object(Bucket=DATA, Key="teams/blue/a.csv")
        setup.reconcile(trigger)
        assert setup.describe_grants() == set()


def test_an_upload_that_no_rule_follows_costs_no_call_to_access_grants(setup: GrantorSetup) -> None:
    set_folder_teams(setup)
    setup.reconcile()
    setup.reset_call_counts()
    report = setup.reconcile(setup.upload("elsewhere/blue/a.csv"))

    assert (report.focus, report.done, setup.count_calls()) == ((), [], {})


def test_an_excepted_folder_is_never_granted_and_every_other_new_folder_is(
    setup: GrantorSetup,
) -> None:
    setup.put_policy("auditors", AUDITOR)
    setup.create_role("auditor")
    for key in ("UserA/secret.csv", "UserB/a.csv"):
        setup.upload(key)
    assert_settled(setup, {"READ s3://data/UserB/* to role/auditor"})

    setup.reconcile(setup.upload("Product/a.csv"))
    setup.reconcile(setup.upload("UserA/more.csv"))
    assert_settled(
        setup,
        {"READ s3://data/UserB/* to role/auditor", "READ s3://data/Product/* to role/auditor"},
    )
