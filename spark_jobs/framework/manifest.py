"""The manifest of a run, which makes its files a published data set and records their lineage.

_manifest.json is put last, at OUT/runs/RUN/. Its members:

    format       2; 1 has other categories
    run_id       20 hex digits
    job          the name of the processing job, "" for a run by hand
    account      the account of the data
    code         hash of the job's code
    contract     the data contract: its name, title and version, and the units of its columns
    parameters   of the job, by name
    input        bucket, key, version ("" without versioning), etag, bytes, modified; of a batch,
                 key is its pattern, and objects has the same of each object
    output       the s3:// folder that the run is below
    rows         in, train, validation, quarantine; with a script, data instead of train and
                 validation, and kept, the rows that the script was given
    files        for each file, as read back from S3: path below the run's folder, split, bytes,
                 rows, sha256, etag
    quarantine, categories, columns, sampled, header_lines
                 the measures: see measures.py
    drift        what has changed since the previous run, in sentences
    before       the id of the previous run, or null
    access       mode (s3a or staged), why, grants (permission and target of all credentials that
                 the driver was given)
    spark, started, at (time of publication), seconds (by step)
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from framework.objects import MAX_SMALL, Digest, FoundObject

FORMAT = 2
COMPARABLE_FORMATS = (1, FORMAT)  # of a previous run
MANIFEST_NAME = "_manifest.json"
# What the summary of a run takes from its manifest
REPORTED_MEMBERS = {"rows": dict, "quarantine": dict, "drift": list, "access": dict}
SPLITS = ("train", "validation", "quarantine")
ALL_SPLITS = (*SPLITS, "data")  # data: what a script has made
NO_SPLITS = ("in", "kept")  # members of rows that are no split
# What two manifests of one run id must have in common; times and attempts may differ.
IDENTITY_FIELDS = ("format", "run_id", "code", "contract", "input", "output", "rows", "quarantine")


@dataclass(frozen=True)
class ManifestFile:
    """One file of a run."""

    path: str
    split: str
    bytes: int
    rows: int
    sha256: str
    etag: str


@dataclass(frozen=True)
class ManifestInput:
    """The object that the run was made from; `version` is empty in a bucket without versioning."""

    bucket: str
    key: str
    version: str
    etag: str
    bytes: int
    modified: str


def describe_file(folder: str, found: FoundObject, read: Digest) -> ManifestFile:
    """Describe an object below the run's folder as a file of the manifest."""
    path = found.key.removeprefix(folder)
    return ManifestFile(
        path, path.partition("/")[0], read.bytes, read.rows, read.sha256, found.etag
    )


def encode_manifest(manifest: Mapping[str, Any]) -> bytes:
    """Return the bytes that are stored."""
    return json.dumps(manifest, indent=1).encode() + b"\n"


def parse_json(text: bytes) -> Any:
    """Parse JSON that somebody else may have written; raises ValueError if it is not valid."""
    if len(text) > MAX_SMALL:
        raise ValueError(f"it has more than {MAX_SMALL:,} bytes")
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def parse_manifest(text: bytes, run_id: str) -> dict[str, Any] | None:
    """Return the manifest of a run; None if the text is not one, as far as publishing needs it."""
    try:
        found = parse_json(text)
        files = [ManifestFile(**file) for file in found["files"]]
    except (ValueError, TypeError, LookupError):
        return None
    valid = (
        isinstance(found, dict)
        and found.get("run_id") == run_id
        and all(isinstance(found.get(name), kind) for name, kind in REPORTED_MEMBERS.items())
        and {"in", "quarantine"} <= found["rows"].keys()
        and all(type(count) is int for count in found["rows"].values())
        and type(found.get("header_lines", 0)) is int
        and all(map(_is_valid_file, files))
    )
    return found if valid else None


def _is_valid_file(file: ManifestFile) -> bool:
    texts = (file.path, file.split, file.sha256, file.etag)
    return all(isinstance(text, str) for text in texts) and all(
        type(number) is int for number in (file.bytes, file.rows)
    )


def to_dict(value: Any) -> dict[str, Any]:
    """Return a dataclass as the manifest holds it."""
    return asdict(value)


def find_miscount(rows: Mapping[str, int], files: Sequence[ManifestFile]) -> str:
    """Return where Spark's counts and the rows in the files differ; "" if they agree."""
    splits = [name for name in rows if name not in NO_SPLITS]
    sums = {split: sum(one.rows for one in files if one.split == split) for split in splits}
    wrong = [
        f"{rows[split]:,} rows of {split} were counted and {sums[split]:,} are there"
        for split in splits
        if rows[split] != sums[split]
    ]
    # A script makes other rows of those that it is given.
    kept = [rows["kept"], rows["quarantine"]] if "kept" in rows else [rows[one] for one in splits]
    if sum(kept) != rows["in"]:
        wrong.append(f"{rows['in']:,} rows came in and {sum(kept):,} went out")
    return "; ".join(wrong)


def is_same_run(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two manifests describe the same run with the same data."""
    return all(one.get(name) == other.get(name) for name in IDENTITY_FIELDS) and _list_contents(
        one
    ) == _list_contents(other)


def _list_contents(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List the content of the files, without their names."""
    return sorted((one["split"], one["sha256"]) for one in manifest.get("files", ()))
