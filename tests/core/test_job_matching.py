"""Which jobs an upload starts: as whom, from what, into which folder; and what is rejected."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from grantor.core.jobs.match import StartPlan, plan_starts
from grantor.core.planning.bounds import Bounds
from grantor.core.planning.expand import expand_rules
from grantor.core.rules import IamPrincipal, Instances, Job, Policy, ProfileSelector, Start
from grantor.core.snapshot import Focus, Inventory, Profile

ROLE = "arn:aws:iam::111122223333:role/"
ALL = frozenset({f"{ROLE}*"})
BOUNDS = Bounds.build_default("111122223333", "data")
FLEET = Instances(count=100)
ANA = Profile("Lab", "ana", f"{ROLE}ana", None, (("team", "blue"),))
BEN = Profile("Lab", "ben", f"{ROLE}ben", None, (("team", "red"),))
EVE = Profile("Office", "ana", f"{ROLE}eve", None, (("team", "blue"),))
WORLD = Inventory(
    datetime(2026, 11, 24, tzinfo=UTC),
    profiles=(ANA, BEN, EVE),
    domains=frozenset({"Lab", "Office"}),
)
EACH = ProfileSelector(("Lab",), each=True)
OWN = Job(
    "policy/a.yaml",
    "own",
    "abalone",
    EACH,
    "s3://data/{profile.folder}/a.csv",
    "s3://data/{profile.folder}/out/",
    line=3,
)
ONE = Job(
    "policy/b.yaml",
    "one",
    "abalone",
    IamPrincipal(f"{ROLE}one"),
    "s3://data/Product/a.csv",
    "s3://data/features/",
    line=7,
)


def match_upload(
    *jobs: Job, upload: str = "s3://data/Ana/a.csv", may_pass: frozenset[str] = ALL, **facts
) -> StartPlan:
    return plan_starts(jobs, upload, replace(WORLD, **facts), may_pass, BOUNDS)


def describe_starts(*jobs: Job, **changed) -> list[str]:
    """Who runs what, from what into what."""
    return [
        f"{one.profile or one.role}: {one.input} → {one.output}"
        for one in match_upload(*jobs, **changed).starts
    ]


def describe_refusals(*jobs: Job, **changed) -> list[str]:
    """What is said, of an upload that starts nothing."""
    outcome = match_upload(*jobs, **changed)

    assert not outcome.starts
    return [str(problem) for problem in outcome.refused]


def test_a_start_says_all_that_the_job_needs():
    assert match_upload(OWN, ONE).starts == (
        Start(
            OWN,
            f"{ROLE}ana",
            "Lab/ana",
            "s3://data/Ana/a.csv",
            "s3://data/Ana/a.csv",
            "s3://data/Ana/out/",
        ),
    )
    assert match_upload(OWN, ONE, upload="s3://data/Product/a.csv").starts == (
        Start(
            ONE,
            f"{ROLE}one",
            "",
            "s3://data/Product/a.csv",
            "s3://data/Product/a.csv",
            "s3://data/features/",
        ),
    )


@pytest.mark.parametrize(
    ("changed", "upload", "comes"),
    [
        pytest.param(
            {},
            "s3://data/Ana/a.csv",
            ["Lab/ana: s3://data/Ana/a.csv → s3://data/Ana/out/"],
            id="the profile's own",
        ),
        pytest.param(
            {},
            "s3://data/Ben/a.csv",
            ["Lab/ben: s3://data/Ben/a.csv → s3://data/Ben/out/"],
            id="another profile's",
        ),
        pytest.param({}, "s3://data/Eve/a.csv", [], id="nobody's folder"),
        pytest.param(
            {}, "s3://data/ana/a.csv", [], id="the profile's name, which is not its folder"
        ),
        pytest.param({}, "s3://data/Ana/b.csv", [], id="another object"),
        pytest.param({}, "s3://data/Ana/in/a.csv", [], id="deeper"),
        pytest.param({}, "s3://other/Ana/a.csv", [], id="another bucket"),
        pytest.param(
            {}, "s3://data/Ana/out/runs/1/_manifest.json", [], id="what the job itself writes"
        ),
        pytest.param(
            {"runs_as": ProfileSelector(("Lab",), ("b*",), each=True)},
            "s3://data/Ana/a.csv",
            [],
            id="a name that is not meant",
        ),
        pytest.param(
            {"runs_as": ProfileSelector(("Lab",), (), (("team", "red"),), True)},
            "s3://data/Ana/a.csv",
            [],
            id="a tag that it has not",
        ),
        pytest.param(
            {"runs_as": ProfileSelector(("Lab",), ("a?a",), (("team", "blue"),), True)},
            "s3://data/Ana/a.csv",
            ["Lab/ana: s3://data/Ana/a.csv → s3://data/Ana/out/"],
            id="a name and a tag that are meant",
        ),
        pytest.param(
            {"on": "s3://data/in/{profile.name}.csv"},
            "s3://data/in/ben.csv",
            ["Lab/ben: s3://data/in/ben.csv → s3://data/Ben/out/"],
            id="the name in the key",
        ),
        pytest.param(
            {"on": "s3://data/{profile.tags.team}/a.csv"},
            "s3://data/red/a.csv",
            ["Lab/ben: s3://data/red/a.csv → s3://data/Ben/out/"],
            id="a tag in the key",
        ),
        pytest.param(
            {"on": "s3://data/{profile.tags.cost}/a.csv"},
            "s3://data/9/a.csv",
            [],
            id="a tag that nobody has",
        ),
        pytest.param(
            {
                "on": "s3://data/{profile.folder}/_READY",
                "input": "s3://data/Product/{profile.name}.csv",
            },
            "s3://data/Ana/_READY",
            ["Lab/ana: s3://data/Product/ana.csv → s3://data/Ana/out/"],
            id="a sign, and an input of its own",
        ),
    ],
)
def test_for_whom_an_upload_starts_a_job(changed: dict[str, object], upload: str, comes: list[str]):
    assert describe_starts(replace(OWN, **changed), upload=upload) == comes
    assert match_upload(replace(OWN, **changed), upload=upload).refused == ()


def test_an_upload_starts_every_job_that_waits_for_it_in_the_order_of_their_names():
    other = replace(OWN, name="other", output="s3://data/{profile.folder}/more/")

    assert describe_starts(other, ONE, OWN) == [
        "Lab/ana: s3://data/Ana/a.csv → s3://data/Ana/more/",
        "Lab/ana: s3://data/Ana/a.csv → s3://data/Ana/out/",
    ]


def test_members_of_a_team_can_share_an_input_and_have_outputs_of_their_own():
    team = replace(OWN, on="s3://data/teams/{profile.tags.team}.csv")
    both = (ANA, replace(BEN, tags=(("team", "blue"),)))

    assert describe_starts(team, upload="s3://data/teams/blue.csv", profiles=both) == [
        "Lab/ana: s3://data/teams/blue.csv → s3://data/Ana/out/",
        "Lab/ben: s3://data/teams/blue.csv → s3://data/Ben/out/",
    ]


def test_the_jobs_arguments_are_filled_in_with_the_profiles_values():
    job = replace(OWN, arguments=(("team", "{profile.tags.team}"), ("max_quarantine", "1%")))

    assert match_upload(job).starts[0].job == replace(
        job, arguments=(("team", "blue"), ("max_quarantine", "1%"))
    )


def test_a_value_of_a_profile_that_a_parameter_does_not_accept_is_refused():
    job = replace(OWN, arguments=(("access", "{profile.tags.team}"),))

    (refused,) = match_upload(job).refused
    assert refused.what.endswith("'blue' is not a way to access the data")


NO_ROLE = "a grant needs a role; give the profile an execution role"
PASSING = "jobs run only as roles that the stack's parameter JobRoles names, and it names"
SHARED = (
    "S3 Access Grants knows roles, not profiles, so a grant for one of them is a grant for all; "
    "give each a role of its own, let the job treat all of them alike, or write shared_role: accepted"
)
FOLDERS = "each would reach the other's data, although their roles differ; rename one of them, or write {profile.name} in the output"
MIXED = "their files would be mixed; give each a folder of its own"
SELF = "the job would start itself, again and again; write a folder beside them as its output"


@pytest.mark.parametrize(
    ("changed", "profiles", "says"),
    [
        pytest.param(
            {},
            [replace(ANA, role="")],
            f"profile Lab/ana: profile ana has no execution role, and neither has its domain: {NO_ROLE}",
            id="no role",
        ),
        pytest.param(
            {},
            [ANA, replace(BEN, role=ANA.role)],
            f"{ROLE}ana: it is the role of Lab/ana and Lab/ben, and the job gives them different outputs: {SHARED}",
            id="a shared role",
        ),
        pytest.param(
            {"runs_as": ProfileSelector(("Lab",), ("ana",), each=True)},
            [ANA, replace(BEN, role=ANA.role)],
            f"{ROLE}ana: it is also the role of Lab/ben, which the job does not select: {SHARED}",
            id="the role of somebody who is not meant",
        ),
        pytest.param(
            {},
            [ANA, replace(BEN, name="Ana")],
            f"profile Lab/ana: its output overlaps with that of Lab/Ana: {FOLDERS}",
            id="a folder that two have",
        ),
        pytest.param(
            {"output": "s3://data/{profile.tags.cost}/"},
            [ANA],
            "profile Lab/ana: {profile.tags.cost} has no value: nothing can stand in its place; "
            "give the profile a tag cost, or leave the variable out",
            id="a tag that it has not",
        ),
        pytest.param(
            {"output": "s3://data/{profile.tags.team}/"},
            [replace(ANA, tags=(("team", "a/b"),))],
            "profile Lab/ana: {profile.tags.team} is 'a/b': it must be one name without /, *, ?, ${ and characters that no editor shows, without $ at its end, and not . or ..; "
            "choose another name, or leave the variable out",
            id="a tag that is no name",
        ),
        pytest.param(
            {"arguments": (("note", "{profile.tags.cost}"),)},
            [ANA],
            "profile Lab/ana: {profile.tags.cost} has no value: nothing can stand in its place; "
            "give the profile a tag cost, or leave the variable out",
            id="an argument without a value",
        ),
        pytest.param(
            {"output": "s3://data/{profile.tags.team}/"},
            [replace(ANA, tags=(("team", "Ana"),))],
            f"profile Lab/ana: its output s3://data/Ana/ contains what the job waits for or reads: {SELF}",
            id="an output over its upload",
        ),
        pytest.param(
            {"input": "s3://data/blue/in/x.csv", "output": "s3://data/{profile.tags.team}/"},
            [ANA],
            f"profile Lab/ana: its output s3://data/blue/ contains what the job waits for or reads: {SELF}",
            id="an output over its input",
        ),
        pytest.param(
            {"output": "s3://data/{profile.tags.team}/"},
            [ANA, replace(BEN, tags=ANA.tags)],
            "profile Lab/ana: its output s3://data/blue/ overlaps with that of job policy/a.yaml#own for profile Lab/ben, s3://data/blue/: "
            f"{MIXED}",
            id="two profiles' outputs in one folder",
        ),
        pytest.param(
            {"output": "s3://data/{profile.tags.team}/"},
            [replace(ANA, tags=(("team", "x" * 257),))],
            f"profile Lab/ana: the key of its output has 257 characters: '{'x' * 80}…': SageMaker passes at most 256 of them to a job; "
            "shorten the names in it",
            id="an output whose key is too long",
        ),
        pytest.param(
            {"arguments": (("access", "-{profile.tags.team}"),)},
            [replace(ANA, tags=(("team", "x" * 256),))],
            f"profile Lab/ana: the argument access has 257 characters: '-{'x' * 79}…': SageMaker passes at most 256 of them to a job; "
            "shorten the names in it",
            id="an argument that is too long",
        ),
    ],
)
def test_why_a_job_for_a_profile_is_refused(
    changed: dict[str, object], profiles: list[Profile], says: str
):
    assert f"policy/a.yaml:3:1: job own for {says}" in describe_refusals(
        replace(OWN, **changed), profiles=tuple(profiles)
    )


def test_a_profile_without_a_folder_gets_none():
    job = replace(OWN, on="s3://data/in/{profile.tags.team}.csv")
    (said,) = describe_refusals(
        job, profiles=(replace(ANA, name=""),), upload="s3://data/in/blue.csv"
    )

    assert said.startswith(
        "policy/a.yaml:3:1: job own for profile Lab/: {profile.folder} is '': it must be one name "
    )


@pytest.mark.parametrize(
    ("job", "facts", "says"),
    [
        pytest.param(
            replace(ONE, on="s3://data/Ana/a.csv", output="s3://data/Ana/"),
            {},
            f"policy/b.yaml:7:1: job one: its output s3://data/Ana/ contains what the job waits for or reads: {SELF}",
            id="an output over its upload",
        ),
        pytest.param(
            replace(ONE, on="s3://data/Ana/a.csv", input="s3://data/features/x"),
            {},
            f"policy/b.yaml:7:1: job one: its output s3://data/features/ contains what the job waits for or reads: {SELF}",
            id="an output over its input",
        ),
        pytest.param(
            replace(OWN, runs_as=ProfileSelector(("Lap",), each=True)),
            {},
            "policy/a.yaml:3:1: job own: there is no Studio domain 'Lap': that may be a typing mistake, so nothing changes for it; did you mean Lab?",
            id="no such domain",
        ),
        pytest.param(
            ONE,
            {"upload": ONE.on, "may_pass": frozenset()},
            f"policy/b.yaml:7:1: job one: {ROLE}one may not be passed to a job: "
            f"{PASSING} none; add the role to JobRoles, or run the job as another",
            id="no role may be passed",
        ),
        pytest.param(
            OWN,
            {"may_pass": frozenset({f"{ROLE}b*", f"{ROLE}one"})},
            f"policy/a.yaml:3:1: job own for profile Lab/ana: {ROLE}ana may not be passed to a job: "
            f"{PASSING} {ROLE}b* and {ROLE}one; add the role to JobRoles, or run the job as another",
            id="others may be passed",
        ),
        pytest.param(
            ONE,
            {"upload": ONE.on, "may_pass": frozenset({f"{ROLE}{name}" for name in "abcd"})},
            f"policy/b.yaml:7:1: job one: {ROLE}one may not be passed "
            f"to a job: {PASSING} {ROLE}a, {ROLE}b, {ROLE}c and others; add the role to JobRoles, or run the job as another",
            id="many others may be passed",
        ),
    ],
)
def test_why_a_whole_job_is_refused(job: Job, facts: dict, says: str):
    assert describe_refusals(job, **facts) == [says]


@pytest.mark.parametrize(
    ("pattern", "passes"),
    [
        (f"{ROLE}ana", True),
        (f"{ROLE}*", True),
        (f"{ROLE}an?", True),
        (f"{ROLE}an", False),
        ("role/ana", False),
        (f"{ROLE}Ana", False),
        ("", False),
    ],
)
def test_a_role_may_be_passed_by_its_arn_or_by_a_pattern_of_arns(pattern: str, passes: bool):
    assert bool(match_upload(OWN, may_pass=frozenset({pattern})).starts) is passes


def test_a_shared_role_is_accepted_where_the_job_says_so():
    both = (ANA, replace(BEN, role=ANA.role))

    assert describe_starts(replace(OWN, shared_role=True), profiles=both) == [
        "Lab/ana: s3://data/Ana/a.csv → s3://data/Ana/out/"
    ]


def test_a_role_that_others_have_is_known_by_their_names_alone():
    sharing = {ANA.role: frozenset({ANA.subject, "profile Lab/zoe"})}

    assert describe_refusals(OWN, profiles=(ANA,), sharing=sharing)[0].startswith(
        f"policy/a.yaml:3:1: job own for {ROLE}ana: it is the role of Lab/ana and Lab/zoe, and the job gives them different outputs: "
    )


def test_two_jobs_with_overlapping_outputs_are_both_refused_whichever_files_they_are_in():
    wide = replace(ONE, on="s3://data/Ana/a.csv", output="s3://data/Ana/out/")
    own, one = "job policy/a.yaml#own for profile Lab/ana", "job policy/b.yaml#one"
    what = "its output s3://data/Ana/out/ overlaps with that of {}, s3://data/Ana/out/: " + MIXED

    assert describe_refusals(OWN, wide) == [
        f"policy/a.yaml:3:1: job own for profile Lab/ana: {what.format(one)}",
        f"policy/b.yaml:7:1: job one: {what.format(own)}",
    ]


@pytest.mark.parametrize(
    "output",
    ["s3://data/Ana/", "s3://data/Ana/out/", "s3://data/Ana/out/more/"],
    ids=["above", "the same", "below"],
)
def test_a_job_with_another_input_still_conflicts(output: str):
    assert len(describe_refusals(OWN, replace(ONE, output=output))) == 1


def test_a_job_with_another_output_starts_although_others_are_refused():
    bad = replace(OWN, name="bad", output="s3://data/{profile.tags.cost}/")

    assert [one.job.name for one in match_upload(bad, OWN).starts] == ["own"]
    assert [problem.what for problem in match_upload(bad, OWN).refused] == [
        "job bad for profile Lab/ana: {profile.tags.cost} has no value"
    ]


def test_what_one_job_writes_may_start_another():
    following = replace(ONE, on="s3://data/Ana/out/LATEST.json")

    assert describe_starts(OWN, following) == ["Lab/ana: s3://data/Ana/a.csv → s3://data/Ana/out/"]
    assert describe_starts(OWN, following, upload=following.on) == [
        f"{ROLE}one: s3://data/Ana/out/LATEST.json → s3://data/features/"
    ]


def test_jobs_that_would_start_each_other_without_end_are_refused():
    own = replace(OWN, on="s3://data/{profile.folder}/in/a.csv")
    over = replace(ONE, on="s3://data/Ana/out/LATEST.json", output="s3://data/b/")
    back = replace(
        ONE,
        name="back",
        on="s3://data/x",
        input="s3://data/b/LATEST.json",
        output="s3://data/Ana/in/",
    )
    tail = replace(ONE, name="tail", on="s3://data/b/LATEST.json", output="s3://data/t/")
    (said,) = describe_refusals(own, over, back, tail, upload="s3://data/Ana/in/a.csv")

    assert said.startswith(
        "policy/a.yaml:3:1: job own for profile Lab/ana: its output feeds job policy/b.yaml#one, "
        "which feeds job policy/b.yaml#back, which feeds it again: each would start the next, without end; "
    )


def test_a_cycle_of_other_jobs_does_not_matter():
    here = replace(ONE, on="s3://data/there/x", output="s3://data/here/")
    there = replace(ONE, name="there", on="s3://data/here/x", output="s3://data/there/")
    fed = replace(
        ONE, name="fed", on="s3://data/Ana/a.csv", input="s3://data/here/y", output="s3://data/fed/"
    )

    assert describe_starts(here, there, fed) == [f"{ROLE}one: s3://data/here/y → s3://data/fed/"]


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        pytest.param(
            {"unread": {"domain Lab": "throttled"}},
            "policy/a.yaml:3: job own: the profiles of Studio domain Lab could not be read: throttled",
            id="a domain",
        ),
        pytest.param(
            {
                "profiles": (ANA,),
                "sharing": {ANA.role: frozenset({ANA.subject, "profile Lab/zoe"})},
            },
            "policy/a.yaml:3: job own for profile Lab/ana: too little is known about the other profiles of its role: Lab/zoe",
            id="who shares a role",
        ),
    ],
)
def test_nothing_is_concluded_from_what_could_not_be_read(facts: dict, says: str):
    tagged = replace(
        OWN,
        on="s3://data/{profile.folder}/a.csv",
        runs_as=ProfileSelector(("Lab",), (), (("team", "blue"),), each=True),
    )

    assert match_upload(tagged, **facts) == StartPlan(unread=(says,))


def test_what_must_be_read_follows_from_the_jobs_alone():
    tagged = replace(
        OWN,
        on="s3://data/{profile.tags.team}/a.csv",
        arguments=(("note", "{profile.tags.access}"),),
    )

    other = replace(OWN, runs_as=ProfileSelector(("Office",), each=True))
    queries = [job.profile_query for job in (OWN, ONE, other, tagged)]

    assert [query.selector.domains for query in queries if query] == [
        ("Lab",),
        ("Office",),
        ("Lab",),
    ]
    assert queries[0].scope == "s3://data/{profile.folder}/out/*"
    assert (queries[0].texts, queries[0].needs_tags) == ((), False)
    assert queries[1] is None
    assert (queries[3].texts, queries[3].needs_tags) == (
        ("s3://data/{profile.tags.team}/a.csv", "{profile.tags.access}"),
        True,
    )


@pytest.mark.parametrize(
    ("instances", "hours", "bound"),
    [
        (Instances("ml.p5.48xlarge"), 1, "jobs: machines"),
        (Instances("ml.m5.24xlarge"), 1, "jobs: machines"),
        (Instances(count=100), 1, "jobs: count"),
        (Instances(volume=16_384), 1, "jobs: volume"),
        (Instances(), 120, "jobs: hours"),
    ],
)
def test_a_job_outside_of_its_bounds_starts_nothing_and_says_who_can_widen_them(
    instances: Instances, hours: int, bound: str
):
    large = replace(OWN, instances=instances, time_limit=timedelta(hours=hours))

    assert match_upload(large).starts == ()
    (said,) = describe_refusals(large)
    assert f"ask an approver to widen {bound} of policy/ in bounds/bounds.yaml" in said
    assert describe_starts(OWN) != []


def test_a_run_says_which_jobs_are_outside_of_their_bounds_before_an_upload_does():
    policy = Policy("policy/a.yaml", (), jobs=(OWN, replace(OWN, name="big", instances=FLEET)))
    focused = Focus.build([ANA.subject])

    (said,) = expand_rules([policy], WORLD, bounds=BOUNDS).rejected
    assert "job big: 100 machines is outside of the bounds" in str(said)
    assert not expand_rules([policy], WORLD, focused, BOUNDS).rejected
    assert not expand_rules([policy], WORLD).rejected
