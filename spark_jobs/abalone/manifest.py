"""What was made from what: the document that makes a run's files a published data set, and its lineage.

_manifest.json of a run, put last, at OUT/runs/RUN/:

    format       1
    run_id       20 hex digits
    job          the processing job's name, "" by hand
    account      whose data it is
    code         hash of the job's code
    contract     the data contract: its version and whatever it says of itself
    input        bucket, key, version ("" without versions), etag, bytes, modified
    output       s3:// folder that the run lies below
    rows         in, train, validation, quarantine
    files        path below the run's folder, split, bytes, rows, sha256, etag: of each, as read back from S3
    quarantine, columns, categories   the measures: see measures.py
    drift        what has changed since the run before, in sentences
    before       the run that it was compared with, or null
    access       mode (s3a or staged), why, grants (permission and place of all that the driver was vended)
    spark, started, at (published), seconds (by step)
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from abalone.objects import Digest, Found

FORMAT = 1
NAME = "_manifest.json"
SPLITS = ("train", "validation", "quarantine")
# What two runs of the same run id must have in common to be the same: not when and by which attempt it was made.
ESSENCE = ("format", "run_id", "code", "contract", "input", "output", "rows", "quarantine")


@dataclass(frozen=True)
class File:
    """One file of a run."""

    path: str
    split: str
    bytes: int
    rows: int
    sha256: str
    etag: str


@dataclass(frozen=True)
class Input:
    """The object that the run was made from, in the words of S3; `version` is empty in a bucket without versions."""

    bucket: str
    key: str
    version: str
    etag: str
    bytes: int
    modified: str


def file(folder: str, found: Found, read: Digest) -> File:
    """The file that an object below the run's folder is."""
    path = found.key.removeprefix(folder)
    return File(path, path.partition("/")[0], read.bytes, read.rows, read.sha256, found.etag)


def written(manifest: Mapping[str, Any]) -> bytes:
    """As it is stored."""
    return json.dumps(manifest, indent=1, ensure_ascii=False).encode() + b"\n"


def plain(value: Any) -> dict[str, Any]:
    """A dataclass as the manifest has it."""
    return asdict(value)


def miscounted(rows: Mapping[str, int], files: Sequence[File]) -> str:
    """What does not add up between what Spark counted and what stands in the files; empty if all does."""
    sums = {split: sum(one.rows for one in files if one.split == split) for split in SPLITS}
    wrong = [
        f"{rows[split]:,} rows of {split} were counted and {sums[split]:,} are there"
        for split in SPLITS
        if rows[split] != sums[split]
    ]
    if sum(rows[split] for split in SPLITS) != rows["in"]:
        wrong.append(f"{rows['in']:,} rows came in and {sum(rows[split] for split in SPLITS):,} went out")
    return "; ".join(wrong)


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two manifests say the same of the same data."""
    return all(one.get(name) == other.get(name) for name in ESSENCE) and _contents(one) == _contents(other)


def _contents(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the files hold, whatever Spark called them."""
    return sorted((one["split"], one["sha256"]) for one in manifest.get("files", ()))
