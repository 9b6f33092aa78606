"""One run of the engine, from the files to the grants, on the sandbox."""

from tests.estate import ARTICLE, Estate

FOUR = {
    "READWRITE s3://data/Product/* to role/role-userA",
    "READWRITE s3://data/Product/* to role/role-userB",
    "READWRITE s3://data/UserA/* to role/role-userA",
    "READWRITE s3://data/UserB/* to role/role-userB",
}


def test_a_policy_file_becomes_grants_and_running_again_changes_nothing(estate: Estate) -> None:
    estate.policy("article", ARTICLE)

    first = estate.run()
    assert (first.created, first.adopted, estate.grants()) == (4, ["policy/article.yaml"], FOUR)
    estate.forget_calls()
    second = estate.run()
    assert estate.calls() == {"ListAccessGrants": 1, "ListAccessGrantsLocations": 1}
    assert (second.done, second.finished, estate.grants()) == ([], True, FOUR)
