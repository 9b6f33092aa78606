"""Pack the code of the job types that ship, from spark_jobs/, for the launcher; `sam build` runs
this.

    python3.12 pack.py SPARK_JOBS FOLDER

Each folder of SPARK_JOBS with a job.yaml is a job type. For each, FOLDER gets a folder with its
name. It holds the entry script, framework.zip with the framework and the job type's own files, and
code.json: the hash over names and bytes of these sources, under which the launcher stores the code
in S3; the version of the data contract; and the Spark configuration. YAML becomes JSON, because
the job's container has no PyYAML; this program needs it. The same sources give the same bytes on
every machine. Exits with 1 if a file of a job type is wrong, and says what is.
"""

import hashlib
import json
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold
BUCKET_PLACEHOLDER = "{data_bucket}"  # the launcher replaces it by the name of a data bucket
ENTRY, PACKAGE = "preprocess.py", "framework"


def pack_jobs(sources: Path, folder: Path) -> None:
    """Pack every job type. Raises ContractError if one of its files is wrong."""
    from framework.configuration import build_configuration
    from framework.job_files import list_jobs, pack_files, read_job

    configuration = build_configuration(BUCKET_PLACEHOLDER)
    for name in list_jobs(sources):
        files = read_sources(sources / PACKAGE) | pack_files(sources, name)
        contract = read_job(name, sources).contract.version
        description = {"contract": str(contract), "configuration": configuration}
        pack_job((sources / ENTRY).read_bytes(), files, folder / name, description)


def pack_job(
    entry: bytes, files: Mapping[str, bytes], folder: Path, description: Mapping[str, object]
) -> None:
    """Pack one job type into its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ENTRY).write_bytes(entry)
    write_zip(files, folder / f"{PACKAGE}.zip")
    code = hash_files({ENTRY: entry, **files})
    (folder / "code.json").write_text(json.dumps({"code": code, **description}, indent=1))


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


def main(sources: Path, folder: Path) -> None:
    """Pack the job types of a folder, or exit with what is wrong with them."""
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(sources))
    from framework.descriptor import ContractError

    try:
        pack_jobs(sources, folder)
    except ContractError as mistakes:
        sys.exit(str(mistakes))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
