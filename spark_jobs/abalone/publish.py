"""How a run becomes visible: never half, never two mixed, whatever is killed in between.

    OUT/runs/RUN/{train,validation,quarantine}/…   the files; invisible to whoever follows LATEST
    OUT/runs/RUN/report.html
    OUT/runs/RUN/_manifest.json                    put if nobody has put it: from here on the run is published
    OUT/LATEST.json                                put if it is still what was read: from here on readers find the run
    OUT/train/part-00000, …  OUT/validation/…      the same files once more for the article's reader; LATEST says which run they are of

LATEST points at the run whose input is newest: of two runs, the one whose input was uploaded later as S3 dates it, and of the same upload
the one that was started later. So a run that was overtaken while it worked publishes itself, and leaves LATEST alone.

A run id is worked on by one job at a time (the launcher sees to that); different runs of one output may publish at the same moment.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from operator import itemgetter
from typing import Any

from abalone import manifest as manifests
from abalone.exits import INTERNAL, Failed
from abalone.objects import Found, Lost, Objects, side_by_side

LATEST = "LATEST.json"
REPORT = "report.html"
PLAIN = ("train", "validation")  # the article's reader knows no quarantine
TRIES = 20  # to move LATEST, against others who move it

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class Output:
    """A folder of runs. `prefix` is a key with a slash at its end, or empty."""

    objects: Objects
    prefix: str

    def folder(self, run_id: str) -> str:
        """Where a run lies."""
        return f"{self.prefix}runs/{run_id}/"

    def uri(self, key: str) -> str:
        """A key as people write it."""
        return f"s3://{self.objects.bucket}/{key}"


def published(output: Output, run_id: str) -> Manifest | None:
    """The run's manifest, if it stands there and every file that it names does; what has lost a file is no published run."""
    folder = output.folder(run_id)
    told = output.objects.read(f"{folder}{manifests.NAME}")
    if told is None:
        return None
    manifest: Manifest = json.loads(told[0])
    there = {found.key: found.etag for found in output.objects.list(folder)}
    whole = all(there.get(f"{folder}{one['path']}") == one["etag"] for one in manifest["files"])
    return manifest if whole else None


def clear(output: Output, run_id: str) -> int:
    """Nothing is left of a run that was begun; how many objects went. Its manifest goes first, if it names files that are gone."""
    keys = [found.key for found in output.objects.list(output.folder(run_id))]
    last = f"{output.folder(run_id)}{manifests.NAME}"
    output.objects.delete(key for key in keys if key == last)
    output.objects.delete(key for key in keys if key != last)
    return len(keys)


def files(output: Output, run_id: str) -> list[manifests.File]:
    """The run's files as a reader would get them, each read to its end. What is empty, or no data, is deleted."""
    folder = output.folder(run_id)
    found = output.objects.list(folder)
    data = [one for one in found if one.bytes and _is_data(one.key.removeprefix(folder))]
    output.objects.delete(one.key for one in found if one not in data)
    return side_by_side(lambda one: manifests.file(folder, one, output.objects.digest(one)), data)


def _is_data(path: str) -> bool:
    split, _, name = path.partition("/")
    return split in manifests.SPLITS and name.startswith("part-") and "/" not in name


def publish(output: Output, manifest: Manifest, report: str) -> Manifest:
    """The run is published under this manifest, or was under an equal one: the one that holds. Failed if another has taken its place."""
    folder = output.folder(manifest["run_id"])
    output.objects.put(f"{folder}{REPORT}", report.encode(), "text/html; charset=utf-8")
    try:
        output.objects.put_new(f"{folder}{manifests.NAME}", manifests.written(manifest))
    except Lost:
        other = published(output, manifest["run_id"])
        if other is None or not manifests.same(other, manifest):
            why = f"{output.uri(folder)} was published by another job meanwhile, with other content. Start the job again."
            raise Failed(INTERNAL, why) from None
        return other
    return manifest


@dataclass(frozen=True)
class Pointer:
    """What LATEST says: which run, from which upload, and of which run all of the plain files are (None: they are being changed)."""

    run_id: str
    manifest: str
    report: str
    modified: str  # when its input was uploaded, as S3 dates it
    started: str  # when the job that pointed here was
    plain: str | None = None
    changing: str | None = None  # a word of whoever changes the plain files

    @property
    def age(self) -> tuple[str, str]:
        """Greater is newer."""
        return self.modified, self.started

    def written(self) -> bytes:
        """As it is stored."""
        return json.dumps(asdict(self), indent=1).encode() + b"\n"


def pointer(output: Output, run_id: str, modified: str, started: str) -> Pointer:
    """What LATEST says once it points at this run."""
    folder = output.folder(run_id)
    return Pointer(run_id, output.uri(f"{folder}{manifests.NAME}"), output.uri(f"{folder}{REPORT}"), modified, started)


def latest(output: Output) -> tuple[Pointer, str] | None:
    """Where LATEST points, and its ETag; None if nothing was published yet."""
    told = output.objects.read(f"{output.prefix}{LATEST}")
    return told and (Pointer(**json.loads(told[0])), told[1])


def point(output: Output, wanted: Pointer) -> Pointer:
    """LATEST points at this run, or at a newer one: at which."""
    for _ in range(TRIES):
        held = latest(output)
        if held and (held[0].age >= wanted.age or (held[0].run_id, held[0].modified) == (wanted.run_id, wanted.modified)):
            return held[0]
        if _put(output, replace(wanted, plain=held[0].plain if held else None), held[1] if held else None):
            return wanted
    raise _busy(output)


def _put(output: Output, wanted: Pointer, etag: str | None) -> str | None:
    """LATEST in place of what was read; its new ETag, or None if somebody was faster."""
    key = f"{output.prefix}{LATEST}"
    try:
        if etag is None:
            return output.objects.put_new(key, wanted.written())
        return output.objects.replace(key, wanted.written(), etag)
    except Lost:
        return None


def lay_plain(output: Output) -> None:
    """The plain files become those of the run that LATEST points at, whoever was killed or overtaken while laying them before.

    Whoever lays them says so in LATEST first. What is said last holds: another who lays them at the same time notices when done.
    """
    for _ in range(TRIES):
        held = latest(output)
        if held is None or (held[0].plain == held[0].run_id and _stands(output, held[0].run_id)):
            return
        changing = replace(held[0], plain=None, changing=uuid.uuid4().hex)
        claim = _put(output, changing, held[1])
        if (
            claim
            and _laid(output, changing.run_id)
            and _put(output, replace(changing, plain=changing.run_id, changing=None), claim)
        ):
            return
    raise _busy(output)


def _laid(output: Output, run_id: str) -> bool:
    """The old ones are deleted, then the new ones put: at no moment do files of two runs stand there. False if somebody else put one."""
    output.objects.delete(found.key for split in PLAIN for found in output.objects.list(f"{output.prefix}{split}/"))
    wanted = _wanted(output, run_id)
    try:
        side_by_side(lambda key: output.objects.copy_new(wanted[key], key), wanted)
    except Lost:
        return False
    return _stands(output, run_id)


def _stands(output: Output, run_id: str) -> bool:
    """Whether the plain files are those of the run, by name and size."""
    there = {found.key: found.bytes for split in PLAIN for found in output.objects.list(f"{output.prefix}{split}/")}
    return there == {key: found.bytes for key, found in _wanted(output, run_id).items()}


def _wanted(output: Output, run_id: str) -> dict[str, Found]:
    """The plain files of a run: key, and which file it is a copy of."""
    manifest = published(output, run_id)
    if manifest is None:
        why = f"LATEST points at run {run_id}, and {output.uri(output.folder(run_id))} is gone or incomplete. Upload the input again."
        raise Failed(INTERNAL, why)
    wanted = {}
    for split in PLAIN:
        named = sorted((one for one in manifest["files"] if one["split"] == split), key=itemgetter("path"))
        for number, one in enumerate(named):
            source = Found(f"{output.folder(run_id)}{one['path']}", one["etag"], one["bytes"], "")
            wanted[f"{output.prefix}{split}/part-{number:05d}"] = source
    return wanted


def _busy(output: Output) -> Failed:
    return Failed(
        INTERNAL, f"{output.uri(output.prefix + LATEST)} was changed by others {TRIES} times in a row. Start the job again."
    )
