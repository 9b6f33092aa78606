"""The arguments of the job: the article's five, which suffice, and those that the launcher adds.

--account_id 111122223333 --s3_input_bucket B --s3_input_key_prefix UserA
  --s3_output_bucket B --s3_output_key_prefix UserA/output
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from abalone.exits import ARGUMENTS, JobFailed

DEFAULT_FILE_NAME = "abalone.csv"  # the input if the argument names a folder
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
    quarantine_limit: QuarantineLimit = QuarantineLimit(DEFAULT_QUARANTINE_LIMIT, 10.0, share=True)

    @property
    def input_uri(self) -> str:
        """The URI of the object that the job reads."""
        return f"s3://{self.input_bucket}/{self.input_key}"

    @property
    def output_uri(self) -> str:
        """The URI of the folder that the job writes below."""
        return f"s3://{self.output_bucket}/{self.output_folder}"


def parse_arguments(words: Sequence[str]) -> JobOrder:
    """Parse a command line; raises JobFailed with ARGUMENTS if it is wrong."""
    options = _build_parser().parse_args(_join_options(words))
    etag = options.input_etag.strip('"')
    return JobOrder(
        account=_require_match(
            options.account_id, r"\d{12}", "--account_id is the account's twelve digits"
        ),
        input_bucket=_parse_bucket(options.s3_input_bucket, "--s3_input_bucket"),
        input_key=_parse_object(options.s3_input_key_prefix, exact=bool(etag)),
        output_bucket=_parse_bucket(options.s3_output_bucket, "--s3_output_bucket"),
        output_folder=_parse_folder(options.s3_output_key_prefix),
        run_id=options.run_id
        and _require_match(
            options.run_id, r"[0-9a-f]{20}", "--run_id is twenty hexadecimal digits"
        ),
        input_etag=etag,
        input_version=options.input_version,
        job_name=options.job_name,
        summary=options.summary
        and _require_match(
            options.summary, r"s3://[^/]+/.+", "--summary is an object, as s3://bucket/key"
        ),
        access=options.access,
        quarantine_limit=_parse_limit(options.max_quarantine),
    )


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


def _build_parser() -> argparse.ArgumentParser:
    parser = _ArgumentParser(prog="preprocess.py", allow_abbrev=False, description=__doc__)
    for word in (
        "account_id",
        "s3_input_bucket",
        "s3_input_key_prefix",
        "s3_output_bucket",
        "s3_output_key_prefix",
    ):
        parser.add_argument(f"--{word}", required=True)
    for word in ("run_id", "input_etag", "input_version", "job_name", "summary"):
        parser.add_argument(f"--{word}", default="")
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


def _parse_object(value: str, *, exact: bool) -> str:
    """Return the key of the input.

    The value is the key itself if the ETag is given or if it ends with .csv, else the folder of
    abalone.csv.
    """
    if exact or value.endswith(".csv"):
        return _require_match(value, r"(?s).+", "--s3_input_key_prefix is an object or a folder")
    return f"{_parse_folder(value)}{DEFAULT_FILE_NAME}"


def _parse_folder(value: str) -> str:
    return f"{value.rstrip('/')}/" if value.strip("/") else ""


def _parse_limit(value: str) -> QuarantineLimit:
    _require_match(
        value,
        r"[0-9]{1,9}(\.[0-9]{1,6})?%|[0-9]{1,18}",
        "--max_quarantine is a number of lines, or a share as 1%",
    )
    return QuarantineLimit(value, float(value.rstrip("%")), value.endswith("%"))
