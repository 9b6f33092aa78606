"""Pack the code of the jobs that ship, from spark_jobs/, for the launcher; `sam build` runs this.

    python3.12 pack.py SPARK_JOBS FOLDER

For each job, FOLDER gets a folder with the job's name. It holds the entry script, the package as a
zip, and code.json: the hash over names and bytes of the job's sources, under which the launcher
stores the code in S3; the version of the job's data contract; and the Spark configuration. The same
sources give the same bytes on every machine.
"""

import hashlib
import json
import sys
import zipfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grantor.core.policy.job_language import ShippedJob

LAYER = Path(__file__).parent / ".layer"  # its core needs nothing but the standard library
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold
BUCKET_PLACEHOLDER = "{data_bucket}"  # the launcher replaces it by the name of the data bucket


def pack_jobs(sources: Path, folder: Path) -> None:
    """Pack every job that ships."""
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(sources), str(LAYER)]
    from grantor.core.policy.job_language import SHIPPED_JOBS

    for job in SHIPPED_JOBS.values():
        pack_job(job, sources, folder / job.name)


def pack_job(job: "ShippedJob", sources: Path, folder: Path) -> None:
    """Pack one job into its folder."""
    entry = (sources / job.entry).read_bytes()
    package = read_sources(sources / job.package)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / job.entry).write_bytes(entry)
    write_zip(package, folder / f"{job.package}.zip")
    description = {"code": hash_files({job.entry: entry, **package}), **_read_metadata(job)}
    (folder / "code.json").write_text(json.dumps(description, indent=1))


def read_sources(package: Path) -> dict[str, bytes]:
    """Read the modules of a package by their paths in the zip, in order."""
    found = sorted(path for path in package.rglob("*.py") if "__pycache__" not in path.parts)
    return {
        f"{package.name}/{path.relative_to(package).as_posix()}": path.read_bytes()
        for path in found
    }


def write_zip(files: Mapping[str, bytes], target: Path) -> None:
    """Write a zip that depends on nothing but names and bytes.

    It is not compressed, since zlib gives different bytes on different machines.
    """
    # Python 3.12 finds a package without __init__.py in a zip only if its folder has an entry.
    parents = {parent for name in files for parent in list(PurePosixPath(name).parents)[:-1]}
    folders = {f"{parent.as_posix()}/": b"" for parent in parents}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, body in sorted({**folders, **files}.items()):
            info = zipfile.ZipInfo(name, ZIP_TIME)
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, body)


def hash_files(files: Mapping[str, bytes]) -> str:
    """Return 32 hex digits over names and bytes."""
    listed = [[name, hashlib.sha256(body).hexdigest()] for name, body in sorted(files.items())]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:32]


def _read_metadata(job: "ShippedJob") -> dict[str, Any]:
    """Read what only the job's code knows, from two modules that need only the standard library."""
    contract = import_module(f"{job.package}.contract")
    configuration = import_module(f"{job.package}.configuration")
    return {
        "contract": str(contract.VERSION),
        "configuration": configuration.build_configuration(BUCKET_PLACEHOLDER),
    }


if __name__ == "__main__":
    pack_jobs(Path(sys.argv[1]), Path(sys.argv[2]))
