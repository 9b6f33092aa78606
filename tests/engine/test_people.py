"""Studio profiles come, go and change; whoever stands in another's way is refused, and keeps what
there was.
"""

from sandbox.testing.helpers import call_control
from tests.engine.watch import at_rest, quiet
from tests.estate import ARTICLE, DOMAIN, Estate

A = {
    "READWRITE s3://data/Product/* to role/role-userA",
    "READWRITE s3://data/UserA/* to role/role-userA",
}
B = {
    "READWRITE s3://data/Product/* to role/role-userB",
    "READWRITE s3://data/UserB/* to role/role-userB",
}
C = {
    "READWRITE s3://data/Product/* to role/role-userC",
    "READWRITE s3://data/UserC/* to role/role-userC",
}
OWN_FOLDER = """\
version: 1
rules:
  - name: own-folder
    to: {each_profile: {domain: Product-Domain}}
    on: s3://{data_bucket}/{profile.folder}/*
    allow: READWRITE
"""


def changes(estate: Estate) -> list[str]:
    """The changes to Access Grants since the calls were forgotten, in their order."""
    made = [
        call["operation"]
        for call in call_control(estate.sandbox, "calls?record=1")
        if call["service"] == "s3control"
    ]
    return [
        operation for operation in made if operation in ("CreateAccessGrant", "DeleteAccessGrant")
    ]


def test_a_profile_that_comes_gets_its_grants_and_one_that_goes_loses_them(estate: Estate) -> None:
    estate.policy("article", ARTICLE)
    at_rest(estate, A | B)

    estate.profile("userC")
    estate.run(estate.profile_trigger("userC"))
    assert estate.grants() == A | B | C
    estate.no_profile("userA")
    estate.run(estate.profile_trigger("userA"))
    assert estate.grants() == B | C
    at_rest(estate, B | C)


def test_a_profile_that_runs_as_another_role_takes_its_grants_along_and_the_new_ones_come_first(
    estate: Estate,
) -> None:
    estate.policy("article", ARTICLE)
    at_rest(estate, A | B)
    estate.forget_calls()
    estate.settle("userA")
    estate.client("sagemaker").update_user_profile(
        DomainId=estate.domain,
        UserProfileName="userA",
        UserSettings={"ExecutionRole": estate.role("role-new")},
    )
    estate.run(estate.profile_trigger("userA"))

    moved = {
        "READWRITE s3://data/Product/* to role/role-new",
        "READWRITE s3://data/UserA/* to role/role-new",
    }
    assert changes(estate) == [
        "CreateAccessGrant",
        "CreateAccessGrant",
        "DeleteAccessGrant",
        "DeleteAccessGrant",
    ]
    at_rest(estate, moved | B)


def test_a_profile_that_shares_its_role_is_refused_and_everybody_keeps_what_they_had(
    estate: Estate,
) -> None:
    """The service knows roles, not profiles: ssosync #286, a word that says less than it does."""
    estate.policy("own", OWN_FOLDER)
    at_rest(
        estate,
        own := {
            "READWRITE s3://data/UserA/* to role/role-userA",
            "READWRITE s3://data/UserB/* to role/role-userB",
        },
    )
    estate.profile("guest", role="role-userA")
    estate.profile("userC")
    report = estate.run()

    assert (
        "rule own-folder for arn:aws:iam::000000000000:role/role-userA: it is the role of Product-Domain/guest and Product-Domain/userA"
        in str(report.errors[0])
    )
    assert estate.grants() == own | {"READWRITE s3://data/UserC/* to role/role-userC"}
    assert quiet(estate).errors == report.errors
    estate.no_profile("guest")
    at_rest(estate, own | {"READWRITE s3://data/UserC/* to role/role-userC"})


def test_profiles_of_one_role_that_a_rule_means_alike_have_one_grant_until_the_last_of_them_goes(
    estate: Estate,
) -> None:
    """TEAM #279: the end of one request took away what another still needed."""
    estate.policy("article", ARTICLE.split("  - name: own-folder")[0])
    estate.profile("guest", role="role-userA")
    at_rest(
        estate,
        shared := {
            "READWRITE s3://data/Product/* to role/role-userA",
            "READWRITE s3://data/Product/* to role/role-userB",
        },
    )

    for name in ("userA", "guest"):
        assert estate.grants() == shared
        estate.no_profile(name)
        estate.run(estate.profile_trigger(name))
    at_rest(estate, {"READWRITE s3://data/Product/* to role/role-userB"})


def test_a_profile_whose_folder_is_anothers_is_refused_and_everybody_keeps_what_they_had(
    estate: Estate,
) -> None:
    estate.policy("own", OWN_FOLDER)
    at_rest(
        estate,
        own := {
            "READWRITE s3://data/UserA/* to role/role-userA",
            "READWRITE s3://data/UserB/* to role/role-userB",
        },
    )
    estate.profile("UserA", role="role-twin")
    report = estate.run(estate.profile_trigger("UserA"))

    assert "its scope overlaps with that of Product-Domain/userA" in str(report.errors[0])
    assert estate.grants() == own
    assert len(estate.run().errors) == 2
    estate.no_profile("userA")
    at_rest(
        estate,
        {
            "READWRITE s3://data/UserA/* to role/role-twin",
            "READWRITE s3://data/UserB/* to role/role-userB",
        },
    )


def test_a_domain_that_does_not_exist_takes_nothing_away(estate: Estate) -> None:
    """external-dns #3841: a typo in one object deleted live records."""
    estate.policy("article", ARTICLE)
    at_rest(estate, A | B)
    estate.policy("article", ARTICLE.replace(DOMAIN, "Product-Domian"))
    report = estate.run()

    assert "there is no Studio domain 'Product-Domian'" in str(report.errors[0])
    assert "did you mean Product-Domain?" in str(report.errors[0])
    assert estate.grants() == A | B
