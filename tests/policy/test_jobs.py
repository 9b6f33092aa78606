"""What a valid job means, and that its bounds are those of SageMaker and of the job's code."""

import time
from datetime import timedelta

import botocore.session
import pytest

from framework.arguments import parse_arguments
from framework.exits import JobFailed
from grantor.core.diagnostics import Fault
from grantor.core.policy import durations
from grantor.core.policy.job_language import INSTANCES
from grantor.core.policy.job_types import SHIPPED_JOB_TYPES
from grantor.core.policy.parser import parse_policy
from grantor.core.policy.text_forms import INSTANCE, JOB_NAME, ROLE, TIME_LIMIT
from grantor.core.policy.value_types import Number
from grantor.core.rules import (
    RESERVED_ARGUMENTS,
    IamPrincipal,
    Instances,
    Job,
    Policy,
    ProfileSelector,
)
from grantor.limits import MAX_CONTAINER_ARGUMENT_CHARACTERS, MAX_PROCESSING_TIME

ONE = "as: {role: arn:aws:iam::111122223333:role/x/a}\n    on: s3://{data_bucket}/a.csv\n    output: s3://{data_bucket}/out/"
EACH = (
    "as: {each_profile: {domain: Lab}}\n    on: s3://{data_bucket}/{profile.folder}/a.csv\n"
    "    output: s3://{data_bucket}/{profile.folder}/out/"
)


def parse_jobs(*bodies: str, top: str = "") -> tuple[Job, ...]:
    listed = "".join(
        f"  - name: a{number}\n    run: abalone\n    {body}\n" for number, body in enumerate(bodies)
    )
    found = parse_policy(
        "policy/a.yaml", f"version: 1\n{top}jobs:\n{listed}".encode(), "company-data"
    )

    assert isinstance(found, Policy), "\n".join(map(str, found))
    return found.jobs


def parse_job(body: str, top: str = "") -> Job:
    (found,) = parse_jobs(body, top=top)
    return found


def test_a_job_has_every_value_of_the_file():
    rest = (
        'input: "s3://{data_bucket}/Product/{profile.tags.team}"\n    instances: {type: ml.r5.2xlarge, count: 9, volume: 500}\n'
        '    time_limit: 90m\n    arguments: {max_quarantine: "1%", access: s3a}\n    shared_role: accepted'
    )

    assert parse_job(f"{EACH}\n    {rest}") == Job(
        file="policy/a.yaml",
        name="a0",
        run="abalone",
        runs_as=ProfileSelector(("Lab",), each=True),
        on="s3://company-data/{profile.folder}/a.csv",
        output="s3://company-data/{profile.folder}/out/",
        input="s3://company-data/Product/{profile.tags.team}",
        instances=Instances("ml.r5.2xlarge", 9, 500),
        time_limit=timedelta(minutes=90),
        arguments=(("max_quarantine", "1%"), ("access", "s3a")),
        line=3,
        column=5,
        shared_role=True,
    )


def test_omitted_keys_of_a_job_have_defaults():
    found = parse_job(ONE)

    assert (found.input, found.reads) == ("", "s3://company-data/a.csv")
    assert (found.instances, found.time_limit) == (
        Instances("ml.m5.xlarge", 2, 30),
        timedelta(hours=1),
    )
    assert (found.arguments, found.shared_role) == ((), False)
    assert found.runs_as == IamPrincipal("arn:aws:iam::111122223333:role/x/a")


def test_a_file_can_have_jobs_or_rules_or_both():
    rule = "{name: a, to: {role: arn:aws:iam::111122223333:role/x/a}, on: s3://data/*, allow: READ}"
    both = parse_policy(
        "f",
        f"version: 1\nrules: [{rule}]\njobs:\n  - name: a\n    run: abalone\n    {ONE}\n".encode(),
    )

    assert isinstance(both, Policy)
    assert [rule.id for rule in both.rules] == [job.id for job in both.jobs] == ["f#a"]
    assert len(parse_jobs(ONE)) == 1


def test_a_file_with_a_wrong_job_is_refused_though_its_rules_are_valid():
    rule = "{name: a, to: {role: arn:aws:iam::111122223333:role/x/a}, on: s3://data/*, allow: READ}"
    found = parse_policy(
        "f",
        f"version: 1\nrules: [{rule}]\njobs:\n  - name: a\n    run: abalon\n    {ONE}\n".encode(),
        job_types={"abalone": SHIPPED_JOB_TYPES["abalone"]},
    )

    assert [str(problem) for problem in found] == [
        (
            "f:5:10: unknown job type 'abalon': the only job type that ships is abalone; "
            "did you mean abalone?"
        )
    ]


def test_a_job_over_several_objects_has_its_pattern_its_pause_and_machines_by_size():
    body = (
        "as: {role: arn:aws:iam::111122223333:role/x/a}\n"
        "    on: s3://lake/in/{day}/*.csv\n    quiet: 5m\n    instances: auto\n"
        "    output: s3://{data_bucket}/out/{day}/\n    arguments: {max_quarantine: 0%}"
    )
    job = parse_job(body)

    assert (job.on, job.output) == ("s3://lake/in/{day}/*.csv", "s3://company-data/out/{day}/")
    assert (job.quiet, job.instances.is_auto) == (timedelta(minutes=5), True)
    assert not parse_job(ONE).instances.is_auto


@pytest.mark.parametrize("key", ["_READY", "a b.csv", "100%.csv", "ä.csv", "a+b", "README"])
def test_a_single_object_can_have_any_name(key: str):
    assert parse_job(ONE.replace("a.csv", key)).on == f"s3://company-data/{key}"


def test_a_files_own_variables_are_filled_in_and_those_of_profiles_remain():
    top = "vars: {area: 's3://{data_bucket}/x', some: '5%'}\n"
    body = (
        "as: {each_profile: {domain: Lab}}\n    on: '{area}/{profile.name}.csv'\n    output: '{area}/out/{profile.name}/'\n"
        "    arguments: {max_quarantine: '{some}', access: '{profile.tags.access}'}"
    )
    found = parse_job(body, top)

    assert (found.on, found.output) == (
        "s3://company-data/x/{profile.name}.csv",
        "s3://company-data/x/out/{profile.name}/",
    )
    assert found.arguments == (("max_quarantine", "5%"), ("access", "{profile.tags.access}"))


def test_one_jobs_output_can_start_another():
    waits = "as: {role: arn:aws:iam::111122223333:role/b}\n    on: s3://{data_bucket}/out/LATEST.json\n    output: s3://{data_bucket}/next/"

    assert [one.on for one in parse_jobs(ONE, waits)] == [
        "s3://company-data/a.csv",
        "s3://company-data/out/LATEST.json",
    ]


def test_jobs_for_different_profiles_can_have_the_same_output():
    some = EACH.replace("domain: Lab", 'domain: Lab, names: ["user*"]')
    others = EACH.replace("domain: Lab", 'domain: Lab, names: ["team*"]')

    assert len(parse_jobs(some, others)) == 2


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("1m", timedelta(minutes=1)),
        ("7200m", timedelta(days=5)),
        ("120h", timedelta(days=5)),
        ('"5d"', timedelta(days=5)),
    ],
)
def test_a_time_limit_is_a_length_of_time(written: str, means: timedelta):
    assert parse_job(f"{ONE}\n    time_limit: {written}").time_limit == means


@pytest.mark.parametrize("text", ["1m", "5d", "120h", "0h", "1w", "60s", "90", "h", "10000m"])
def test_the_form_and_the_parser_agree_on_time_limits(text: str):
    assert TIME_LIMIT.fits(text) is not isinstance(durations.parse_time_limit(text), Fault)


SAGEMAKER = botocore.session.get_session().get_service_model("sagemaker")


@pytest.mark.parametrize("kind", SAGEMAKER.shape_for("ProcessingInstanceType").metadata["enum"])
def test_every_instance_type_of_sagemaker_is_valid(kind: str):
    assert INSTANCE.fits(kind)


@pytest.mark.parametrize(
    ("key", "shape"), [("count", "ProcessingInstanceCount"), ("volume", "ProcessingVolumeSizeInGB")]
)
def test_numbers_have_the_bounds_of_sagemaker(key: str, shape: str):
    number, bounds = INSTANCES.keys_by_name[key].takes, SAGEMAKER.shape_for(shape).metadata

    assert isinstance(number, Number)
    assert (number.least, number.most) == (bounds["min"], bounds["max"])


def test_the_language_shows_the_defaults_of_a_job():
    usual = Instances()

    assert (
        INSTANCES.example == f"{{type: {usual.type}, count: {usual.count}, volume: {usual.volume}}}"
    )
    assert [INSTANCES.keys_by_name[key].takes.usual for key in ("count", "volume")] == [
        usual.count,
        usual.volume,
    ]
    assert (
        MAX_PROCESSING_TIME.total_seconds()
        <= SAGEMAKER.shape_for("ProcessingMaxRuntimeInSeconds").metadata["max"]
    )
    assert JOB_NAME.fits("abalone")
    assert ROLE.fits("arn:aws:iam::111122223333:role/x/a")


@pytest.mark.parametrize(
    "taken", [job.parameters for job in SHIPPED_JOB_TYPES.values()], ids=SHIPPED_JOB_TYPES
)
def test_all_arguments_of_a_job_fit_into_a_request(taken: dict[str, object]):
    longest = SAGEMAKER.shape_for("ContainerArgument").metadata["max"]

    assert (
        2 * (len(RESERVED_ARGUMENTS) + len(taken))
        <= SAGEMAKER.shape_for("ContainerArguments").metadata["max"]
    )
    assert longest == MAX_CONTAINER_ARGUMENT_CHARACTERS
    assert set(RESERVED_ARGUMENTS).isdisjoint(taken)


ARTICLE = (
    "--account_id", "111122223333", "--s3_input_bucket", "data", "--s3_input_key_prefix", "UserA",
    "--s3_output_bucket", "data", "--s3_output_key_prefix", "UserA/output",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_quarantine", "0"),
        ("max_quarantine", "1%"),
        ("max_quarantine", "0.5%"),
        ("access", "auto"),
        ("access", "s3a"),
        ("access", "staged"),
    ],
)
def test_the_jobs_code_accepts_what_the_language_accepts(name: str, value: str):
    assert SHIPPED_JOB_TYPES["abalone"].parameters[name].explain_value(value) is None
    assert parse_arguments([*ARTICLE, f"--{name}", value])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_quarantine", "x"),
        ("max_quarantine", "-1"),
        ("max_quarantine", "1 %"),
        ("access", "s3"),
        ("access", ""),
    ],
)
def test_the_language_refuses_what_the_jobs_code_refuses(name: str, value: str):
    assert SHIPPED_JOB_TYPES["abalone"].parameters[name].explain_value(value)
    with pytest.raises(JobFailed):
        parse_arguments([*ARTICLE, f"--{name}", value])


def test_a_long_chain_of_jobs_is_parsed_in_seconds():
    chain = [
        ONE.replace("/a.csv", f"/o{at}/x").replace("/out/", f"/o{at + 1}/") for at in range(2_000)
    ]
    began = time.perf_counter()

    assert len(parse_jobs(*chain)) == 2_000
    assert time.perf_counter() - began < 20
