"""The job's arguments, and its errors."""

import doctest
import errno
import importlib

import pytest
from botocore.exceptions import ClientError

from framework import exits
from framework.arguments import JobOrder, QuarantineLimit, parse_arguments
from framework.configuration import (
    build_configuration,
    endpoint_properties,
    spark_defaults,
)
from framework.exits import JobFailed, explain_failure
from framework.store import S3A_UNSAFE_KEY
from framework.summary import RunSummary, time_step
from tests.abalone import JOB

FIVE = [
    "--account_id", "111122223333", "--s3_input_bucket", "in-1", "--s3_input_key_prefix", "UserA",
    "--s3_output_bucket", "out-1", "--s3_output_key_prefix", "UserA/output",
]  # fmt: skip


def test_the_articles_five_arguments_are_enough():
    assert parse_arguments(FIVE) == JobOrder(
        JOB, "111122223333", "in-1", "UserA/abalone.csv", "out-1", "UserA/output/"
    )


def test_the_launchers_further_arguments_are_accepted():
    options = {
        "run_id": "0123456789abcdef0123",
        "input_etag": '"abc"',
        "input_version": "v1",
        "job_name": "j",
        "summary": "s3://ops/runs/a/s.json",
        "access": "staged",
        "max_quarantine": "0.5%",
    }

    assert parse_arguments(
        [*FIVE, *(word for name, value in options.items() for word in (f"--{name}", value))]
    ) == JobOrder(
        JOB,
        "111122223333",
        "in-1",
        "UserA",
        "out-1",
        "UserA/output/",
        "0123456789abcdef0123",
        "abc",
        "v1",
        "j",
        "s3://ops/runs/a/s.json",
        "staged",
        quarantine_limit=QuarantineLimit("0.5%", 0.5, share=True),
    )


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("UserA", "UserA/abalone.csv"),
        ("UserA/", "UserA/abalone.csv"),
        ("UserA/x.csv", "UserA/x.csv"),
        ("a b/100%.csv", "a b/100%.csv"),
        ("", "abalone.csv"),
        ("/", "abalone.csv"),
        ("--x", "--x/abalone.csv"),
        ("-a.csv", "-a.csv"),
        ("a=b", "a=b/abalone.csv"),
    ],
)
def test_the_input_can_be_a_folder_or_an_object(said: str, key: str):
    words = [*FIVE]
    words[words.index("UserA")] = said

    assert parse_arguments(words).input_key == key


def test_parameters_of_a_job_are_arguments_and_have_defaults():
    words = [*FIVE, "--job", "orders"]

    assert parse_arguments(words).parameters == {"min_orders": 1}
    assert parse_arguments([*words, "--min_orders", "3"]).parameters == {"min_orders": 3}
    assert parse_arguments(words).input_key == "UserA/orders.jsonl"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("0", "--min_orders is a whole number from 1 up to 1000, not '0'"),
        ("many", "--min_orders is a whole number from 1 up to 1000, not 'many'"),
        ("1.5", "--min_orders is a whole number from 1 up to 1000, not '1.5'"),
    ],
)
def test_a_wrong_parameter_is_named(value: str, why: str):
    with pytest.raises(JobFailed) as failed:
        parse_arguments([*FIVE, "--job", "orders", "--min_orders", value])

    assert (failed.value.code, failed.value.sentence) == (2, f"The job was called wrongly: {why}.")


def test_an_unknown_job_is_named_with_those_that_there_are():
    with pytest.raises(JobFailed, match=r"there is no job 'wine'; the jobs here: abalone, churn"):
        parse_arguments([*FIVE, "--job", "wine"])


WRONG = [
    ("--account_id", "12", "--account_id is the account's twelve digits, not '12'"),
    (
        "--s3_input_bucket",
        "s3://in",
        "--s3_input_bucket is a bucket's name without s3://, not 's3://in'",
    ),
    ("--run_id", "x", "--run_id is twenty hexadecimal digits, not 'x'"),
    ("--summary", "ops/x", "--summary is an object, as s3://bucket/key, not 'ops/x'"),
    (
        "--max_quarantine",
        "many",
        "--max_quarantine is a number of lines, or a share as 1%, not 'many'",
    ),
    ("--max_quarantine", "-1", "--max_quarantine is a number of lines, or a share as 1%, not '-1'"),
    ("--access", "magic", "argument --access: invalid choice: 'magic'"),
    ("--colour", "red", "unrecognized arguments: --colour=red"),
]


@pytest.mark.parametrize(
    ("name", "value", "why"), WRONG, ids=[f"{name} {value}" for name, value, _ in WRONG]
)
def test_a_wrong_argument_is_named(name: str, value: str, why: str):
    with pytest.raises(JobFailed) as failed:
        parse_arguments([*FIVE, name, value])

    assert failed.value.code == 2
    assert failed.value.sentence.startswith(f"The job was called wrongly: {why}")


def test_a_missing_argument_is_named():
    with pytest.raises(JobFailed, match="the following arguments are required: --account_id"):
        parse_arguments(FIVE[2:])


@pytest.mark.parametrize(
    ("limit", "refused", "lines", "too_many"),
    [
        ("1%", 1, 100, False),
        ("1%", 2, 100, True),
        ("0", 0, 5, False),
        ("0", 1, 5, True),
        ("100%", 5, 5, False),
        ("0.01%", 1, 9_999, True),
    ],
)
def test_the_quarantine_limit_is_a_number_or_a_share_of_lines(
    limit: str, refused: int, lines: int, too_many: bool
):
    assert (
        parse_arguments([*FIVE, "--max_quarantine", limit]).quarantine_limit.is_exceeded(
            refused, lines
        )
        is too_many
    )


def test_a_failure_passes_through_a_context_as_it_is():
    failure = JobFailed(12, "why")

    with pytest.raises(JobFailed) as caught, time_step(RunSummary(), "look"):
        raise failure

    assert caught.value is failure


class Java(Exception):
    """As pyspark wraps what Java threw."""

    _stackTrace = (  # noqa: N815  -- as pyspark calls it
        "org.apache.hadoop.fs.s3a.AWSClientIOException: getFileStatus on s3a://data/x: ...\n\tat a.b.C\n"
        "Caused by: software.amazon.awssdk.core.exception.SdkClientException: You do not have READ permissions to the requested S3 Prefix"
    )


def caused(failure: Exception, cause: BaseException) -> Exception:
    failure.__cause__ = cause
    return failure


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "PutObject")


FAILURES = [
    pytest.param(JobFailed(13, "said already"), 13, "said already", id="our own"),
    pytest.param(
        caused(RuntimeError("x"), JobFailed(11, "gone")), 11, "gone", id="our own, within another"
    ),
    pytest.param(
        refused("AccessDenied"), 10, "a grant or a credential was revoked", id="S3 refuses"
    ),
    pytest.param(
        refused("ExpiredToken"), 10, "a grant or a credential was revoked", id="an old credential"
    ),
    pytest.param(
        Java("job aborted"),
        10,
        "You do not have READ permissions",
        id="S3A is refused, by its cause",
    ),
    pytest.param(
        RuntimeError("java.nio.file.AccessDeniedException: s3a://x: Forbidden; Status Code: 403"),
        10,
        "was revoked",
        id="S3A gets 403",
    ),
    pytest.param(
        RuntimeError("AWSBadRequestException: getFileStatus on s3a://x: Bad Request"),
        10,
        "was revoked",
        id="S3A has an old credential",
    ),
    pytest.param(
        OSError(errno.ENOSPC, "x"),
        20,
        "The disk is full. Give the job a larger volume",
        id="this disk is full",
    ),
    pytest.param(
        caused(RuntimeError("x"), OSError(errno.EFBIG, "x")),
        20,
        "The disk is full",
        id="a file is too large, within another",
    ),
    pytest.param(
        RuntimeError("java.io.IOException: No space left on device"),
        20,
        "The disk is full",
        id="Spark's disk is full",
    ),
    pytest.param(
        RuntimeError("java.lang.OutOfMemoryError: Java heap space"),
        20,
        "The job ran out of memory",
        id="no memory in Java",
    ),
    pytest.param(MemoryError(), 20, "The job ran out of memory", id="no memory here"),
    pytest.param(
        RuntimeError("java.io.FileNotFoundException: No such file or directory: s3a://x"),
        11,
        "Upload it again",
        id="S3A finds no input",
    ),
    pytest.param(
        RuntimeError("RemoteFileChangedException: open s3a://x: ETag change"),
        11,
        "was replaced while it was read",
        id="S3A sees another",
    ),
    pytest.param(
        RuntimeError("Contents of stored object did not match expected ETag."),
        11,
        "was replaced",
        id="boto3 sees another",
    ),
    pytest.param(
        ValueError("odd"),
        20,
        "The job failed with an internal error: ValueError: odd.",
        id="anything else",
    ),
    pytest.param(
        KeyboardInterrupt(),
        20,
        "The job failed with an internal error: KeyboardInterrupt",
        id="stopped by hand",
    ),
]


@pytest.mark.parametrize(("failure", "code", "words"), FAILURES)
def test_every_exception_has_a_code_and_a_sentence(failure: BaseException, code: int, words: str):
    known = explain_failure(failure)

    assert (known.code, words in known.sentence) == (code, True), known.sentence


def test_a_sentence_is_short_however_long_the_failure():
    assert len(explain_failure(RuntimeError("x" * 10_000)).sentence) < 500


def test_codes_are_distinct():
    codes = [
        value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)
    ]

    assert sorted(codes) == [0, 2, 10, 11, 12, 13, 14, 20]


def test_the_configuration_covers_only_the_buckets_of_the_data():
    options = spark_defaults("in-1", "out-1")

    assert {name for name in options if "access.grants" in name} == {
        f"spark.hadoop.fs.s3a.bucket.{bucket}.access.grants.{what}"
        for bucket in ("in-1", "out-1")
        for what in ("enabled", "fallback.to.iam")
    }
    assert not any(
        word in name for name in options for word in ("access.key", "secret", "session.token")
    )
    assert build_configuration("in-1") == [
        {"Classification": "spark-defaults", "Properties": spark_defaults("in-1")}
    ]


def test_s3as_endpoint_is_set_only_where_the_container_writes_a_wrong_one():
    regions = ("us-east-1", "cn-north-1", "us-gov-west-1", "eu-isoe-west-1")
    seen = {region: endpoint_properties({"AWS_REGION": region}) for region in regions}

    assert {region: values for region, values in seen.items() if values} == {
        "eu-isoe-west-1": {"spark.hadoop.fs.s3a.endpoint": "s3.eu-isoe-west-1.cloud.adc-e.uk"}
    }
    assert endpoint_properties({}) == {}


def test_an_endpoint_that_the_environment_names_comes_first():
    named = {"AWS_REGION": "eusc-de-east-1", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}

    assert endpoint_properties(named) == {"spark.hadoop.fs.s3a.endpoint": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("key", "sayable"),
    [
        ("UserA/abalone.csv", True),
        ("UserA/a b.csv", False),
        ("UserA/100%.csv", False),
        ("a=b/ü.csv", False),
        ("a=b/x+y.csv", True),
        ("a.b/_c/d.csv", True),
        ("a//b.csv", False),
        ("/a.csv", False),
        ("a/../b.csv", False),
        ("a/./b.csv", False),
        ("a/[1].csv", False),
        ("a/*.csv", False),
        ("a/{b}.csv", False),
        ("a\\b.csv", False),
        ("a/_b.csv", False),
        ("a/.b.csv", False),
    ],
)
def test_some_keys_cannot_be_named_in_s3a(key: str, sayable: bool):
    assert (S3A_UNSAFE_KEY.search(key) is None) is sayable


@pytest.mark.parametrize("module", ["job"])
def test_examples_are_true(module: str):
    assert doctest.testmod(importlib.import_module(f"framework.{module}")).failed == 0
