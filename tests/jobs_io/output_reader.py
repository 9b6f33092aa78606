"""Read a job's output as its readers do: from LATEST to the manifest, and the plain files, such as
train/part-00000, which the article reads.
"""

import json
from dataclasses import dataclass
from typing import Any

from tests.jobs_io.job_setup import JobSetup, hash_body


@dataclass(frozen=True)
class JobOutput:
    """An output folder at one moment: the run of LATEST, its manifest, and the plain files."""

    latest_run: str  # "" if there is none
    manifest: dict[str, Any]
    plain_digests: dict[str, str]
    plain_run: str | None  # the run of the plain files, according to LATEST

    @property
    def files(self) -> dict[str, str]:
        """The plain files that the run of LATEST should have: key below the folder, digest."""
        return list_plain_files(self.manifest)


def read_output(setup: JobSetup, folder: str = "UserA/output") -> JobOutput:
    """Read the run of LATEST and the plain files; AssertionError if the run is incomplete."""
    latest = setup.read_json(f"{folder}/LATEST.json")
    manifest = read_complete_manifest(setup, folder, latest["run_id"]) if latest else {"files": ()}
    plain = {
        key.removeprefix(f"{folder}/"): hash_object(setup, key)
        for part in ("train", "validation")
        for key in setup.list_keys(f"{folder}/{part}/")
    }
    return JobOutput(
        latest["run_id"] if latest else "", manifest, plain, latest and latest["plain"]
    )


def read_complete_manifest(setup: JobSetup, folder: str, run: str) -> dict[str, Any]:
    """Read the manifest of a run, and assert that every file is as it says."""
    manifest: dict[str, Any] = json.loads(
        setup.read_object(f"{folder}/runs/{run}/_manifest.json") or b"null"
    )
    assert manifest, f"LATEST leads to run {run}, which has no manifest"
    for file in manifest["files"]:
        body = setup.read_object(f"{folder}/runs/{run}/{file['path']}")
        assert body is not None, f"{file['path']} is missing"
        assert (len(body), body.count(b"\n"), hash_body(body)) == (
            file["bytes"],
            file["rows"],
            file["sha256"],
        )
    return manifest


def list_plain_files(manifest: dict[str, Any]) -> dict[str, str]:
    """List the plain files that a run should have: key below the folder, digest."""
    found: dict[str, str] = {}
    for part in ("train", "validation"):
        named = sorted(
            (file for file in manifest["files"] if file["split"] == part),
            key=lambda file: file["path"],
        )
        found |= {f"{part}/part-{at:05d}": file["sha256"] for at, file in enumerate(named)}
    return found


def hash_object(setup: JobSetup, key: str) -> str:
    return hash_body(setup.read_object(key) or b"")
