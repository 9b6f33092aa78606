"""What the job is told: the article's five arguments, which are enough, and what the launcher knows besides.

--account_id 111122223333 --s3_input_bucket B --s3_input_key_prefix UserA --s3_output_bucket B --s3_output_key_prefix UserA/output
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from abalone.exits import ARGUMENTS, Failed

NAME = "abalone.csv"  # what is meant in a folder
TOLERATED = "10%"  # of the lines may be refused before the whole input is
MODES = ("auto", "s3a", "staged")


@dataclass(frozen=True)
class Limit:
    """How many refused lines are too many: more than so many, or more than such a share of all."""

    text: str
    count: float
    share: bool

    def exceeded(self, refused: int, lines: int) -> bool:
        """Whether so many of so many are too many."""
        return refused > (lines * self.count / 100 if self.share else self.count)


@dataclass(frozen=True)
class Order:
    """One job as it was asked for. Keys stand as they are in S3: nothing in them is decoded."""

    account: str
    input_bucket: str
    input_key: str
    output_bucket: str
    output_folder: str  # a key with a slash at its end, or empty: the bucket itself
    run_id: str = ""  # what is empty from here on, the job works out for itself
    input_etag: str = ""
    input_version: str = ""
    job_name: str = ""
    summary: str = ""  # where its counts go, with the role's own right
    access: str = "auto"
    tolerated: Limit = Limit(TOLERATED, 10.0, share=True)

    @property
    def input(self) -> str:
        """The object that is read."""
        return f"s3://{self.input_bucket}/{self.input_key}"

    @property
    def output(self) -> str:
        """The folder that everything is written below."""
        return f"s3://{self.output_bucket}/{self.output_folder}"


def parsed(words: Sequence[str]) -> Order:
    """The order that a command line gives; Failed, with ARGUMENTS, says what is wrong with it."""
    told = _parser().parse_args(_joined(words))
    etag = told.input_etag.strip('"')
    return Order(
        account=_fits(told.account_id, r"\d{12}", "--account_id is the account's twelve digits"),
        input_bucket=_bucket(told.s3_input_bucket, "--s3_input_bucket"),
        input_key=_object(told.s3_input_key_prefix, exact=bool(etag)),
        output_bucket=_bucket(told.s3_output_bucket, "--s3_output_bucket"),
        output_folder=_folder(told.s3_output_key_prefix),
        run_id=told.run_id and _fits(told.run_id, r"[0-9a-f]{20}", "--run_id is twenty hexadecimal digits"),
        input_etag=etag,
        input_version=told.input_version,
        job_name=told.job_name,
        summary=told.summary and _fits(told.summary, r"s3://[^/]+/.+", "--summary is an object, as s3://bucket/key"),
        access=told.access,
        tolerated=_limit(told.max_quarantine),
    )


def _joined(words: Sequence[str]) -> list[str]:
    """Each option with its value in one word, for a value may begin with a hyphen, too; every option has one."""
    left = list(words)
    joined = []
    while left:
        word = left.pop(0)
        joined.append(f"{word}={left.pop(0)}" if word.startswith("--") and "=" not in word and left else word)
    return joined


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Failed(ARGUMENTS, f"The job was called wrongly: {message}. {self.format_usage().strip()}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="preprocess.py", allow_abbrev=False, description=__doc__)
    for word in ("account_id", "s3_input_bucket", "s3_input_key_prefix", "s3_output_bucket", "s3_output_key_prefix"):
        parser.add_argument(f"--{word}", required=True)
    for word in ("run_id", "input_etag", "input_version", "job_name", "summary"):
        parser.add_argument(f"--{word}", default="")
    parser.add_argument("--access", choices=MODES, default="auto")
    parser.add_argument("--max_quarantine", default=TOLERATED, metavar="LINES_OR_PERCENT")
    return parser


def _fits(value: str, pattern: str, rule: str) -> str:
    if not re.fullmatch(pattern, value):
        raise Failed(ARGUMENTS, f"The job was called wrongly: {rule}, not {value!r}.")
    return value


def _bucket(value: str, name: str) -> str:
    return _fits(value, r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", f"{name} is a bucket's name without s3://")


def _object(value: str, *, exact: bool) -> str:
    """The key: as it stands if its ETag was told or it names a .csv, else abalone.csv in the folder of this name."""
    if exact or value.endswith(".csv"):
        return _fits(value, r"(?s).+", "--s3_input_key_prefix is an object or a folder")
    return f"{_folder(value)}{NAME}"


def _folder(value: str) -> str:
    return f"{value.rstrip('/')}/" if value.strip("/") else ""


def _limit(value: str) -> Limit:
    _fits(value, r"[0-9]{1,9}(\.[0-9]{1,6})?%|[0-9]{1,18}", "--max_quarantine is a number of lines, or a share as 1%")
    return Limit(value, float(value.rstrip("%")), value.endswith("%"))
