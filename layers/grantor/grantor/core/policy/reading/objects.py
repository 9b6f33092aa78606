"""What is wrong with the places of a job: the object whose upload starts it, the object that it reads, the folder that it writes to."""

import re
from collections.abc import Iterable

from grantor.core import scope
from grantor.core.job import LONGEST
from grantor.core.policy.reading.variables import BUCKET, bare
from grantor.core.problem import Fault, shown

DATA = f"s3://{{{BUCKET}}}/"
# How people write a place in S3 elsewhere; its bucket comes next.
SCHEME = re.compile(r"(?i)[a-z0-9]+:/+|arn:aws[a-z-]*:s3:::")
OWN_FOLDER = re.compile(r".*/\{profile\.(?:name|folder)\}")


def upload_faults(text: str, *, read: bool) -> Iterable[Fault]:
    """What is wrong with the object whose upload starts a job, and which it reads as well, or not."""
    found = _single(text, "one upload starts one job, so one single object is meant") or _in_data(text)
    return found or (_long(text) if read else [])


def input_faults(text: str) -> Iterable[Fault]:
    """What is wrong with the object that a job reads."""
    return _single(text, "a job reads one single object") or _in_data(text) or _long(text)


def output_faults(text: str) -> Iterable[Fault]:
    """What is wrong with the folder that a job writes to."""
    return _nowhere(text) or _no_folder(text) or scope.base_faults(text) or _elsewhere(text) or _long(text)


def _single(text: str, why: str) -> list[Fault]:
    if nowhere := _nowhere(text):
        return nowhere
    if "*" in text:
        folder = text[: text.index("*")].rpartition("/")[0]
        return [Fault(f"{shown(text)} has a *", why, f"write the key of that object, such as {folder}/abalone.csv")]
    if text.endswith("/") or OWN_FOLDER.fullmatch(text):
        return [Fault(f"{shown(text)} is a folder", why, f"write the key of that object, such as {text.rstrip('/')}/abalone.csv")]
    return []


def _in_data(text: str) -> list[Fault]:
    return scope.object_faults(text) or _elsewhere(text)


def _nowhere(text: str) -> list[Fault]:
    """What makes it no place in S3 at all."""
    if text.startswith("s3://"):
        return []
    written = SCHEME.match(text)
    key = text[written.end() :].partition("/")[2] if written else text.lstrip("/")
    return [Fault(f"{shown(text)} is no place in S3", f"a job's places begin with {DATA}", f"write {DATA}{key}")]


def _no_folder(text: str) -> list[Fault]:
    why = "a job writes below one folder"
    bucket, _, key = text.removeprefix("s3://").partition("/")
    if "*" in text:
        return [Fault(f"{shown(text)} has a *", why, f"write {text[: text.index('*')].rpartition('/')[0]}/output/")]
    if not key:
        return [Fault(f"{shown(text)} is a whole bucket", why, f"write s3://{bucket}/output/")]
    return [] if text.endswith("/") else [Fault(f"{shown(text)} ends without a slash", why, f"write {text}/")]


def _elsewhere(text: str) -> list[Fault]:
    """Whether it lies outside the data bucket; that bucket's own name is not known before a file is deployed."""
    if text.startswith(DATA):
        return []
    why = f"jobs read and write in the data bucket alone, which a file calls {{{BUCKET}}}"
    key = text.removeprefix("s3://").partition("/")[2]
    return [Fault(f"{shown(text)} lies in another bucket", why, f"write {DATA}{key}")]


def _long(text: str) -> list[Fault]:
    key = bare(text).removeprefix("s3://").partition("/")[2]
    if len(key) <= LONGEST:
        return []
    return [Fault(f"a key of {len(key):,} characters", f"SageMaker passes a job no more than {LONGEST} of them", "shorten it")]
