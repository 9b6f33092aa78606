"""Folders come and go as objects are uploaded and deleted, and grants follow them."""

from tests.engine.watch import at_rest
from tests.estate import DATA, Estate

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


def colours(estate: Estate) -> None:
    estate.policy("teams", TEAMS)
    estate.profile("blue", team="blue")
    estate.profile("red", team="red")


def test_an_upload_that_makes_a_folder_brings_its_teams_grant_and_the_last_object_takes_it_away(
    estate: Estate,
) -> None:
    colours(estate)
    estate.upload("teams/red/a.csv")
    at_rest(estate, RED)

    trigger = estate.upload("teams/blue/2026/a.csv")
    assert (estate.run(trigger).created, estate.grants()) == (1, BLUE | RED)
    again = estate.upload("teams/blue/b.csv")
    assert (estate.run(again).done, estate.grants()) == ([], BLUE | RED)
    estate.client("s3").delete_object(Bucket=DATA, Key="teams/blue/2026/a.csv")
    assert (estate.run(trigger).done, estate.grants()) == ([], BLUE | RED)
    estate.client("s3").delete_object(Bucket=DATA, Key="teams/blue/b.csv")
    assert (estate.run(again).deleted, estate.grants()) == (1, RED)
    at_rest(estate, RED)


def test_a_folder_that_a_sweep_found_again_goes_with_its_last_object_all_the_same(
    estate: Estate,
) -> None:
    colours(estate)
    trigger = estate.upload("teams/blue/a.csv")
    for finds in ((trigger,), ()):
        estate.upload("teams/blue/a.csv")
        estate.run(*finds)
        assert estate.grants() == BLUE
        estate.client("s3").delete_object(Bucket=DATA, Key="teams/blue/a.csv")
        estate.run(trigger)
        assert estate.grants() == set()


def test_an_upload_that_no_rule_follows_costs_no_call_to_access_grants(estate: Estate) -> None:
    colours(estate)
    estate.run()
    estate.forget_calls()
    report = estate.run(estate.upload("elsewhere/blue/a.csv"))

    assert (report.focus, report.done, estate.calls()) == ((), [], {})


def test_what_is_excepted_is_never_granted_and_every_other_folder_is_when_it_comes(
    estate: Estate,
) -> None:
    estate.policy("auditors", AUDITOR)
    estate.role("auditor")
    for key in ("UserA/secret.csv", "UserB/a.csv"):
        estate.upload(key)
    at_rest(estate, {"READ s3://data/UserB/* to role/auditor"})

    estate.run(estate.upload("Product/a.csv"))
    estate.run(estate.upload("UserA/more.csv"))
    at_rest(
        estate,
        {"READ s3://data/UserB/* to role/auditor", "READ s3://data/Product/* to role/auditor"},
    )
