"""What makes a run of a job the same run: its job, its input's content, its output, its code. Same again, same name; nothing starts twice."""

import hashlib
import json
import re
from dataclasses import dataclass

from grantor.core.rules import Start

SHOWN = 20  # characters of a job's name in the name of its processing job
REFUSED = re.compile(r"[^a-zA-Z0-9]+")
PREFIX = "grantor-"  # of every processing job that is ours; the rule JobEnded has the same
NAME = re.compile(rf"{PREFIX}.+-[0-9a-f]{{20}}-a([0-9]+)")


@dataclass(frozen=True)
class Input:
    """The latest version of an object: its content by ETag (no quotes) and size in bytes, and S3's version id, "null" without versions.

    `uploaded` is when it was put there, in seconds since 1970.
    """

    uri: str
    etag: str
    size: int
    version: str = "null"
    uploaded: float = 0.0


@dataclass(frozen=True)
class Code:
    """What the launcher carries: a hash over all of it, and the version of the job's data contract."""

    hash: str
    contract: str


@dataclass(frozen=True)
class Attempt:
    """One try of one run: what is started, on which content, as which run, for the how manieth time (from 1)."""

    start: Start
    given: Input
    run: str
    number: int

    @property
    def name(self) -> str:
        """The name of its processing job."""
        return processing_job(self.start.job.name, self.run, self.number)

    @property
    def label(self) -> str:
        """What a sentence calls it: the job, and the profile or role that it is for."""
        return f"{self.start.job.name} for {self.start.profile.rpartition('/')[2] or role_name(self.start.role)}"


def bucket_and_key(uri: str) -> tuple[str, str]:
    """The parts of a place in S3.

    >>> bucket_and_key("s3://data/UserA/abalone 100%.csv")
    ('data', 'UserA/abalone 100%.csv')
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def run_id(start: Start, given: Input, code: Code) -> str:
    """20 hex digits that stand for this content, through this code, into this output.

    The version id takes no part: the same content put there again is the same run.
    """
    bucket, key = bucket_and_key(given.uri)
    told = {
        "job": start.job.id, "bucket": bucket, "key": key, "etag": given.etag, "size": given.size, "output": start.output,
        "arguments": start.job.arguments, "code": code.hash, "contract": code.contract,
    }  # fmt: skip
    return _digest(told)[:20]


def subject(start: Start) -> str:
    """32 hex digits that stand for this job on this input into this output, of which no two runs may go on at the same time."""
    return _digest([start.job.id, start.input, start.output])[:32]


def processing_job(job: str, run: str, attempt: int) -> str:
    """The name of the processing job, at most 63 characters as SageMaker takes them.

    >>> processing_job("abalone_for.everybody in it", "0123456789abcdef0123", 2)
    'grantor-abalone-for-everybod-0123456789abcdef0123-a2'
    """
    shown = REFUSED.sub("-", job[:SHOWN]).strip("-") or "job"
    return f"{PREFIX}{shown}-{run}-a{attempt}"


def ours(name: str) -> bool:
    """Whether a processing job may be ours, by its name.

    >>> ours("grantor-abalone-0123456789abcdef0123-a1"), ours("grantor-test"), ours("pytorch-training-1")
    (True, False, False)
    """
    return NAME.fullmatch(name) is not None


def role_name(role: str) -> str:
    """A role's own name, without its path.

    >>> role_name("arn:aws:iam::111122223333:role/studio/sagemaker-usera-role")
    'sagemaker-usera-role'
    """
    return role.rpartition("/")[2]


def _digest(told: object) -> str:
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
