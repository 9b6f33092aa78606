"""Which jobs an upload can start, and for whom: known from its key, before anything is read."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grantor.core.jobs.match import StartPlan, find_candidates, find_subjects, plan_starts
from grantor.core.planning.bounds import Bounds
from grantor.core.rules import IamPrincipal, Job, ProfileSelector
from grantor.core.snapshot import Inventory, Profile

ROLE = "arn:aws:iam::111122223333:role/"
EACH = ProfileSelector(("Lab",), each=True)
OWN = Job(
    "policy/a.yaml",
    "own",
    "abalone",
    EACH,
    "s3://data/{profile.folder}/a.csv",
    "s3://data/{profile.folder}/out/",
)
ONE = Job(
    "policy/a.yaml",
    "one",
    "abalone",
    IamPrincipal(f"{ROLE}one"),
    "s3://data/Product/a.csv",
    "s3://data/features/",
)
ALL = frozenset({"*"})
BOUNDS = Bounds.build_default("111122223333", "data")
NOTHING = Inventory(datetime(2026, 11, 24, tzinfo=UTC), unread={"domain Lab": "nobody has asked"})


@pytest.mark.parametrize(
    ("on", "upload", "names"),
    [
        pytest.param(
            "s3://data/{profile.folder}/a.csv",
            "s3://data/UserA/a.csv",
            {"UserA", "userA"},
            id="a folder: two names",
        ),
        pytest.param(
            "s3://data/{profile.folder}/a.csv",
            "s3://data/9a/a.csv",
            {"9a"},
            id="a folder without a capital: one",
        ),
        pytest.param(
            "s3://data/{profile.folder}/a.csv",
            "s3://data/userA/a.csv",
            None,
            id="a folder that nobody can have",
        ),
        pytest.param(
            "s3://data/{profile.folder}/a.csv",
            "s3://data/x/UserA/a.csv",
            None,
            id="a folder too many",
        ),
        pytest.param(
            "s3://data/{profile.folder}/a.csv", "s3://data/UserA/aXcsv", None, id="a dot is a dot"
        ),
        pytest.param("s3://data/{profile.folder}/a.csv", "s3://data//a.csv", None, id="no name"),
        pytest.param("s3://data/{profile.folder}/a.csv", "s3://data/a.csv", None, id="no folder"),
        pytest.param(
            "s3://data/{profile.folder}/a+b (1).csv",
            "s3://data/UserA/a+b (1).csv",
            {"UserA", "userA"},
            id="signs of patterns",
        ),
        pytest.param(
            "s3://data/in/{profile.name}.csv", "s3://data/in/userA.csv", {"userA"}, id="a name"
        ),
        pytest.param(
            "s3://data/{profile.name}/{profile.folder}.csv",
            "s3://data/userA/UserA.csv",
            {"userA"},
            id="name and folder",
        ),
        pytest.param(
            "s3://data/{profile.name}/{profile.folder}.csv",
            "s3://data/userA/UserB.csv",
            None,
            id="name and folder of two",
        ),
        pytest.param(
            "s3://data/{profile.tags.team}/{profile.name}.csv",
            "s3://data/blue/userA.csv",
            {"userA"},
            id="a tag and a name",
        ),
    ],
)
def test_the_key_limits_whose_upload_it_can_be(on: str, upload: str, names: set[str] | None):
    found = find_candidates([replace(OWN, on=on)], upload)

    assert bool(found) is (names is not None)
    assert find_subjects(found, upload) == {f"profile Lab/{name}" for name in names or ()}


@pytest.mark.parametrize(
    "on",
    ["s3://data/{profile.tags.team}/a.csv", "s3://data/{profile.tags.team}-{profile.name}/a.csv"],
    ids=["a tag", "a tag beside a name"],
)
def test_without_a_hint_in_the_key_every_profile_is_a_candidate(on: str):
    found = find_candidates([replace(OWN, on=on), ONE], "s3://data/blue-userA/a.csv")

    assert len(found) == 1
    assert find_subjects(found, "s3://data/blue-userA/a.csv") is None


@pytest.mark.parametrize(
    ("names", "meant"),
    [((), {"ana", "Ana"}), (("a*",), {"ana"}), (("Ana", "ben"), {"Ana"}), (("b*",), set())],
)
def test_profiles_that_the_job_does_not_select_are_left_out(
    names: tuple[str, ...], meant: set[str]
):
    found = find_candidates(
        [replace(OWN, runs_as=ProfileSelector(("Lab",), names, each=True))], "s3://data/Ana/a.csv"
    )

    assert find_subjects(found, "s3://data/Ana/a.csv") == {f"profile Lab/{name}" for name in meant}
    assert bool(found) is bool(meant)


def test_a_job_that_runs_as_a_role_waits_for_one_key():
    assert find_candidates([OWN, ONE], "s3://data/Product/a.csv") == (OWN, ONE)
    assert find_candidates([ONE], "s3://data/Product/b.csv") == ()
    assert find_subjects([ONE], "s3://data/Product/a.csv") == frozenset()


@pytest.mark.parametrize(
    "upload",
    ["s3://data/UserA/b.csv", "s3://data/UserA/out/runs/1/train/part-00000", "s3://data/x/y/a.csv"],
)
def test_an_upload_that_no_job_waits_for_starts_nothing_whatever_is_unread(upload: str):
    assert plan_starts([OWN, ONE], upload, NOTHING, ALL, BOUNDS) == StartPlan()


NAMES = st.sampled_from(["ana", "Ana", "anabel", "ben", "b-1", "Zoe"])
PEOPLE = st.lists(
    st.tuples(
        st.sampled_from(["Lab", "Lab", "Office"]),
        NAMES,
        st.sampled_from(["blue", "red", "", "a/b", "Ana"]),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda one: one[:2],
)
ONS = st.sampled_from(
    [
        "s3://data/{profile.folder}/a.csv",
        "s3://data/{profile.name}/a.csv",
        "s3://data/{profile.tags.team}/a.csv",
        "s3://data/{profile.tags.team}/{profile.name}",
        "s3://data/in-{profile.name}-{profile.folder}/a.csv",
        "s3://data/{profile.folder}/{profile.folder}.csv",
    ]
)
OUTPUTS = st.sampled_from(
    [
        "s3://data/{profile.folder}/out/",
        "s3://data/out/{profile.name}/",
        "s3://data/{profile.tags.team}/",
        "s3://data/{profile.name}/",
    ]
)
MEANT = st.builds(
    ProfileSelector,
    st.sampled_from(["Lab", "Lab", "Office", "Lap"]),
    st.sampled_from([(), (), ("a*",), ("ben", "Zoe")]),
    st.sampled_from([(), (), (("team", "blue"),)]),
    st.just(True),
)
JOBS = st.lists(st.tuples(MEANT, ONS, OUTPUTS, st.booleans()), min_size=1, max_size=3)
SHARED = st.booleans()


@st.composite
def uploads(draw: st.DrawFn) -> tuple[list[Job], Inventory, str]:
    """Some jobs, some profiles, and an upload that one of the jobs waits for."""
    jobs, people = jobs_of(draw(JOBS)), draw(PEOPLE)
    _, name, team = draw(st.sampled_from(people))
    values = {"name": name, "folder": name[:1].upper() + name[1:], "tags.team": team}
    upload = draw(st.sampled_from(jobs)).on
    for variable, value in values.items():
        upload = upload.replace(f"{{profile.{variable}}}", value)
    return jobs, build_inventory(people, draw(SHARED)), upload


def build_inventory(people: list[tuple[str, str, str]], shared: bool) -> Inventory:
    profiles = tuple(
        Profile(
            domain,
            name,
            ROLE + (name[0] if shared else f"{domain}-{name}"),
            None,
            (("team", team),),
        )
        for domain, name, team in people
    )
    return Inventory(NOTHING.now, profiles=profiles, domains=frozenset({"Lab", "Office"}))


def jobs_of(drawn: list[tuple[ProfileSelector, str, str, bool]]) -> list[Job]:
    return [
        Job("policy/a.yaml", f"j{at}", "abalone", to, on, out, shared_role=shared)
        for at, (to, on, out, shared) in enumerate(drawn)
    ]


@settings(max_examples=300, deadline=None)
@given(uploads())
def test_every_started_profile_is_a_candidate_and_no_output_overlaps_another_output_or_input(
    drawn,
):
    jobs, facts, upload = drawn
    found = plan_starts(jobs, upload, facts, frozenset({f"{ROLE}*"}), BOUNDS)
    meant = find_candidates(jobs, upload)
    whom = find_subjects(meant, upload)

    assert {one.job for one in found.starts} <= set(meant)
    assert whom is None or {f"profile {one.profile}" for one in found.starts} <= whom
    assert all(
        one.output.startswith("s3://data/") and "{" not in one.input + one.output
        for one in found.starts
    )
    assert not any(one.input.startswith(one.output) for one in found.starts)
    assert not any(
        one.output.startswith(other.output)
        for one in found.starts
        for other in found.starts
        if one is not other
    )


@settings(max_examples=200, deadline=None)
@given(uploads(), st.randoms(use_true_random=False))
def test_the_order_of_jobs_and_profiles_does_not_matter(drawn, random):
    jobs, facts, upload = drawn
    mixed = list(facts.profiles)
    random.shuffle(mixed)

    assert plan_starts(
        jobs[::-1], upload, replace(facts, profiles=tuple(mixed)), ALL, BOUNDS
    ) == plan_starts(jobs, upload, facts, ALL, BOUNDS)


@settings(max_examples=300, deadline=None)
@given(uploads())
def test_reading_only_the_candidates_misses_no_start(drawn):
    jobs, facts, upload = drawn
    named = find_subjects(find_candidates(jobs, upload), upload)
    few = (
        facts
        if named is None
        else replace(facts, profiles=tuple(one for one in facts.profiles if one.subject in named))
    )
    whole, narrow = (
        plan_starts(jobs, upload, facts, ALL, BOUNDS),
        plan_starts(jobs, upload, few, ALL, BOUNDS),
    )

    assert set(whole.starts) <= set(narrow.starts)
    assert len(narrow.starts) <= len(whole.starts) + len(whole.refused)
