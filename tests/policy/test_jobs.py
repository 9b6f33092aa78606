"""What a job means that is written right; and that its bounds are those of SageMaker and of the code that runs."""

import time
from datetime import timedelta

import botocore.session
import pytest

from abalone.arguments import parsed
from abalone.exits import Failed
from grantor.core.diagnostics import Fault
from grantor.core.policy import durations
from grantor.core.policy.language import INSTANCES, JOB, TAKES
from grantor.core.policy.parser import read
from grantor.core.policy.value_types import INSTANCE, JOB_NAME, ROLE, TIME_LIMIT, Choice, Number
from grantor.core.rules import LONGEST, TOLD, Instances, Job, Policy, Principal, Profiles

ONE = "as: {role: arn:aws:iam::111122223333:role/x/a}\n    on: s3://{data_bucket}/a.csv\n    output: s3://{data_bucket}/out/"
EACH = (
    "as: {each_profile: {domain: Lab}}\n    on: s3://{data_bucket}/{profile.folder}/a.csv\n"
    "    output: s3://{data_bucket}/{profile.folder}/out/"
)


def jobs(*bodies: str, top: str = "") -> tuple[Job, ...]:
    listed = "".join(f"  - name: a{number}\n    run: abalone\n    {body}\n" for number, body in enumerate(bodies))
    found = read("policy/a.yaml", f"version: 1\n{top}jobs:\n{listed}".encode(), "company-data")

    assert isinstance(found, Policy), "\n".join(map(str, found))
    return found.jobs


def job(body: str, top: str = "") -> Job:
    (found,) = jobs(body, top=top)
    return found


def test_a_job_says_all_that_it_is():
    rest = (
        'input: "s3://{data_bucket}/Product/{profile.tags.team}"\n    instances: {type: ml.r5.2xlarge, count: 9, volume: 500}\n'
        '    time_limit: 90m\n    arguments: {max_quarantine: "1%", access: s3a}\n    shared_role: accepted'
    )

    assert job(f"{EACH}\n    {rest}") == Job(
        file="policy/a.yaml",
        name="a0",
        run="abalone",
        runs_as=Profiles("Lab", each=True),
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


def test_what_a_job_does_not_say_is_as_usual():
    found = job(ONE)

    assert (found.input, found.reads) == ("", "s3://company-data/a.csv")
    assert (found.instances, found.time_limit) == (Instances("ml.m5.xlarge", 2, 30), timedelta(hours=1))
    assert (found.arguments, found.shared_role) == ((), False)
    assert found.runs_as == Principal("arn:aws:iam::111122223333:role/x/a")


def test_a_file_may_have_jobs_alone_or_rules_alone_or_both():
    rule = "{name: a, to: {role: arn:aws:iam::111122223333:role/x/a}, on: s3://data/*, allow: READ}"
    both = read("f", f"version: 1\nrules: [{rule}]\njobs:\n  - name: a\n    run: abalone\n    {ONE}\n".encode())

    assert isinstance(both, Policy)
    assert [rule.id for rule in both.rules] == [job.id for job in both.jobs] == ["f#a"]
    assert len(jobs(ONE)) == 1


def test_a_file_whose_jobs_are_wrong_is_a_wrong_file_though_its_rules_are_right():
    rule = "{name: a, to: {role: arn:aws:iam::111122223333:role/x/a}, on: s3://data/*, allow: READ}"
    found = read("f", f"version: 1\nrules: [{rule}]\njobs:\n  - name: a\n    run: abalon\n    {ONE}\n".encode())

    assert [str(problem) for problem in found] == [
        "f:5:10: 'abalon' is no job that Grantor carries: run is abalone; write run: abalone"
    ]


@pytest.mark.parametrize("key", ["_READY", "a b.csv", "100%.csv", "ä.csv", "a+b", "README"])
def test_one_object_may_have_any_name(key: str):
    assert job(ONE.replace("a.csv", key)).on == f"s3://company-data/{key}"


def test_a_files_own_variables_are_filled_in_and_those_of_profiles_stay():
    top = "vars: {area: 's3://{data_bucket}/x', some: '5%'}\n"
    body = (
        "as: {each_profile: {domain: Lab}}\n    on: '{area}/{profile.name}.csv'\n    output: '{area}/out/{profile.name}/'\n"
        "    arguments: {max_quarantine: '{some}', access: '{profile.tags.access}'}"
    )
    found = job(body, top)

    assert (found.on, found.output) == ("s3://company-data/x/{profile.name}.csv", "s3://company-data/x/out/{profile.name}/")
    assert found.arguments == (("max_quarantine", "5%"), ("access", "{profile.tags.access}"))


def test_what_one_job_writes_another_may_wait_for():
    waits = "as: {role: arn:aws:iam::111122223333:role/b}\n    on: s3://{data_bucket}/out/LATEST.json\n    output: s3://{data_bucket}/next/"

    assert [one.on for one in jobs(ONE, waits)] == ["s3://company-data/a.csv", "s3://company-data/out/LATEST.json"]


def test_jobs_for_profiles_that_are_chosen_apart_may_write_alike():
    some = EACH.replace("domain: Lab", 'domain: Lab, names: ["user*"]')
    others = EACH.replace("domain: Lab", 'domain: Lab, names: ["team*"]')

    assert len(jobs(some, others)) == 2


@pytest.mark.parametrize(
    ("written", "means"),
    [("1m", timedelta(minutes=1)), ("7200m", timedelta(days=5)), ("120h", timedelta(days=5)), ('"5d"', timedelta(days=5))],
)
def test_a_time_limit_is_a_length_of_time(written: str, means: timedelta):
    assert job(f"{ONE}\n    time_limit: {written}").time_limit == means


@pytest.mark.parametrize("text", ["1m", "5d", "120h", "0h", "1w", "60s", "90", "h", "10000m"])
def test_what_is_a_time_limit_has_the_form_of_one(text: str):
    assert TIME_LIMIT.fits(text) is not isinstance(durations.limit(text), Fault)


SAGEMAKER = botocore.session.get_session().get_service_model("sagemaker")


@pytest.mark.parametrize("kind", SAGEMAKER.shape_for("ProcessingInstanceType").enum)
def test_every_instance_type_that_sagemaker_knows_can_be_written(kind: str):
    assert INSTANCE.fits(kind)


@pytest.mark.parametrize(("key", "shape"), [("count", "ProcessingInstanceCount"), ("volume", "ProcessingVolumeSizeInGB")])
def test_numbers_have_sagemakers_bounds(key: str, shape: str):
    number, bounds = INSTANCES.known[key].takes, SAGEMAKER.shape_for(shape).metadata

    assert isinstance(number, Number)
    assert (number.least, number.most) == (bounds["min"], bounds["max"])


def test_what_is_usual_for_a_job_is_what_the_language_says():
    usual = Instances()

    assert INSTANCES.example == f"{{type: {usual.type}, count: {usual.count}, volume: {usual.volume}}}"
    assert [INSTANCES.known[key].takes.usual for key in ("count", "volume")] == [usual.count, usual.volume]
    assert durations.MOST.total_seconds() <= SAGEMAKER.shape_for("ProcessingMaxRuntimeInSeconds").metadata["max"]
    assert JOB_NAME.fits("abalone")
    assert ROLE.fits("arn:aws:iam::111122223333:role/x/a")


def test_the_jobs_that_can_be_written_are_those_whose_arguments_are_known():
    runs = JOB.known["run"].takes

    assert isinstance(runs, Choice)
    assert runs.words.keys() == TAKES.keys()


@pytest.mark.parametrize("taken", TAKES.values(), ids=TAKES)
def test_all_that_a_job_can_be_told_fits_into_a_request(taken: dict[str, object]):
    longest = SAGEMAKER.shape_for("ContainerArgument").metadata["max"]

    assert 2 * (len(TOLD) + len(taken)) <= SAGEMAKER.shape_for("ContainerArguments").metadata["max"]
    assert longest == LONGEST
    assert set(TOLD).isdisjoint(taken)


ARTICLE = (
    "--account_id", "111122223333", "--s3_input_bucket", "data", "--s3_input_key_prefix", "UserA",
    "--s3_output_bucket", "data", "--s3_output_key_prefix", "UserA/output",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_quarantine", "0"), ("max_quarantine", "1%"), ("max_quarantine", "0.5%"), ("access", "auto"), ("access", "s3a"), ("access", "staged")],
)  # fmt: skip
def test_what_the_language_lets_through_the_jobs_code_takes(name: str, value: str):
    assert TAKES["abalone"][name].fits(value)
    assert parsed([*ARTICLE, f"--{name}", value])


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_quarantine", "x"), ("max_quarantine", "-1"), ("max_quarantine", "1 %"), ("access", "s3"), ("access", "")],
)
def test_what_the_jobs_code_refuses_the_language_refuses(name: str, value: str):
    assert not TAKES["abalone"][name].fits(value)
    with pytest.raises(Failed):
        parsed([*ARTICLE, f"--{name}", value])


def test_a_file_of_very_many_jobs_that_feed_each_other_is_read_in_seconds():
    chain = [ONE.replace("/a.csv", f"/o{at}/x").replace("/out/", f"/o{at + 1}/") for at in range(2_000)]
    began = time.perf_counter()

    assert len(jobs(*chain)) == 2_000
    assert time.perf_counter() - began < 20
