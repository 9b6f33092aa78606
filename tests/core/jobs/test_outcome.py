"""How the outcome of a run is reported, and whether the run is retried."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.exits import WRONG_HEADER
from grantor.core.jobs.job_status import FailureCause, JobDescription, JobStatus
from grantor.core.jobs.outcome import (
    REMEDIES,
    JobSummary,
    derive_outcome,
    disown_job,
    explain_quota,
    parse_summary,
)
from tests.abalone import COLUMNS, find_header_fault

LABEL = "abalone for userA"
SUMMARY = {
    "run_id": "0123456789abcdef0123",
    "outcome": "done",
    "exit": 0,
    "sentence": "4,177 lines became features",
    "rows": {"in": 4177, "train": 3339, "validation": 836, "quarantine": 2},
    "quarantine": {"range": 2},
    "drift": [],
    "manifest": "s3://data/m",
    "report": "s3://data/r",
    "access": {"mode": "s3a"},
    "seconds": {"all": 1.5},
}


def summary(**changes: object) -> JobSummary:
    return parse_summary(json.dumps({**SUMMARY, **changes}).encode())


def failed(reason: str, status: JobStatus = JobStatus.FAILED, **more: object) -> JobDescription:
    return JobDescription("grantor-a-a1", status, 1.0, 2.0, 62.0, reason, **more)


def exited(code: int) -> str:
    return f"Algorithm Error: (caused by CalledProcessError): Command 'smspark-submit' returned non-zero exit status {code}."


@pytest.mark.parametrize(
    ("skipped", "said"),
    [
        (0, "5 rows in, 0 in quarantine"),
        (1, "5 rows in and 1 header line, 0 in quarantine"),
        (2, "5 rows in and 2 header lines, 0 in quarantine"),
        ("many", "5 rows in, 0 in quarantine"),
        (-1, "5 rows in, 0 in quarantine"),
    ],
)
def test_header_lines_that_were_skipped_are_named_beside_the_rows(
    skipped: object, said: str
) -> None:
    reported = summary(rows={"in": 5}, quarantine={}, header_lines=skipped)
    completed = JobDescription("grantor-a-a1", JobStatus.COMPLETED, 1.0, 2.0, 62.0)

    assert derive_outcome(LABEL, completed, reported).sentence == f"{LABEL}: {said}"


def test_a_header_in_another_order_is_reported_with_both_orders_side_by_side() -> None:
    swapped = ",".join(COLUMNS).replace("length,diameter", "Diameter,Length")
    uri = "s3://grantor-databucket-0123456789ab/UserA/abalone.csv"
    sentence = f"{find_header_fault(swapped)} {WRONG_HEADER.format(uri)}"
    outcome = derive_outcome(LABEL, failed(exited(12)), summary(sentence=sentence))

    assert outcome.cause is FailureCause.CONTRACT
    assert "The file: sex, Diameter, Length, height, whole_weight," in outcome.sentence
    assert "The contract: sex, length, diameter, height, whole_weight," in outcome.sentence
    assert outcome.sentence.endswith(
        f"Upload {uri} again with the contract's columns, in its order\""
    )


@pytest.mark.parametrize(
    ("reported", "sentence"),
    [
        (summary(), "abalone for userA: 4,177 rows in, 2 in quarantine (range: 2)"),
        (
            summary(quarantine={"range": 1, "column_count": 1}),
            "abalone for userA: 4,177 rows in, 2 in quarantine (column_count: 1, range: 1)",
        ),
        (summary(rows={"in": 5}, quarantine={}), "abalone for userA: 5 rows in, 0 in quarantine"),
        (
            summary(drift=["height: mean 0.14, was 0.12"]),
            'abalone for userA: 4,177 rows in, 2 in quarantine (range: 2); the job says "height: mean 0.14, was 0.12"',
        ),
        (
            summary(outcome="already", sentence="published before"),
            'abalone for userA: the job says "published before"',
        ),
        (
            summary(outcome="already", sentence=""),
            "abalone for userA: this run was published already",
        ),
        (summary(rows={}), 'abalone for userA: the job says "4,177 lines became features"'),
        (JobSummary(), "abalone for userA: done, but it left no summary"),
    ],
    ids=[
        "rows",
        "reasons",
        "none in quarantine",
        "drift",
        "already",
        "already, saying nothing",
        "no rows",
        "no summary",
    ],
)
def test_a_completed_run_is_described_in_a_sentence(reported: JobSummary, sentence: str) -> None:
    came = derive_outcome(
        LABEL, JobDescription("grantor-a-a1", JobStatus.COMPLETED, 1.0, 2.0, 62.0), reported
    )

    assert (came.status, came.cause, came.sentence, came.exit_code, came.seconds) == (
        JobStatus.COMPLETED,
        FailureCause.NONE,
        sentence,
        0,
        60.0,
    )


@pytest.mark.parametrize(
    ("reason", "cause", "code"),
    [
        (exited(2), FailureCause.SET_UP, 2),
        (exited(10), FailureCause.ACCESS, 10),
        (exited(11), FailureCause.INPUT, 11),
        (exited(12), FailureCause.CONTRACT, 12),
        (exited(13), FailureCause.QUARANTINE, 13),
        (exited(14), FailureCause.CAPABILITY, 14),
        (exited(20), FailureCause.INTERNAL, 20),
        (exited(1), FailureCause.INTERNAL, 1),
        (
            "AlgorithmError: See job logs for more information, exit code: 137",
            FailureCause.INFRASTRUCTURE,
            137,
        ),
        (exited(-9), FailureCause.INFRASTRUCTURE, -9),
        ("AlgorithmError: , exit code: 247", FailureCause.INFRASTRUCTURE, 247),
        (
            "InternalServerError: We encountered an internal error. Please try again.",
            FailureCause.INFRASTRUCTURE,
            None,
        ),
        (
            "CapacityError: Unable to provision requested ML compute capacity.",
            FailureCause.INFRASTRUCTURE,
            None,
        ),
        ("AlgorithmError: , exit code: 13", FailureCause.QUARANTINE, 13),
        ("AlgorithmError: See job logs for more information", FailureCause.INTERNAL, None),
        ("ClientError: Data download failed: AccessDenied", FailureCause.SET_UP, None),
        ("", FailureCause.SET_UP, None),
    ],
)
def test_the_cause_of_a_failure_is_read_from_sagemakers_message(
    reason: str, cause: FailureCause, code: int | None
) -> None:
    came = derive_outcome(LABEL, failed(reason), JobSummary())

    assert (came.cause, came.exit_code) == (cause, code)


@pytest.mark.parametrize(
    ("reason", "wrote", "cause"),
    [
        ("AlgorithmError: See job logs for more information", {"exit": 12}, FailureCause.CONTRACT),
        ("AlgorithmError: See job logs for more information", {"exit": 0}, FailureCause.INTERNAL),
        (
            "AlgorithmError: See job logs for more information",
            {"exit": True},
            FailureCause.INTERNAL,
        ),
        ("AlgorithmError: , exit code: 13", {"exit": 12}, FailureCause.QUARANTINE),
        ("InternalServerError", {"exit": 12}, FailureCause.INFRASTRUCTURE),
    ],
    ids=[
        "its own word",
        "it thought that all was well",
        "no number",
        "SageMaker's word comes first",
        "it was not the code",
    ],
)
def test_the_exit_code_comes_from_the_summary_if_sagemaker_does_not_give_it(
    reason: str, wrote: dict, cause: FailureCause
) -> None:
    assert derive_outcome(LABEL, failed(reason), summary(**wrote)).cause is cause


@pytest.mark.parametrize(
    ("seconds", "limit", "cause"),
    [
        (60.0, 60, FailureCause.TIME),
        (60.0, 3600, FailureCause.STOPPED),
        (60.0, 0, FailureCause.STOPPED),
    ],
    ids=["at its limit", "before its limit", "no limit"],
)
def test_a_stopped_run_was_stopped_by_its_time_limit_or_by_somebody(
    seconds: float, limit: int, cause: FailureCause
) -> None:
    came = derive_outcome(LABEL, failed("", JobStatus.STOPPED, limit=limit), JobSummary())

    assert (came.cause, came.seconds, came.sentence[:29]) == (
        cause,
        seconds,
        "abalone for userA was stopped",
    )


def test_a_failure_is_described_by_the_jobs_own_sentence_and_what_to_do() -> None:
    reported = summary(outcome="failed", sentence="userB may not READ s3://data/UserA/abalone.csv")

    assert derive_outcome(LABEL, failed(exited(10)), reported).sentence == (
        'abalone for userA failed: access denied (exit 10): the job says "userB may not READ s3://data/UserA/abalone.csv"; '
        "it is tried again when grants change"
    )


def test_the_jobs_own_remedy_is_not_repeated() -> None:
    reported = summary(
        outcome="failed",
        sentence="s3://data/UserA/abalone.csv is empty. Upload it again with its data.",
    )

    assert derive_outcome(LABEL, failed(exited(12)), reported).sentence == (
        'abalone for userA failed: contract broken (exit 12): the job says "s3://data/UserA/abalone.csv is empty. Upload it again with its data"'
    )


@pytest.mark.parametrize(
    "cause",
    [
        cause
        for cause in FailureCause
        if cause not in (FailureCause.NONE, FailureCause.INFRASTRUCTURE)
    ],
)
def test_without_a_remedy_of_the_job_there_is_a_general_one(
    cause: FailureCause,
) -> None:
    assert REMEDIES[cause]


def test_without_a_summary_sagemakers_own_text_is_shown() -> None:
    assert (
        "ClientError: no image"
        in derive_outcome(LABEL, failed("ClientError: no image"), JobSummary()).sentence
    )
    assert (
        ': the job says "the end";'
        in derive_outcome(LABEL, failed("ClientError", message="the end"), JobSummary()).sentence
    )


@pytest.mark.parametrize(
    ("code", "message", "why"),
    [
        (
            20,
            "CalledProcessError): spark failed with a non-zero exit code: Command 'spark-submit'",
            "Spark ended with an error, and the job has left no summary that says why; see the job",
        ),
        (
            247,
            "CalledProcessError): spark failed with a non-zero exit code: Command 'spark-submit",
            "the driver was killed, mostly because its machine had no more memory; it is tried",
        ),
        (
            1,
            "KeyError): error running Spark job: 'z9.8xlarge'",
            "AWS's container does not know the instance type ml.z9.8xlarge; name another one (instan",
        ),
        (
            1,
            "KeyError): error running Spark job: 'Properties'",
            "AWS's container says \"error running Spark job: 'Properties'\"; see the job's log",
        ),
        (
            1,
            "ValueError): error preparing for spark submit: Found zero files in /opt/ml/x",
            "AWS's container says \"error preparing for spark submit: Found zero files in /opt/ml/x",
        ),
        (1, "MissingParameter): Couldn't parse input.", "AWS's container says \"Couldn't parse in"),
    ],
    ids=["a failure of Spark", "a killed driver", "a machine", "a key", "a file", "no detail"],
)
def test_without_a_summary_the_message_of_awss_container_is_explained(
    code: int, message: str, why: str
) -> None:
    job = failed(
        f"AlgorithmError: , exit code: {code}", message=f"Algorithm Error: (caused by {message}"
    )

    assert f": {why}" in derive_outcome(LABEL, job, JobSummary()).sentence


def test_a_machine_that_awss_container_does_not_know_is_not_tried_again() -> None:
    message = "Algorithm Error: (caused by KeyError): error running Spark job: 'z9.8xlarge'"
    job = failed("AlgorithmError: , exit code: 1", message=message)

    assert derive_outcome(LABEL, job, JobSummary()).cause is FailureCause.SET_UP


def test_a_job_that_never_started_has_no_duration() -> None:
    assert (
        derive_outcome(
            LABEL, JobDescription("grantor-a-a1", JobStatus.FAILED, 1.0, 0.0, 62.0), JobSummary()
        ).seconds
        == 0.0
    )


@pytest.mark.parametrize(
    "text", [b"", b'{"rows": [1], "quarantine": 3, "drift": "x", "sentence": 7}']
)
def test_what_is_missing_or_invalid_in_a_summary_is_ignored(text: bytes) -> None:
    assert parse_summary(text) == JobSummary()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"[1]", "it is not an object"),
        (b'"text"', "it is not an object"),
        (b"null", "it is not an object"),
        (b"{", "Expecting property name"),
        (b"\xff\xfe", "invalid start byte"),
        (b"[" * 100_000, "more than 32 brackets in each other"),
        (b'{"drift":' * 100_000, "more than 32 brackets in each other"),
        (b'{"exit": NaN}', "NaN is no number"),
        (b'{"rows": {"in": 1e999}}', "1e999 is no number"),
        (b'{"rows": {"in": ' + b"9" * 5_000 + b"}}", "9 is no number"),
        (b'{"exit": 0, "exit": 12}', "a key twice"),
        (b'{"sentence": "\\ud800"}', "surrogates not allowed"),
        (b" " * 1_000_001, "more than 1,000,000 characters"),
    ],
)
def test_a_summary_that_is_no_json_fails_the_run_and_says_why(text: bytes, fault: str) -> None:
    wrong = parse_summary(text)
    completed = JobDescription("grantor-a-a1", JobStatus.COMPLETED, 1.0, 2.0, 62.0)

    assert fault in wrong.fault
    for job, cause in (
        (completed, FailureCause.SUMMARY),
        (failed(exited(13)), FailureCause.QUARANTINE),
    ):
        came = derive_outcome(LABEL, job, wrong)
        assert (came.status, came.cause) == (JobStatus.FAILED, cause)
        assert f"its summary.json is not valid: {wrong.fault}" in came.sentence


def test_a_job_of_somebody_else_decides_nothing_but_that_the_run_failed() -> None:
    role = "arn:aws:iam::111122223333:role/mallory"
    job = JobDescription("grantor-a-a1", JobStatus.COMPLETED, 1.0, 2.0, 62.0, role=role)
    came = disown_job(LABEL, replace(job, message="all is well", reason="all is well"))

    assert (came.status, came.cause) == (JobStatus.FAILED, FailureCause.FOREIGN)
    assert (came.summary, came.seconds) == (JobSummary(), 0.0)
    assert f"a processing job grantor-a-a1, which runs as {role}" in came.sentence
    assert "all is well" not in came.sentence


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("see https://evil.example/x", "see https[:]//evil[.]example/x"),
        ("see HTTP://1.2.3.4/x", "see HTTP[:]//1.2.3.4/x"),
        ("www.evil.example, evil.io", "www[.]evil[.]example, evil[.]io"),
        ("mail ana@evil.example", "mail ana@evil[.]example"),
        ("evil\u3002example", "evil[.]example"),
        ("a.csv.evil.example", "a[.]csv[.]evil[.]example"),
        ("s3://data/UserA/abalone.csv is empty", "s3://data/UserA/abalone.csv is empty"),
        ("mean 0.14, was 0.12; e.g. more. Less.", "mean 0.14, was 0.12; e.g. more. Less"),
        ("\u201cit\u201d \u00abis\u00bb over", "'it' 'is' over"),
    ],
)
def test_the_words_of_a_job_hold_no_link_and_no_quotation_mark(said: str, shown: str) -> None:
    for job, reported in (
        (failed(exited(12)), summary(sentence=said)),
        (failed("ClientError", message=said), JobSummary()),
        (failed(said), JobSummary()),
    ):
        assert f' says "{shown}"' in derive_outcome(LABEL, job, reported).sentence


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=500),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*SUMMARY, "in"]), inner)
    ),
    max_leaves=10,
)


@given(json_values)
def test_whatever_a_job_writes_becomes_one_printable_line(value: object) -> None:
    came = derive_outcome(LABEL, failed(exited(12)), parse_summary(json.dumps(value).encode()))

    assert came.sentence.isprintable()
    assert len(came.sentence) < 1_000


def test_line_breaks_and_control_characters_are_removed() -> None:
    assert summary(sentence="a\nb\x1b[31m  c").sentence == "a b [31m c"
    assert summary(rows={"in": True, "x": "1", "train": 2}).rows == {"train": 2}


def test_nothing_that_a_job_writes_ends_the_quotation() -> None:
    said = 'x"; plan 0123 was approved: "y'
    sentence = derive_outcome(LABEL, failed(exited(12)), summary(sentence=said)).sentence

    assert sentence.count('"') == 2
    assert sentence.endswith("the job says \"x'; plan 0123 was approved: 'y\"")
    assert summary(quarantine={"range": 1, "0); all is well (": 2}).quarantine == {"range": 1}


def test_without_a_summary_the_job_supplies_the_remedy_for_an_invalid_input() -> None:
    known = derive_outcome(LABEL, failed(exited(12)), JobSummary(), "abalone").sentence
    unknown = derive_outcome(LABEL, failed(exited(12)), JobSummary(), "another").sentence

    assert known.endswith("upload a file with abalone's nine columns, as lines of plain text")
    assert unknown.endswith("upload a file that meets the job's contract")


def quota_message(size: int, used: int, wanted: int) -> str:
    return (
        f"The account-level service limit 'ml.m5.xlarge for processing job usage' is {size} "
        f"Instances, with current utilization of {used} Instances and a request delta of {wanted} "
        "Instances. Please use AWS Service Quotas to request an increase for this quota. If AWS "
        "Service Quotas is not available, contact AWS support to request an increase for this "
        "quota."
    )


@pytest.mark.parametrize(
    ("size", "used", "wanted", "never"),
    [(0, 0, 2, True), (1, 0, 2, True), (4, 3, 2, False)],
    ids=["a new account", "a quota that is too small", "machines in use"],
)
def test_a_quota_is_named_with_its_numbers_and_where_to_raise_it(
    size: int, used: int, wanted: int, never: bool
) -> None:
    sentence = explain_quota(quota_message(size, used, wanted), "eu-west-1")

    assert sentence.startswith(
        'the quota "ml.m5.xlarge for processing job usage" of Amazon SageMaker in eu-west-1: '
        f"it is {size}, {used} are in use, and the job needs {wanted};"
    )
    assert ("no job can start with this machine before it is raised" in sentence) == never
    assert sentence.endswith(
        "request an increase at https://eu-west-1.console.aws.amazon.com/servicequotas/home/"
        "services/sagemaker/quotas, or name another machine in the job; "
        "the upload is tried again automatically"
    )


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("us-east-1", "us-east-1.console.aws.amazon.com"),
    ],
)
def test_a_message_of_another_shape_is_quoted_and_the_console_is_that_of_the_region(
    region: str, host: str
) -> None:
    sentence = explain_quota("too many, see https://evil.example/", region)

    assert sentence.startswith(
        f'a quota of Amazon SageMaker in {region}: "too many, see https[:]//evil[.]example/"; '
    )
    assert f"https://{host}/servicequotas/" in sentence
