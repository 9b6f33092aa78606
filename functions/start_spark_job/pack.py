"""What the launcher carries, made of spark_jobs/ by `sam build`: the same sources give the same bytes, on every machine.

    python3.12 pack.py SPARK_JOBS FOLDER

FOLDER gets preprocess.py, abalone.zip and carried.json: the hash over names and bytes of all the sources, by which the code is found in
S3, the version of the data contract, and how Spark is to be configured.
"""

import hashlib
import json
import sys
import zipfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold
BUCKET = "{data_bucket}"  # stands for the bucket that the data is in


def pack(jobs: Path, folder: Path) -> None:
    """Make the folder."""
    entry = (jobs / "preprocess.py").read_bytes()
    package = sources(jobs / "abalone")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "preprocess.py").write_bytes(entry)
    zipped(package, folder / "abalone.zip")
    told = {"code": digest({"preprocess.py": entry, **package}), **_said_by_the_job(jobs)}
    (folder / "carried.json").write_text(json.dumps(told, indent=1))


def sources(package: Path) -> dict[str, bytes]:
    """The modules of a package by their paths in the zip, in order."""
    found = sorted(path for path in package.rglob("*.py") if "__pycache__" not in path.parts)
    return {f"{package.name}/{path.relative_to(package).as_posix()}": path.read_bytes() for path in found}


def zipped(files: Mapping[str, bytes], target: Path) -> None:
    """A zip that nothing but names and bytes takes part in: not compressed, since zlib differs from machine to machine."""
    # Python 3.12 finds a package without __init__.py in a zip only if its folder has an entry of its own.
    folders = {f"{parent.as_posix()}/": b"" for name in files for parent in list(PurePosixPath(name).parents)[:-1]}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, body in sorted({**folders, **files}.items()):
            told = zipfile.ZipInfo(name, EPOCH)
            told.create_system, told.external_attr = 3, 0o644 << 16
            archive.writestr(told, body)


def digest(files: Mapping[str, bytes]) -> str:
    """32 hex digits over names and bytes."""
    listed = [[name, hashlib.sha256(body).hexdigest()] for name, body in sorted(files.items())]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:32]


def _said_by_the_job(jobs: Path) -> dict[str, Any]:
    """What only the job's own code knows; these two modules of it need nothing but the standard library."""
    sys.path.insert(0, str(jobs))
    sys.dont_write_bytecode = True
    contract, configuration = import_module("abalone.contract"), import_module("abalone.configuration")
    return {"contract": str(contract.VERSION), "configuration": configuration.configuration(BUCKET)}


if __name__ == "__main__":
    pack(Path(sys.argv[1]), Path(sys.argv[2]))
