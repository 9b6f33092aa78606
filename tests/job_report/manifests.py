"""Manifests as the job writes them, with few bins so that a reader can count."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from framework.measures import Measure
from tests.abalone import NUMBERS

SHA = "de37cdcdcaaa50c309d514f248f7c2302a5f1f88c168905eba23fe2fbc78449f"


def manifest(**changes: Any) -> dict[str, Any]:
    """One of a run of 100 rows, two of them refused."""
    return {
        "format": 2,
        "run_id": "0123456789abcdef0123",
        "job": "grantor-abalone-0123456789abcdef0123-a1",
        "account": "111122223333",
        "code": "9d1c7b6e0f2a4c589d1c7b6e0f2a4c58",
        "contract": {"name": "abalone", "title": "Abalone features", "version": "2", "units": {}},
        "parameters": {},
        "input": {
            "bucket": "data",
            "key": "UserA/abalone.csv",
            "version": "3sL4kqtJlcpXroDTDmJ",
            "etag": "0f343b0931126a20f133d67c2b018a3b",
            "bytes": 4_600,
            "modified": "2026-11-24T09:59:40+00:00",
        },
        "output": "s3://data/UserA/output/",
        "rows": {"in": 100, "train": 78, "validation": 20, "quarantine": 2},
        "files": [file("train", 78), file("validation", 20), file("quarantine", 2)],
        "quarantine": {"height 0": 1, "not 9 columns": 1},
        "columns": {name: column([0, 40, 58, 0], 0.5) for name in NUMBERS},
        "categories": {"sex": {"F": 30, "I": 28, "M": 40}},
        "sampled": 1,
        "header_lines": 0,
        "drift": [],
        "before": None,
        "access": {"mode": "s3a", "why": "", "grants": ["READWRITE s3://data/UserA/*"]},
        "spark": "3.5.6-amzn-1",
        "started": "2026-11-24T10:00:00.123456+00:00",
        "at": "2026-11-24T10:03:12.654321+00:00",
        "seconds": {"look": 0.4, "transform": 6.2},
        **changes,
    }


def file(split: str, rows: int) -> dict[str, Any]:
    """A file of the run."""
    return {
        "path": f"{split}/part-00000",
        "split": split,
        "bytes": 46 * rows,
        "rows": rows,
        "sha256": SHA,
        "etag": "0f34",
    }


def column(counts: Sequence[int], mean: float | None, missing: float = 0.0) -> dict[str, Any]:
    """The measures of one column, in bins of a quarter each."""
    edges = (0, 0.25, 0.5, 0.75, 1.0)[: len(counts) + 1]
    return asdict(Measure(0.3, 0.7, mean, 0.1, missing, edges, tuple(counts)))


def nothing() -> dict[str, Any]:
    """One of a run that made no features at all: every line was refused."""
    empty = asdict(Measure(None, None, None, None, 0.0, (0, 0.25, 0.5, 0.75, 1.0), (0, 0, 0, 0)))
    return manifest(
        rows={"in": 7, "train": 0, "validation": 0, "quarantine": 7},
        quarantine={"not 9 columns": 7},
        columns=dict.fromkeys(NUMBERS, empty),
        categories={"sex": {"F": 0, "I": 0, "M": 0}},
        files=[file("quarantine", 7)],
    )
