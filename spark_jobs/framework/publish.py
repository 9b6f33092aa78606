"""Publish a run so that no reader sees half a run or a mixture of two, whatever is killed in
between.

The objects are written in this order:

    OUT/runs/RUN/{train,validation,quarantine}/…
                       the files; data instead of train and validation if a script made them;
                       readers that follow LATEST do not see them yet
    OUT/runs/RUN/report.html
    OUT/runs/RUN/_manifest.json
                       put with If-None-Match: from here on the run is published
    OUT/LATEST.json    put with If-Match: from here on readers find the run
    OUT/train/part-00000, …  OUT/validation/…
                       the same files again, for the article's reader ("plain files");
                       LATEST says which run they belong to

LATEST names the run with the newest input: the one whose input was uploaded later by S3's clock,
and for the same upload the one that started later. So a run whose input is replaced while it works
publishes itself and leaves LATEST alone.

Whoever may write into the folder may write anything into these files. A LATEST that is not valid,
or that is dated in the future, is replaced, so that it stops no later run. A manifest that is not
valid is none.

One job at a time works on a run id; the launcher guarantees that. Different runs of one output may
publish at the same moment.
"""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

from framework import manifest as manifests
from framework.exits import INTERNAL, JobFailed
from framework.objects import FoundObject, LostRace, ObjectFolder, map_parallel

LATEST = "LATEST.json"
REPORT = "report.html"
PLAIN_SPLITS = ("train", "validation")  # the article's reader knows no quarantine
MAX_LATEST_ATTEMPTS = 20  # to write LATEST while other jobs write it, too
CLOCK_SKEW = timedelta(minutes=5)  # at most, between S3's clock and that of a job's machine
RUN_ID = re.compile(r"[0-9a-f]{20}")

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class RunFolder:
    """The output folder of a job, which holds its runs; `prefix` ends with a slash or is empty."""

    objects: ObjectFolder
    prefix: str
    plain_splits: tuple[str, ...] = PLAIN_SPLITS

    def run_prefix(self, run_id: str) -> str:
        """Return the prefix of a run."""
        return f"{self.prefix}runs/{run_id}/"

    def format_uri(self, key: str) -> str:
        """Return the s3:// URI of a key."""
        return f"s3://{self.objects.bucket}/{key}"


def read_published(output: RunFolder, run_id: str) -> Manifest | None:
    """Return the run's manifest if it is valid and every file that it names exists; else None."""
    folder = output.run_prefix(run_id)
    stored = output.objects.read_object(f"{folder}{manifests.MANIFEST_NAME}")
    if stored is None:
        return None
    manifest = manifests.parse_manifest(stored[0], run_id)
    if manifest is None:
        return None
    etags = {found.key: found.etag for found in output.objects.list_objects(folder)}
    complete = all(
        etags.get(f"{folder}{file['path']}") == file["etag"] for file in manifest["files"]
    )
    return manifest if complete else None


def delete_run(output: RunFolder, run_id: str) -> int:
    """Delete whatever exists of a run, its manifest first; return the number of objects."""
    keys = [found.key for found in output.objects.list_objects(output.run_prefix(run_id))]
    manifest = f"{output.run_prefix(run_id)}{manifests.MANIFEST_NAME}"
    output.objects.delete_objects(key for key in keys if key == manifest)
    output.objects.delete_objects(key for key in keys if key != manifest)
    return len(keys)


def digest_files(output: RunFolder, run_id: str) -> list[manifests.ManifestFile]:
    """Read each file of the run to its end, as a reader would; delete empty and foreign objects."""
    folder = output.run_prefix(run_id)
    found = output.objects.list_objects(folder)
    data = [item for item in found if item.bytes and _is_data_file(item.key.removeprefix(folder))]
    output.objects.delete_objects(item.key for item in found if item not in data)

    def describe(item: FoundObject) -> manifests.ManifestFile:
        return manifests.describe_file(folder, item, output.objects.digest_object(item))

    return map_parallel(describe, data)


def _is_data_file(path: str) -> bool:
    split, _, name = path.partition("/")
    return split in manifests.ALL_SPLITS and name.startswith("part-") and "/" not in name


def publish_run(output: RunFolder, manifest: Manifest, report: str) -> Manifest:
    """Publish the run under this manifest and return the manifest that is in force.

    That is an equal one if another job published the same run. Raises JobFailed if another job
    published other content under the run id.
    """
    folder = output.run_prefix(manifest["run_id"])
    output.objects.put_object(f"{folder}{REPORT}", report.encode(), "text/html; charset=utf-8")
    try:
        output.objects.put_new(
            f"{folder}{manifests.MANIFEST_NAME}", manifests.encode_manifest(manifest)
        )
    except LostRace:
        other = read_published(output, manifest["run_id"])
        if other is None or not manifests.is_same_run(other, manifest):
            why = (
                f"{output.format_uri(folder)} was published by another job meanwhile, with "
                "other content. Start the job again."
            )
            raise JobFailed(INTERNAL, why) from None
        return other
    return manifest


@dataclass(frozen=True)
class LatestPointer:
    """The content of LATEST.json."""

    run_id: str
    manifest: str
    report: str
    modified: str  # when its input was uploaded, by S3's clock
    started: str  # when the job that wrote this started
    plain: str | None = None  # the run of all plain files; None while they are being replaced
    changing: str | None = None  # a token of the job that is replacing the plain files

    @property
    def age(self) -> tuple[str, str]:
        """Orders pointers; a greater value is newer."""
        return self.modified, self.started

    def encode(self) -> bytes:
        """Return the JSON that is stored."""
        return json.dumps(asdict(self), indent=1).encode() + b"\n"


def make_pointer(output: RunFolder, run_id: str, modified: str, started: str) -> LatestPointer:
    """Return what LATEST holds once it names this run."""
    folder = output.run_prefix(run_id)
    return LatestPointer(
        run_id,
        output.format_uri(f"{folder}{manifests.MANIFEST_NAME}"),
        output.format_uri(f"{folder}{REPORT}"),
        modified,
        started,
    )


def read_latest(output: RunFolder) -> tuple[LatestPointer | None, str] | None:
    """Return LATEST and its ETag; None if nothing was published yet.

    The pointer is None if it is not valid or is dated in the future.
    """
    stored = output.objects.read_object(f"{output.prefix}{LATEST}")
    return stored and (_parse_latest(output, stored[0], datetime.now(UTC)), stored[1])


def _parse_latest(output: RunFolder, text: bytes, now: datetime) -> LatestPointer | None:
    try:
        found = LatestPointer(**manifests.parse_json(text))
        made = make_pointer(output, found.run_id, found.modified, found.started)
        times = [datetime.fromisoformat(time) for time in found.age]
        valid = (
            RUN_ID.fullmatch(found.run_id)
            and max(times) <= now + CLOCK_SKEW
            # Written in another way, an older time could sort as a newer one.
            and [time.astimezone(UTC).isoformat() for time in times] == list(found.age)
            and all(isinstance(word, str | None) for word in (found.plain, found.changing))
            and replace(found, plain=None, changing=None) == made
        )
    except (ValueError, TypeError):  # not these members, or times without a zone
        return None
    return found if valid else None


def move_latest(output: RunFolder, wanted: LatestPointer) -> LatestPointer:
    """Make LATEST name this run unless it names a newer one; return what it names."""
    for _ in range(MAX_LATEST_ATTEMPTS):
        held, etag = read_latest(output) or (None, None)
        if held and (
            held.age >= wanted.age
            or (held.run_id, held.modified) == (wanted.run_id, wanted.modified)
        ):
            return held
        if _put_latest(output, replace(wanted, plain=held.plain if held else None), etag):
            return wanted
    raise _too_many_attempts(output)


def _put_latest(output: RunFolder, wanted: LatestPointer, etag: str | None) -> str | None:
    """Write LATEST if it still has the ETag that was read; return its new ETag.

    None if another job wrote it in between.
    """
    key = f"{output.prefix}{LATEST}"
    try:
        if etag is None:
            return output.objects.put_new(key, wanted.encode())
        return output.objects.replace_object(key, wanted.encode(), etag)
    except LostRace:
        return None


def sync_plain_files(output: RunFolder) -> None:
    """Make the plain files those of the run that LATEST names.

    Repairs what a job left that was killed while it replaced them. A job that replaces them first
    puts a token into LATEST. The last token wins: a job that replaced them at the same time finds
    another token in LATEST when it is done, and starts again.
    """
    for _ in range(MAX_LATEST_ATTEMPTS):
        held = read_latest(output)
        if held is None:
            return
        pointer, etag = held
        if pointer is None:
            continue  # not valid any more: another job replaces it
        if pointer.plain == pointer.run_id and _plain_files_match(output, pointer.run_id):
            return
        changing = replace(pointer, plain=None, changing=uuid.uuid4().hex)
        claim = _put_latest(output, changing, etag)
        if (
            claim
            and _copy_plain_files(output, changing.run_id)
            and _put_latest(output, replace(changing, plain=changing.run_id, changing=None), claim)
        ):
            return
    raise _too_many_attempts(output)


def _copy_plain_files(output: RunFolder, run_id: str) -> bool:
    """Delete the old plain files, then put the new ones; False if another job put one in between.

    At no moment do plain files of two runs exist side by side.
    """
    output.objects.delete_objects(
        found.key
        for split in output.plain_splits
        for found in output.objects.list_objects(f"{output.prefix}{split}/")
    )
    wanted = _plan_plain_files(output, run_id)
    try:
        map_parallel(lambda key: output.objects.copy_new(wanted[key], key), wanted)
    except LostRace:
        return False
    return _plain_files_match(output, run_id)


def _plain_files_match(output: RunFolder, run_id: str) -> bool:
    """Whether the plain files are those of the run, by name and size."""
    actual = {
        found.key: found.bytes
        for split in output.plain_splits
        for found in output.objects.list_objects(f"{output.prefix}{split}/")
    }
    return actual == {key: found.bytes for key, found in _plan_plain_files(output, run_id).items()}


def _plan_plain_files(output: RunFolder, run_id: str) -> dict[str, FoundObject]:
    """Return the plain files of a run by key, each with the file that it is a copy of."""
    manifest = read_published(output, run_id)
    if manifest is None:
        why = (
            f"LATEST points to run {run_id}, but "
            f"{output.format_uri(output.run_prefix(run_id))} is gone or incomplete. Upload the "
            "input again."
        )
        raise JobFailed(INTERNAL, why)
    wanted = {}
    for split in output.plain_splits:
        in_split = (file for file in manifest["files"] if file["split"] == split)
        for number, file in enumerate(sorted(in_split, key=itemgetter("path"))):
            key = f"{output.run_prefix(run_id)}{file['path']}"
            source = FoundObject(key, file["etag"], file["bytes"], "")
            wanted[f"{output.prefix}{split}/part-{number:05d}"] = source
    return wanted


def _too_many_attempts(output: RunFolder) -> JobFailed:
    return JobFailed(
        INTERNAL,
        f"{output.format_uri(output.prefix + LATEST)} was changed by others "
        f"{MAX_LATEST_ATTEMPTS} times in a row. Start the job again.",
    )
