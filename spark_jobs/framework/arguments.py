"""The arguments of a job: the article's five, which suffice, and those that the launcher adds.

With the five alone, the job is abalone. Each parameter of the job is an argument, too.

--account_id 111122223333 --s3_input_bucket B --s3_input_key_prefix UserA
  --s3_output_bucket B --s3_output_key_prefix UserA/output
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NoReturn

from framework.descriptor import ContractError
from framework.exits import ARGUMENTS, JobFailed
from framework.job_files import Job, list_jobs, read_job
from framework.parameters import ParameterValue, read_values

DEFAULT_JOB = "abalone"
DEFAULT_QUARANTINE_LIMIT = "10%"  # of the lines may be quarantined before the run fails
ACCESS_MODES = ("auto", "s3a", "staged")


@dataclass(frozen=True)
class QuarantineLimit:
    """How many quarantined lines a run tolerates: a number, or a share of all lines in percent."""

    text: str
    count: float
    share: bool

    def is_exceeded(self, refused: int, lines: int) -> bool:
        """Whether `refused` of `lines` are more than the limit."""
        return refused > (lines * self.count / 100 if self.share else self.count)


@dataclass(frozen=True)
class JobOrder:
    """One job as it was ordered. Keys are as in S3; nothing in them is decoded."""

    job: Job
    account: str
    input_bucket: str
    input_key: str
    output_bucket: str
    output_folder: str  # a key that ends with a slash, or empty for the bucket itself
    run_id: str = ""  # from here on, the job determines itself what is empty
    input_etag: str = ""
    input_version: str = ""
    job_name: str = ""
    summary: str = ""  # URI of summary.json, which the role writes with its own permission
    access: str = "auto"
    inputs: str = ""  # URI of inputs.json, which lists the objects of a batch
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict, hash=False)
    quarantine_limit: QuarantineLimit = QuarantineLimit(DEFAULT_QUARANTINE_LIMIT, 10.0, share=True)

    @property
    def input_uri(self) -> str:
        """The URI of the object that the job reads."""
        return f"s3://{self.input_bucket}/{self.input_key}"

    @property
    def input_prefix(self) -> str:
        """The part of a batch's pattern that all its keys begin with."""
        return self.input_key.partition("*")[0]

    @property
    def input_scope(self) -> str:
        """What a grant has to cover of the input: the object, or the prefix of a batch."""
        return f"{self.input_prefix}*" if self.inputs else self.input_key

    @property
    def output_uri(self) -> str:
        """The URI of the folder that the job writes below."""
        return f"s3://{self.output_bucket}/{self.output_folder}"


def parse_arguments(words: Sequence[str]) -> JobOrder:
    """Parse a command line; raises JobFailed with ARGUMENTS if it is wrong."""
    joined = _join_options(words)
    job = _find_job(joined)
    options = _build_parser(job).parse_args(joined)
    etag = options.input_etag.strip('"')
    return JobOrder(
        job=job,
        account=_require_match(
            options.account_id, r"\d{12}", "--account_id is the account's twelve digits"
        ),
        input_bucket=_parse_bucket(options.s3_input_bucket, "--s3_input_bucket"),
        input_key=_parse_object(
            options.s3_input_key_prefix, job.contract.path, exact=bool(etag or options.inputs)
        ),
        output_bucket=_parse_bucket(options.s3_output_bucket, "--s3_output_bucket"),
        output_folder=_parse_folder(options.s3_output_key_prefix),
        run_id=options.run_id
        and _require_match(
            options.run_id, r"[0-9a-f]{20}", "--run_id is twenty hexadecimal digits"
        ),
        input_etag=etag,
        input_version=options.input_version,
        job_name=options.job_name,
        summary=_parse_uri(options.summary, "--summary"),
        access=options.access,
        inputs=_parse_uri(options.inputs, "--inputs"),
        parameters=_parse_parameters(job, vars(options)),
        quarantine_limit=_parse_limit(options.max_quarantine),
    )


def _find_job(joined: Sequence[str]) -> Job:
    """Return the job that --job names. Raises JobFailed if it is not there, or is wrong."""
    named = [word.partition("=")[2] for word in joined if word.startswith("--job=")]
    try:
        return read_job(named[-1] if named else _choose_default())
    except ContractError as error:
        raise JobFailed(ARGUMENTS, f"The job was called wrongly: {error}") from error
    except ImportError as error:
        why = "PyYAML is not installed, and the job is not packed"
        raise JobFailed(ARGUMENTS, f"The job was called wrongly: {why} ({error}).") from error


def _choose_default() -> str:
    """Return abalone, or the only job that is there: a zip for Spark holds one."""
    there = list_jobs()
    return DEFAULT_JOB if DEFAULT_JOB in there or len(there) != 1 else there[0]


def _parse_parameters(job: Job, options: Mapping[str, str | None]) -> dict[str, ParameterValue]:
    try:
        return read_values(job.parameters, options)
    except ValueError as wrong:
        raise JobFailed(ARGUMENTS, f"The job was called wrongly: {wrong}.") from wrong


def _join_options(words: Sequence[str]) -> list[str]:
    """Join each option with its value in one word, since a value may begin with a hyphen.

    Every option has a value.
    """
    left = list(words)
    joined = []
    while left:
        word = left.pop(0)
        joined.append(
            f"{word}={left.pop(0)}" if word.startswith("--") and "=" not in word and left else word
        )
    return joined


class _ArgumentParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise JobFailed(
            ARGUMENTS, f"The job was called wrongly: {message}. {self.format_usage().strip()}"
        )


def _build_parser(job: Job) -> argparse.ArgumentParser:
    parser = _ArgumentParser(prog="preprocess.py", allow_abbrev=False, description=__doc__)
    for word in (
        "account_id",
        "s3_input_bucket",
        "s3_input_key_prefix",
        "s3_output_bucket",
        "s3_output_key_prefix",
    ):
        parser.add_argument(f"--{word}", required=True)
    for word in ("run_id", "input_etag", "input_version", "job_name", "summary", "inputs"):
        parser.add_argument(f"--{word}", default="")
    parser.add_argument("--job", default=DEFAULT_JOB)
    for parameter in job.parameters:
        parser.add_argument(f"--{parameter.name}")
    parser.add_argument("--access", choices=ACCESS_MODES, default="auto")
    parser.add_argument(
        "--max_quarantine", default=DEFAULT_QUARANTINE_LIMIT, metavar="LINES_OR_PERCENT"
    )
    return parser


def _require_match(value: str, pattern: str, rule: str) -> str:
    if not re.fullmatch(pattern, value):
        raise JobFailed(ARGUMENTS, f"The job was called wrongly: {rule}, not {value!r}.")
    return value


def _parse_bucket(value: str, name: str) -> str:
    return _require_match(
        value, r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", f"{name} is a bucket's name without s3://"
    )


def _parse_uri(value: str, name: str) -> str:
    rule = f"{name} is an object, as s3://bucket/key"
    return value and _require_match(value, r"s3://[^/]+/.+", rule)


def _parse_object(value: str, usual: str, *, exact: bool) -> str:
    """Return the key of the input.

    The value is the key itself if the ETag is given, or if it ends as the `usual` name of the file
    does; else it is the folder of a file with that name.
    """
    if exact or value.endswith(PurePosixPath(usual).suffix or usual):
        return _require_match(value, r"(?s).+", "--s3_input_key_prefix is an object or a folder")
    return f"{_parse_folder(value)}{usual}"


def _parse_folder(value: str) -> str:
    return f"{value.rstrip('/')}/" if value.strip("/") else ""


def _parse_limit(value: str) -> QuarantineLimit:
    _require_match(
        value,
        r"[0-9]{1,9}(\.[0-9]{1,6})?%|[0-9]{1,18}",
        "--max_quarantine is a number of lines, or a share as 1%",
    )
    return QuarantineLimit(value, float(value.rstrip("%")), value.endswith("%"))
