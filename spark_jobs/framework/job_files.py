"""The files of a job: job.yaml, its contract, and its script if it has one.

A job is a folder in spark_jobs/ with a job.yaml, or with a contract.yaml alone. The packer turns
YAML into JSON, since the job's container has no PyYAML: in the zip that Spark gets, the folder has
job.json and contract.json.
"""

import json
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framework.contract import Contract
from framework.descriptor import (
    ContractError,
    Descriptor,
    DescriptorFault,
    DescriptorReader,
    Places,
    read_json,
    read_yaml,
)
from framework.parameters import MAX_SENTENCE_CHARS, Parameter, parse_parameters, report_empty
from framework.parse_contract import parse_contract

# The folder with the package and the jobs: spark_jobs/ in a clone, or the zip
JOBS_FOLDER = Path(__file__).parent.parent
JOB_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
JOB_KEYS = ("summary", "contract", "script", "input_remedy", "parameters")
JOB_EXAMPLE = "summary: …, contract: contract.yaml"
CONTRACT_NAME, SCRIPT_NAME = "contract.yaml", "transform.py"


@dataclass(frozen=True)
class Job:
    """A job: what it reads, what it makes of it, and its parameters."""

    name: str
    contract: Contract
    script: str = ""  # the source of transform.py, "" if the contract says what is made
    summary: str = ""
    input_remedy: str = ""
    parameters: tuple[Parameter, ...] = field(default=())

    @property
    def splits(self) -> tuple[str, ...]:
        """The folders of a run."""
        return ("data", "quarantine") if self.script else ("train", "validation", "quarantine")


def read_job(name: str, root: Path = JOBS_FOLDER) -> Job:
    """Read a job by its name. Raises ContractError if it is wrong, or not there."""
    folder = _open_folder(root, name)
    if not JOB_NAME.fullmatch(name) or folder is None:
        known = ", ".join(list_jobs(root)) or "none"
        fault = DescriptorFault((), f"there is no job {name!r}", f"the jobs here: {known}")
        raise ContractError(str(root), [fault], Places())
    parser = _JobParser(name, folder)
    return parser.parse_job()


def list_jobs(root: Path = JOBS_FOLDER) -> list[str]:
    """Return the names of the jobs that are there."""
    top = _open_root(root)
    return sorted(one.name for one in top.iterdir() if one.is_dir() and _is_job(one))


def pack_files(root: Path, name: str) -> dict[str, bytes]:
    """Return the job's files by their paths in the zip. Raises ContractError if one is wrong."""
    job = read_job(name, root)
    folder = _open_folder(root, name)
    if folder is None:
        raise FileNotFoundError(name)
    packed = {}
    described = {
        "job": _read_job_descriptor(folder, name),
        "contract": _read_descriptor(folder, "contract", name),
    }
    for stem, descriptor in described.items():
        packed[f"{name}/{stem}.json"] = json.dumps(descriptor.values, indent=1).encode()
    if job.script:
        packed[f"{name}/{SCRIPT_NAME}"] = job.script.encode()
    return packed


def _open_root(root: Path) -> Any:
    return zipfile.Path(root) if root.is_file() else root


def _open_folder(root: Path, name: str) -> Any:
    """Return the job's folder, as a Path or zipfile.Path; None if there is none."""
    folder = _open_root(root) / name
    return folder if _is_job(folder) else None


def _is_job(folder: Any) -> bool:
    return any(_has_descriptor(folder, stem) for stem in ("job", "contract"))


def _has_descriptor(folder: Any, stem: str) -> bool:
    return any((folder / f"{stem}.{kind}").is_file() for kind in ("json", "yaml"))


def _read_job_descriptor(folder: Any, name: str) -> Descriptor:
    """Read job.yaml; without one, the contract's title says what the job makes."""
    if _has_descriptor(folder, "job"):
        return _read_descriptor(folder, "job", name)
    contract = _read_descriptor(folder, "contract", name).values
    title = contract.get("title") if isinstance(contract, dict) else None
    return Descriptor(f"{name}/job.yaml", {"summary": title or name, "contract": CONTRACT_NAME})


def _read_descriptor(folder: Any, stem: str, name: str) -> Descriptor:
    """Read NAME.json, or else NAME.yaml."""
    for kind, read in (("json", read_json), ("yaml", read_yaml)):
        file = folder / f"{stem}.{kind}"
        if file.is_file():
            return read(f"{name}/{stem}.{kind}", file.read_text(encoding="utf-8"))
    fault = DescriptorFault((), "there is no such file", f"write it; {stem}.json works, too")
    raise ContractError(f"{name}/{stem}.yaml", [fault], Places())


class _JobParser:
    def __init__(self, name: str, folder: Any) -> None:
        self._name, self._folder, self._reader = name, folder, DescriptorReader()

    def parse_job(self) -> Job:
        described = _read_job_descriptor(self._folder, self._name)
        read = self._reader
        found = read.read_mapping(described.values, (), JOB_KEYS, JOB_EXAMPLE)
        report_empty(read, found, ())
        summary = self._read_sentence(found, "summary")
        remedy = self._read_sentence(found, "input_remedy") if "input_remedy" in found else ""
        named = read.read_text(found.get("contract"), ("contract",), f"contract: {CONTRACT_NAME}")
        if named and named != CONTRACT_NAME:
            cause = f"the contract is in {named}"
            read.report(("contract",), cause, f"call it {CONTRACT_NAME}")
        script = self._read_script(found.get("script"))
        parameters = parse_parameters(read, found.get("parameters"), ("parameters",))
        if parameters and not script:
            cause = "a job without a script uses no parameters"
            read.report(("parameters",), cause, "remove them, or add script: transform.py")
        if read.faults:
            raise described.make_error(read.faults)
        contract = parse_contract(
            _read_descriptor(self._folder, "contract", self._name), has_script=bool(script)
        )
        remedy = remedy or f"upload a file with the columns {', '.join(contract.names)}"
        return Job(self._name, contract, script, summary, remedy, parameters)

    def _read_sentence(self, found: Any, key: str) -> str:
        text = self._reader.read_text(found.get(key), (key,), f"{key}: one line")
        if "\n" in text or len(text) > MAX_SENTENCE_CHARS:
            cause = f"this is more than a line of {MAX_SENTENCE_CHARS} characters"
            self._reader.report((key,), cause, "shorten it")
        return text

    def _read_script(self, value: Any) -> str:
        if value is None:
            return ""
        if value != SCRIPT_NAME:
            cause = f"the script is in {value}"
            self._reader.report(("script",), cause, f"call it {SCRIPT_NAME}")
            return ""
        file = self._folder / SCRIPT_NAME
        if not file.is_file():
            self._reader.report(("script",), f"there is no {SCRIPT_NAME}", "write it")
            return ""
        source = str(file.read_text(encoding="utf-8"))
        try:
            compile(source, f"{self._name}/{SCRIPT_NAME}", "exec")
        except SyntaxError as error:
            cause = f"{SCRIPT_NAME} is no Python: {error.msg}, line {error.lineno}"
            self._reader.report(("script",), cause, "correct it")
        return source
