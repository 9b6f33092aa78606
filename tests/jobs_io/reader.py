"""What readers of a job's output see: those who follow LATEST to the manifest, and the article's, who knows train/part-00000 alone."""

import json
from dataclasses import dataclass
from typing import Any

from tests.jobs_io.grounds import Grounds, sha256


@dataclass(frozen=True)
class Seen:
    """One look at a folder: the run that LATEST leads to, the plain files (key below the folder: digest), and what they should be."""

    run: str  # "" if there is none
    manifest: dict[str, Any]
    plain: dict[str, str]
    said: str | None  # the run that the plain files are of, by LATEST

    @property
    def files(self) -> dict[str, str]:
        """The plain files of the run that LATEST leads to."""
        return plain_files(self.manifest)


def look(grounds: Grounds, folder: str = "UserA/output") -> Seen:
    """Follow LATEST, and read whatever it leads to; AssertionError if that is not whole."""
    latest = grounds.document(f"{folder}/LATEST.json")
    manifest = whole(grounds, folder, latest["run_id"]) if latest else {"files": ()}
    plain = {
        key.removeprefix(f"{folder}/"): digest(grounds, key)
        for part in ("train", "validation")
        for key in grounds.listed(f"{folder}/{part}/")
    }
    return Seen(latest["run_id"] if latest else "", manifest, plain, latest and latest["plain"])


def whole(grounds: Grounds, folder: str, run: str) -> dict[str, Any]:
    """The run's manifest, when every file that it names holds what it says."""
    manifest: dict[str, Any] = json.loads(
        grounds.get(f"{folder}/runs/{run}/_manifest.json") or b"null"
    )
    assert manifest, f"LATEST leads to run {run}, which has no manifest"
    for file in manifest["files"]:
        body = grounds.get(f"{folder}/runs/{run}/{file['path']}")
        assert body is not None, f"{file['path']} is missing"
        assert (len(body), body.count(b"\n"), sha256(body)) == (
            file["bytes"],
            file["rows"],
            file["sha256"],
        )
    return manifest


def plain_files(manifest: dict[str, Any]) -> dict[str, str]:
    """What the plain files of a run are: path below the folder, and digest."""
    found: dict[str, str] = {}
    for part in ("train", "validation"):
        named = sorted(
            (file for file in manifest["files"] if file["split"] == part),
            key=lambda file: file["path"],
        )
        found |= {f"{part}/part-{at:05d}": file["sha256"] for at, file in enumerate(named)}
    return found


def digest(grounds: Grounds, key: str) -> str:
    return sha256(grounds.get(key) or b"")
