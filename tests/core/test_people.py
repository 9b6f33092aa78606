"""People as companies have them: several domains, exceptions, an end for each person."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from grantor.core.grant import Grant, Location, Permission, Reason, iam_grantee
from grantor.core.planning.expand import expand_rules
from grantor.core.planning.lint import lint_rules
from grantor.core.planning.profile_conflicts import find_rival_domains, find_rivals
from grantor.core.planning.required_reads import list_queries
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Policy, ProfileSelector, Rule
from grantor.core.snapshot import Authority, Focus, Hold, Inventory, Profile, WantedGrants

ROLE = "arn:aws:iam::111122223333:role/"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
EARLIER = datetime(2026, 1, 1, tzinfo=UTC)


def person(subject: str, role: str = "", **tags: str) -> Profile:
    domain, _, name = subject.partition("/")
    arn = f"{ROLE}{role or f'{domain}-{name}'}"
    return Profile(domain, name, arn, EARLIER, tuple(sorted(tags.items())))


ANA = person("Lab/ana", team="blue")
BEN = person("Lab/ben", kind="guest", team="blue")
CY = person("Office/cy", kind="guest", team="red")
DEE = person("Shop/dee", team="red")
EVERYBODY = (ANA, BEN, CY, DEE)


def want(
    rules: str,
    *people: Profile,
    focus: str = "",
    **facts: object,
) -> WantedGrants:
    """What the rules of one file want."""
    found = parse_policy("policy/a.yaml", f"version: 1\nrules:\n{rules}".encode())
    assert isinstance(found, Policy), found
    inventory = Inventory(
        NOW,
        (Location("1", "s3://data"),),
        people or EVERYBODY,
        frozenset({"Lab", "Office", "Shop"}),
        {"s3://data/teams/": ("blue", "red")},
    )
    looked_at = Focus.build([focus]) if focus else Focus()
    return expand_rules([found], replace(inventory, **facts), looked_at)


def rule(to: str, on: str = "s3://data/p/*", **more: str) -> str:
    keys = "".join(f"    {key}: {value}\n" for key, value in more.items())
    return f"  - name: r\n    to: {to}\n    on: {on}\n    allow: READ\n{keys}"


def given(wanted: WantedGrants) -> str:
    """Who gets what: the role's name and the scope below the bucket."""
    return " ".join(
        f"{one.grantee.identifier.removeprefix(ROLE)}:{one.scope.removeprefix('s3://data/')}"
        for one in wanted.grants
    )


@pytest.mark.parametrize(
    ("selector", "people"),
    [
        ("{domain: Lab}", "Lab-ana Lab-ben"),
        ("{domain: [Lab, Office]}", "Lab-ana Lab-ben Office-cy"),
        ('{domain: "*"}', "Lab-ana Lab-ben Office-cy Shop-dee"),
        ('{domain: ["?hop", Lab]}', "Lab-ana Lab-ben Shop-dee"),
        ('{domain: "*", names: ["?e*"]}', "Lab-ben Shop-dee"),
        ('{domain: "*", tags: {team: red}}', "Office-cy Shop-dee"),
        ("{domain: Lab, except: [ana]}", "Lab-ben"),
        ('{domain: "*", except: ["?e*"]}', "Lab-ana Office-cy"),
        ('{domain: "*", except: [{tags: {kind: guest}}]}', "Lab-ana Shop-dee"),
        ('{domain: "*", except: [{tags: {kind: guest, team: red}}]}', "Lab-ana Lab-ben Shop-dee"),
        ('{domain: "*", except: [ana, {tags: {kind: guest}}]}', "Shop-dee"),
        ('{domain: "*", names: ["*"], tags: {team: blue}, except: [b*]}', "Lab-ana"),
    ],
)
def test_a_rule_is_for_those_whom_it_selects_and_does_not_except(selector: str, people: str):
    wanted = want(rule(f"{{profiles: {selector}}}"))

    assert given(wanted) == " ".join(f"{one}:p/*" for one in people.split())
    assert wanted.rejected == ()


def test_a_rule_with_lists_gives_each_grantee_each_place():
    to = "[{role: arn:aws:iam::111122223333:role/x}, {profiles: {domain: Shop}}]"
    wanted = want(rule(to, "[s3://data/a/*, {object: s3://data/README}]"))

    assert given(wanted) == "Shop-dee:README Shop-dee:a/* x:README x:a/*"
    assert {reason.rule for them in wanted.grants.values() for reason in them} == {
        "policy/a.yaml#r"
    }


def test_each_place_of_a_list_has_its_own_folders_and_variables():
    to = "{each_profile: {domain: [Lab, Shop], except: [ben]}}"
    on = '["s3://data/{domain.name}/{profile.name}/*", "s3://data/{profile.tags.team}/*"]'

    assert given(want(rule(to, on))) == (
        "Lab-ana:Lab/ana/* Lab-ana:blue/* Shop-dee:Shop/dee/* Shop-dee:red/*"
    )


def test_a_folder_can_except_the_profiles_that_carry_its_name():
    to = '{profiles: {domain: Lab, except: [{tags: {team: "{prefix.name}"}}]}}'

    assert given(want(rule(to, '{each_prefix: "s3://data/teams/"}'))) == (
        "Lab-ana:teams/red/* Lab-ben:teams/red/*"
    )


def test_of_several_domains_one_that_is_not_known_is_on_hold_alone():
    unread = {"domain Office": "Throttling"}
    wanted = want(rule("{profiles: {domain: [Lab, Lap, Office]}}"), ANA, BEN, DEE, unread=unread)

    assert given(wanted) == "Lab-ana:p/* Lab-ben:p/*"
    assert [held.subject for held in wanted.on_hold] == ["domain Lap", "domain Office"]
    assert [str(one) for one in wanted.rejected] == [
        (
            "policy/a.yaml:3:5: rule r for domain Lap: there is no Studio domain 'Lap': that may be a "
            "typing mistake, so nothing changes for it; did you mean Lab?"
        )
    ]


def test_a_domain_on_hold_keeps_the_grants_of_its_profiles_only():
    hold = Hold("policy/a.yaml#r", "domain Lab", "Throttling")
    subjects = ("profile Lab/ana", "profile Lab-2/ana", "prefix s3://data/Lab/")

    assert [hold.covers(Reason("policy/a.yaml#r", (one,))) for one in subjects] == [
        True,
        False,
        False,
    ]
    assert not hold.covers(Reason("policy/a.yaml#other", subjects[:1]))
    assert not hold.covers(Reason("policy/a.yaml#r"))


@pytest.mark.parametrize(
    ("selector", "warning"),
    [
        (
            '{domain: [Lab, "X*"]}',
            (
                "no Studio domain matches 'X*': it may be a typing mistake, or the domain may not exist "
                "yet; correct it, or keep it for a future domain"
            ),
        ),
        (
            "{domain: [Lab, Shop], names: [ana, eve]}",
            (
                "no profile of Lab and Shop matches 'eve': it may be a typing mistake, or the profile "
                "may not exist yet; correct the name, or keep it for a future profile"
            ),
        ),
        (
            "{domain: Lab, except: [eve]}",
            (
                "no profile of Lab matches 'eve': it may be a typing mistake, or the profile may not "
                "exist yet; correct the name, or keep it for a future profile"
            ),
        ),
        (
            "{domain: Lab, except: [{tags: {kind: gest}}]}",
            (
                "no profile of Lab has the tag 'kind' with 'gest': it may be a typing mistake, or no "
                "profile may have it yet; did you mean 'guest'?"
            ),
        ),
    ],
)
def test_what_matches_nobody_is_a_warning(selector: str, warning: str):
    wanted = want(rule(f"{{profiles: {selector}}}"))

    assert [str(one) for one in wanted.warnings] == [f"policy/a.yaml:3:5: rule r: {warning}"]
    assert wanted.on_hold == ()


# A date for each person

ENDING = {"until": '"{profile.tags.end}"'}


@pytest.mark.parametrize("key", ["profiles", "each_profile"])
def test_the_date_in_a_tag_ends_the_rule_for_this_person(key: str):
    people = (person("Lab/ana", end="2027-03-31"), person("Lab/ben", end="2027-03-31T18:00Z"))
    wanted = want(rule(f"{{{key}: {{domain: Lab}}}}", **ENDING), *people)

    assert {
        grant.grantee.identifier.removeprefix(ROLE): next(iter(reasons)).until
        for grant, reasons in wanted.grants.items()
    } == {
        "Lab-ana": datetime(2027, 4, 1, tzinfo=UTC),
        "Lab-ben": datetime(2027, 3, 31, 18, tzinfo=UTC),
    }
    assert wanted.warnings == ()


def test_a_date_that_has_passed_gives_nothing_and_needs_no_word():
    wanted = want(rule("{profiles: {domain: Lab}}", **ENDING), person("Lab/ana", end="2026-11-23"))

    assert (given(wanted), wanted.warnings, wanted.on_hold) == ("", (), ())


@pytest.mark.parametrize(
    ("tags", "what"),
    [
        ({}, "it has no tag end"),
        ({"end": ""}, "its tag end is ''"),
        ({"end": "31.3.2027"}, "its tag end is '31.3.2027'"),
        ({"end": "2027-02-30"}, "its tag end is '2027-02-30'"),
        ({"end": "9999-12-31"}, "its tag end is '9999-12-31'"),
        ({"End": "2027-03-31"}, "it has no tag end"),
    ],
)
@pytest.mark.parametrize("focus", ["", "profile Lab/ana"])
def test_a_missing_or_wrong_date_is_named_with_the_person_and_gives_nothing(
    tags: dict[str, str], what: str, focus: str
):
    people = (person("Lab/ana", **tags), person("Lab/ben", end="2027-03-31"))
    wanted = want(rule("{profiles: {domain: Lab}}", **ENDING), *people, focus=focus)

    assert given(wanted) == ("" if focus else "Lab-ben:p/*")
    assert [one.what for one in wanted.warnings] == [f"rule r for profile Lab/ana: {what}"]
    assert (wanted.rejected, wanted.on_hold) == ((), ())


def test_a_grant_goes_with_the_tag_and_stays_while_the_profile_cannot_be_read():
    text = rule("{profiles: {domain: Lab}}", **ENDING)
    reason, grant = (
        Reason("policy/a.yaml#r", ("profile Lab/ana",)),
        Grant(iam_grantee(ANA.role), Permission.READ, "s3://data/p/*"),
    )

    def may_revoke(wanted: WantedGrants) -> bool:
        files = {"policy/a.yaml": Policy("policy/a.yaml", ()).mode}
        return Authority.build(NOW, Focus(), files, wanted.on_hold).may_revoke(reason, grant)

    assert may_revoke(want(text, ANA))
    assert not may_revoke(want(text, DEE, unread={"domain Lab": "Throttling"}))


def test_two_who_share_a_role_get_it_until_the_later_date_only_if_both_are_meant():
    people = (
        person("Lab/ana", role="both", end="2027-03-31"),
        person("Lab/ben", role="both", end="soon"),
    )
    wanted = want(rule("{profiles: {domain: Lab}}", **ENDING), *people)

    assert given(wanted) == ""
    assert [held.subject for held in wanted.on_hold] == ["profile Lab/ana"]


# One folder has one owner


TWINS = (person("Lab/ana"), person("Shop/ana"))


def test_one_name_in_two_domains_of_a_rule_is_refused_with_the_remedy():
    wanted = want(rule('{each_profile: {domain: "*"}}', "s3://data/{profile.folder}/*"), *TWINS)

    assert given(wanted) == ""
    assert next(str(one) for one in wanted.rejected) == (
        "policy/a.yaml:3:5: rule r for profile Lab/ana: its scope overlaps with that of profile "
        "Shop/ana, which policy/a.yaml#r gives: each would reach the other's data, although their "
        "roles differ; write {domain.name} in the scope, or rename one of the profiles"
    )
    assert {held.subject for held in wanted.on_hold} == {"profile Lab/ana", "profile Shop/ana"}


def test_the_domains_name_in_the_scope_is_the_remedy():
    on = "s3://data/{domain.name}/{profile.folder}/*"

    assert given(want(rule('{each_profile: {domain: "*"}}', on), *TWINS)) == (
        "Lab-ana:Lab/Ana/* Shop-ana:Shop/Ana/*"
    )


def test_two_places_of_one_rule_give_no_folder_to_two_people():
    on = '["s3://data/{profile.name}/*", "s3://data/{profile.tags.team}/{profile.name}/*"]'
    wanted = want(rule("{each_profile: {domain: Lab}}", on), ANA, person("Lab/blue", team="green"))

    assert "s3://data/blue/ana/*" not in {grant.scope for grant in wanted.grants}
    assert {held.subject for held in wanted.on_hold} == {"profile Lab/ana", "profile Lab/blue"}


def query(on: str, *domains: str) -> Rule:
    to = ProfileSelector(domains, each=True)
    return Rule("policy/a.yaml", "r", to, on, Permission.READ)


@pytest.mark.parametrize(
    ("on", "rivals"),
    [
        ("s3://data/{profile.name}/*", "Lab/Ana Lab/ana Office/Ana Office/ana Shop/Ana Shop/ana"),
        ("s3://data/{domain.name}/{profile.name}/*", "Lab/Ana Lab/ana"),
        (
            "s3://data/{domain.name}-{profile.name}/*",
            "Lab/Ana Lab/ana",
        ),
    ],
)
def test_only_domains_that_may_have_the_same_folder_are_read(on: str, rivals: str):
    queries = list_queries([query(on, "*")])

    assert find_rivals(queries, [ANA], ["Lab", "Office", "Shop"]) == {
        f"profile {one}" for one in rivals.split()
    }
    assert find_rival_domains(queries, [ANA], ["Lab", "Office", "Shop"]) == frozenset()


@pytest.mark.parametrize(
    ("on", "domains"),
    [
        ("s3://data/{profile.name}*", {"Lab", "Office"}),
        ("s3://data/{domain.name}/{profile.name}*", {"Lab"}),
        ("s3://data/{domain.name}-{profile.name}*", {"Lab", "Office"}),
        ("s3://data/{profile.name}/*", set()),
    ],
)
def test_whole_domains_are_read_only_if_all_their_names_matter(on: str, domains: set[str]):
    queries = list_queries([query(on, "Lab", "O*")])

    assert find_rival_domains(queries, [ANA], ["Lab", "Office", "Shop"]) == domains


# An end that another rule makes pointless


def warn(*rules: str) -> list[str]:
    text = "".join(one.replace("name: r", f"name: r{number}") for number, one in enumerate(rules))
    wanted = want(text)
    policy = parse_policy("policy/a.yaml", f"version: 1\nrules:\n{text}".encode())
    assert isinstance(policy, Policy)
    return [str(one) for one in lint_rules(wanted, [policy]) if "whole bucket" not in one.what]


GUESTS = '{profiles: {domain: "*", tags: {kind: guest}}}'
EXCEPTED = '{profiles: {domain: "*", except: [{tags: {kind: guest}}]}}'


def test_an_end_that_a_rule_without_end_makes_pointless_is_a_warning_with_both_places():
    found = warn(
        rule(GUESTS, "s3://data/p/x/*", until="2027-03-31"), rule('{profiles: {domain: "*"}}')
    )

    assert found == [
        (
            "policy/a.yaml:3:5: rule r0: its end has no effect on READ s3://data/p/x/* to "
            "arn:aws:iam::111122223333:role/Lab-ben, and on 1 more: policy/a.yaml#r1 on line 8 gives "
            "READ s3://data/p/* to arn:aws:iam::111122223333:role/Lab-ben without end; give the other "
            "rule an end, or except there whom this rule is for"
        )
    ]


def test_some_of_whom_a_rule_is_for_are_enough():
    found = warn(
        rule(GUESTS, "s3://data/p/x/*", until="2027-03-31"),
        rule("{profiles: {domain: Office}}", "s3://data/p/*"),
    )

    assert [one.partition(": policy/")[0] for one in found] == [
        (
            "policy/a.yaml:3:5: rule r0: its end has no effect on READ s3://data/p/x/* to "
            "arn:aws:iam::111122223333:role/Office-cy"
        )
    ]


def test_a_rule_without_end_that_excepts_them_or_another_permission_is_no_reason_to_warn():
    ending = rule(GUESTS, "s3://data/p/x/*", until="2027-03-31")

    assert warn(ending, rule(EXCEPTED)) == []
    assert warn(ending, rule('{profiles: {domain: "*"}}').replace("READ", "WRITE")) == []
    assert warn(ending, rule('{profiles: {domain: "*"}}', until="2028-03-31")) != []
    assert warn(ending, rule('{profiles: {domain: "*"}}', "s3://data/p/y/*")) == []
