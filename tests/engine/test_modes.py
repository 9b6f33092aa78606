"""Additive files give and never take away; authoritative ones do both; and a switch between them
says so (safe-settings #350, #317).
"""

from tests.engine.watch import at_rest, quiet
from tests.estate import ARTICLE, Estate

AUTHORITATIVE = ARTICLE
ADDITIVE = ARTICLE.replace("version: 1\n", "version: 1\nmode: additive\n")
TEAM, OWN = "  - name: product-team", "  - name: own-folder"
PRODUCT = {f"READWRITE s3://data/Product/* to role/role-user{x}" for x in "AB"}
FOLDERS = {f"READWRITE s3://data/User{x}/* to role/role-user{x}" for x in "AB"}


def without_own(text: str) -> str:
    """The file with the first of its two rules only."""
    return text.split(OWN, maxsplit=1)[0]


def test_an_additive_file_leaves_what_it_gave_though_the_rule_the_profile_and_the_file_go(
    estate: Estate,
) -> None:
    estate.policy("a", ADDITIVE)
    at_rest(estate, PRODUCT | FOLDERS)
    estate.policy("a", without_own(ADDITIVE))
    assert (estate.run().done, estate.grants()) == ([], PRODUCT | FOLDERS)
    estate.no_profile("userB")
    assert (estate.run(estate.profile_trigger("userB")).done, estate.run().done) == ([], [])
    estate.no_policy("a")
    assert (estate.run().done, estate.grants()) == ([], PRODUCT | FOLDERS)
    quiet(estate)


def test_a_file_that_becomes_authoritative_takes_away_what_its_rules_no_longer_give(
    estate: Estate,
) -> None:
    estate.policy("a", ADDITIVE)
    estate.run()
    estate.policy("a", without_own(ADDITIVE))
    estate.run()
    estate.policy("a", without_own(AUTHORITATIVE))

    assert estate.run().deleted == 2
    at_rest(estate, PRODUCT)


def test_a_file_that_becomes_additive_keeps_from_then_on_what_it_gives(estate: Estate) -> None:
    estate.policy("a", AUTHORITATIVE)
    estate.run()
    before = estate.actual()
    estate.policy("a", ADDITIVE)
    assert (estate.run().done, estate.actual()) == ([], before)
    estate.policy("a", without_own(ADDITIVE))
    assert (estate.run().done, estate.actual()) == ([], before)


def test_what_goes_with_the_very_version_that_turns_additive_still_goes(estate: Estate) -> None:
    estate.policy("a", AUTHORITATIVE)
    estate.run()
    estate.policy("a", without_own(ADDITIVE))

    assert estate.run().deleted == 2
    at_rest(estate, PRODUCT)


def test_an_additive_file_next_to_an_authoritative_one_keeps_only_its_own(estate: Estate) -> None:
    estate.policy("keeps", without_own(ADDITIVE))
    estate.policy(
        "takes", AUTHORITATIVE.replace(AUTHORITATIVE.split(OWN)[0], "version: 1\nrules:\n")
    )
    at_rest(estate, PRODUCT | FOLDERS)
    estate.no_profile("userB")

    at_rest(estate, PRODUCT | {"READWRITE s3://data/UserA/* to role/role-userA"})
