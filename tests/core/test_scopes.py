"""Exceptions become positive prefixes: nothing below an exception is granted."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grantor.core.grant import Location, Permission, covers
from grantor.core.planning import scopes
from grantor.core.planning.expand import expand_rules
from grantor.core.planning.rendering import Home, describe_grant
from grantor.core.rules import IamPrincipal, Policy, ProfileSelector, Rule
from grantor.core.snapshot import Focus, Hold, Inventory, Profile, WantedGrants

HOME = Home("aws", "111122223333")
ROLE = "arn:aws:iam::111122223333:role/"
TREE = {
    "s3://b/": ("Product", "UserA", "UserB"),
    "s3://b/UserA/": ("models", "private", "raw"),
    "s3://b/UserA/private/": ("a", "b"),
    "s3://b/Ana/": ("keep", "open"),
}
WORLD = Inventory(
    datetime(2026, 11, 24, tzinfo=UTC), (Location("1", "s3://b"),), (), frozenset({"Lab"}), TREE
)
RULE = Rule("policy/a.yaml", "r", IamPrincipal(f"{ROLE}auditor"), "s3://b/*", Permission.READ)


def wanted(rule: Rule, focus: Focus | None = None, **facts) -> WantedGrants:
    return expand_rules(
        [Policy("policy/a.yaml", (rule,))], replace(WORLD, **facts), focus or Focus()
    )


def granted_scopes(found: WantedGrants) -> str:
    return " ".join(grant.scope.removeprefix("s3://b/") for grant in found.grants)


@pytest.mark.parametrize(
    ("on", "excepted", "granted"),
    [
        pytest.param("*", ["UserA/*"], "Product/* UserB/*", id="a folder right below"),
        pytest.param(
            "*", ["UserA/private/*"], "Product/* UserA/models/* UserA/raw/* UserB/*", id="deeper"
        ),
        pytest.param(
            "*",
            ["UserA/private/a/*"],
            "Product/* UserA/models/* UserA/private/b/* UserA/raw/* UserB/*",
            id="deeper still",
        ),
        pytest.param(
            "UserA/*", ["UserA/private/*"], "UserA/models/* UserA/raw/*", id="below a prefix"
        ),
        pytest.param(
            "*",
            ["UserA/private/*", "Product/*"],
            "UserA/models/* UserA/raw/* UserB/*",
            id="several",
        ),
        pytest.param(
            "*", ["UserA/*", "UserA/private/*"], "Product/* UserB/*", id="one inside the other"
        ),
        pytest.param(
            "*", ["UserA/private/a/*", "UserA/*"], "Product/* UserB/*", id="whichever comes first"
        ),
        pytest.param("*", ["UserA/*", "UserA/*"], "Product/* UserB/*", id="twice the same"),
        pytest.param(
            "*",
            ["UserA/private/*", "UserA/raw/*"],
            "Product/* UserA/models/* UserB/*",
            id="side by side",
        ),
        pytest.param("*", ["Nobody/x/*"], "Product/* UserA/* UserB/*", id="what is not there"),
        pytest.param(
            "*", ["User/*"], "Product/* UserA/* UserB/*", id="a name that others begin with"
        ),
        pytest.param(
            "*",
            ["UserA/notes.csv"],
            "Product/* UserA/models/* UserA/private/* UserA/raw/* UserB/*",
            id="an object",
        ),
        pytest.param("*", ["notes.csv"], "Product/* UserA/* UserB/*", id="an object right below"),
        pytest.param(
            "*",
            ["UserA/private/x.csv", "UserA/private/*"],
            "Product/* UserA/models/* UserA/raw/* UserB/*",
            id="an object in what is excepted",
        ),
    ],
)
def test_every_folder_beside_the_way_to_an_exception_is_granted(on, excepted, granted) -> None:
    rule = replace(
        RULE, on=f"s3://b/{on}", excepts=tuple(f"s3://b/{folder}" for folder in excepted)
    )
    found = wanted(rule)

    assert (granted_scopes(found), found.rejected, found.on_hold) == (granted, (), ())


def test_each_grant_is_for_the_folder_that_it_covers() -> None:
    found = wanted(replace(RULE, excepts=("s3://b/UserA/*",)))

    assert [reason.subjects for reasons in found.grants.values() for reason in reasons] == [
        ("prefix s3://b/Product/",),
        ("prefix s3://b/UserB/",),
    ]


def test_profiles_with_variables_of_their_own_have_exceptions_of_their_own() -> None:
    each = ProfileSelector(("Lab",), each=True)
    rule = replace(
        RULE,
        to=each,
        on="s3://b/{profile.folder}/*",
        excepts=("s3://b/{profile.folder}/{profile.tags.not}/*",),
    )
    ana = Profile("Lab", "ana", f"{ROLE}ana", None, (("not", "keep"),))
    odd = Profile("Lab", "odd", f"{ROLE}odd", None, (("not", ""),))
    found = wanted(rule, profiles=(ana, odd))

    reasons = [reason for reasons in found.grants.values() for reason in reasons]

    assert granted_scopes(found) == "Ana/open/*"
    assert [reason.subjects for reason in reasons] == [
        ("profile Lab/ana", "prefix s3://b/Ana/open/")
    ]
    assert (len(found.warnings), found.on_hold) == (1, ())


def test_a_folder_with_an_invalid_name_gets_nothing_alone() -> None:
    found = wanted(
        replace(RULE, excepts=("s3://b/UserA/*",)),
        folders={"s3://b/": ("*", "", "Product", "UserA")},
    )

    assert granted_scopes(found) == "Product/*"
    assert (len(found.notices), found.warnings, found.on_hold) == (1, (), ())


def test_a_substituted_value_is_not_substituted_again() -> None:
    rule = replace(
        RULE,
        to=ProfileSelector(("Lab",), each=True),
        on="s3://b/{profile.tags.area}/*",
        excepts=("s3://b/{profile.tags.area}/x/*",),
    )
    ana = Profile("Lab", "ana", f"{ROLE}ana", None, (("area", "{prefix.name}"),))
    found = wanted(rule, profiles=(ana,), folders={"s3://b/{prefix.name}/": ("UserA", "x")})

    assert granted_scopes(found) == "{prefix.name}/UserA/*"


REFUSALS = """
policy/a.yaml:1:1: rule r: s3://b/User* is not a folder, and the rule has exceptions: exceptions are implemented by granting whole folders; write a scope that ends in /*
policy/a.yaml:2:1: rule r: s3://b/User* is not a folder, and the rule has exceptions: exceptions are implemented by granting whole folders; write a scope that ends in /*
policy/a.yaml:3:1: rule r: s3://b/x.csv is not a folder, and the rule has exceptions: exceptions are implemented by granting whole folders; write a scope that ends in /*
policy/a.yaml:4:1: rule r: the exception s3://b/* is not below s3://b/*: an exception removes a part of the scope, not all of it and nothing outside it; name a folder below the scope
policy/a.yaml:5:1: rule r: the exception s3://b/UserB/* is not below s3://b/UserA/*: an exception removes a part of the scope, not all of it and nothing outside it; name a folder below the scope
"""


def test_what_prefixes_cannot_express_is_rejected() -> None:
    rules = [
        replace(RULE, excepts=("s3://b/User*",), raw_prefix=True),
        replace(RULE, on="s3://b/User*", excepts=("s3://b/UserA/*",), raw_prefix=True),
        replace(RULE, on="s3://b/x.csv", excepts=("s3://b/x.csv",)),
        replace(RULE, excepts=("s3://b/*",)),
        replace(RULE, on="s3://b/UserA/*", excepts=("s3://b/UserB/*",)),
    ]
    found = [wanted(replace(rule, line=line)) for line, rule in enumerate(rules, 1)]

    assert "\n".join(str(problem) for one in found for problem in one.rejected) == REFUSALS.strip()
    assert [(one.grants, [held.subject for held in one.on_hold]) for one in found] == [
        ({}, [""])
    ] * 5


@pytest.mark.parametrize(
    ("folders", "grants"), [(101, 100), (102, 0)], ids=["100 beside the exception", "101"]
)
def test_a_rule_takes_up_to_100_grants_for_one_grantee(folders, grants) -> None:
    found = wanted(
        replace(RULE, excepts=("s3://b/f000/*",)),
        folders={"s3://b/": tuple(f"f{n:03}" for n in range(folders))},
    )

    assert len(found.grants) == grants
    assert [(held.subject, held.why) for held in found.on_hold] == (
        [] if grants else [("", "s3://b/* without its exceptions takes 101 grants")]
    )


def test_a_folder_outside_every_location_is_refused_alone() -> None:
    found = wanted(
        replace(RULE, excepts=("s3://b/UserA/*",)), locations=(Location("1", "s3://b/Product"),)
    )

    assert granted_scopes(found) == "Product/*"
    assert found.on_hold == (
        Hold(
            "policy/a.yaml#r", "prefix s3://b/UserB/", "'s3://b/UserB/*' is outside every location"
        ),
    )


def test_a_new_folder_gets_its_grant_in_a_run_for_it_alone() -> None:
    rule = replace(RULE, to=ProfileSelector(("Lab",)), excepts=("s3://b/UserA/private/*",))
    profiles = tuple(Profile("Lab", name, f"{ROLE}{name}") for name in ("ana", "ben"))
    found = wanted(rule, Focus.build(["prefix s3://b/UserA/raw/"]), profiles=profiles)

    assert [describe_grant(grant, HOME) for grant in found.grants] == [
        "READ s3://b/UserA/raw/* to role/ana",
        "READ s3://b/UserA/raw/* to role/ben",
    ]


names = st.sampled_from(["a", "b", "ab", "a-b"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
trees = st.frozensets(paths, max_size=12)


def folders_of(tree: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Each folder of the tree with the folders right below it."""
    found: dict[str, set[str]] = {}
    for path in tree:
        steps = path.split("/")
        for depth, name in enumerate(steps):
            found.setdefault("/".join(["s3://b", *steps[:depth], ""]), set()).add(name)
    return {folder: tuple(sorted(below)) for folder, below in found.items()}


@given(
    trees,
    st.lists(paths, min_size=1, max_size=4),
    st.sampled_from(["s3://b/*", "s3://b/a/*"]),
    paths,
)
@settings(max_examples=400, deadline=None)
def test_nothing_excepted_is_granted_and_nothing_else_is_left_out(tree, excluded, on, key) -> None:
    excepted = tuple(
        scope for path in excluded if covers(on, scope := f"s3://b/{path}/*") and scope != on
    )
    folders = folders_of(tree)
    granted = [
        f"{level}{name}/*" for level, name in scopes.list_open_folders(on, excepted, folders)
    ]

    for scope in granted:
        inside = f"{scope[:-1]}{key}/x.csv"
        assert covers(on, inside)
        assert not any(covers(out, inside) or covers(scope, out) for out in excepted)
    for level in scopes.find_levels(on, excepted):
        for name in folders.get(level, ()):
            way = f"{level}{name}/"
            is_out = any(covers(out, f"{way}*") for out in excepted)
            leads_out = any(out.startswith(way) for out in excepted)
            assert (f"{way}*" in granted) == (not is_out and not leads_out)


@given(st.lists(paths, min_size=1, max_size=4), paths)
@settings(max_examples=200, deadline=None)
def test_what_lies_deeper_than_the_levels_lies_in_a_granted_folder_or_an_exception(
    excluded, key
) -> None:
    """With all folders of a tree known, every object in a folder is either excepted, granted, or
    right at one of the levels.
    """
    excepted = tuple(f"s3://b/{path}/*" for path in excluded)
    folders = folders_of(frozenset({key, *excluded}))
    granted = [
        f"{level}{name}/*"
        for level, name in scopes.list_open_folders("s3://b/*", excepted, folders)
    ]
    thing, level = f"s3://b/{key}/x.csv", f"s3://b/{key}/"

    judged = (
        any(covers(scope, thing) for scope in granted),
        any(covers(out, thing) for out in excepted),
    )
    assert (
        judged == (False, False)
        if level in scopes.find_levels("s3://b/*", excepted)
        else sum(judged) == 1
    )
