"""One run of a job: its inputs, its container, its outputs, and what SageMaker says of its end.

SageMaker transfers data between S3 and a container in the execution role's name: inputs before the
job, outputs during or after it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from threading import Event
from typing import Any, Protocol

from sandbox.processing.container import PROGRAMS, Container, JobHost
from sandbox.processing.jobs import ProcessingJob
from sandbox.switches import JobSwitches

_NOT_FOUND_ADVICE = (
    "Please ensure that the bucket exists, that objects exist under that S3 prefix, and that the "
    "role has "
    '"s3:ListBucket" permissions on the bucket.'
)
POLL_INTERVAL = 0.05  # seconds between two checks of a container
UPLOAD_INTERVAL = 1.0  # seconds between two uploads of a Continuous output


class TransferError(Exception):
    """S3 refuses, or has nothing: a sentence as FailureReason has it."""


class ObjectStore(Protocol):
    """S3, as the execution role may use it. Every method raises TransferError."""

    def list_keys(self, bucket: str, prefix: str) -> list[str]:
        """Return all keys that begin with the prefix."""

    def read_object(self, bucket: str, key: str, target: Path) -> None:
        """Read the object into a file."""

    def write_object(self, source: Path, bucket: str, key: str, kms_key: str | None) -> None:
        """Write the file as an object."""


def download_input(given: dict[str, Any], to: Path, store: ObjectStore) -> None:
    """Download one input of type S3Prefix: every object whose key begins with the prefix.

    Raises TransferError if there is none.
    """
    uri = given["S3Uri"]
    bucket, prefix = split_uri(uri)
    keys = [key for key in store.list_keys(bucket, prefix) if not key.endswith("/")]
    if not keys:
        raise TransferError(
            f'No S3 objects found under S3 URL "{uri}" given in input data source. '
            f"{_NOT_FOUND_ADVICE}"
        )
    for key in keys:
        target = (to / path_within(key, prefix)).resolve()
        if not target.is_relative_to(to.resolve()):
            raise TransferError(
                f"Failed to download data. The key {key} leads out of the input's folder."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        store.read_object(bucket, key, target)


def path_within(key: str, prefix: str) -> str:
    """Return the file of an object, relative to the input's folder.

    This is its path below the prefix, or its name if the prefix is the whole key.

    >>> path_within("code/ab/preprocess.py", "code/ab/preprocess.py")
    'preprocess.py'
    >>> path_within("code/ab/x.zip", "code"), path_within("code/ab/x.zip", "code/a")
    ('ab/x.zip', 'ab/x.zip')
    """
    folder = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    if key.startswith(folder):
        return key[len(folder) :]
    return key[len(prefix.rpartition("/")[0]) :].lstrip("/")


class OutputUpload:
    """One output. `upload_changes` sends what is new or has changed since the last time."""

    def __init__(
        self, given: dict[str, Any], source: Path, store: ObjectStore, kms_key: str | None = None
    ) -> None:
        self.continuous = given["S3UploadMode"] == "Continuous"
        self._bucket, self._prefix = split_uri(given["S3Uri"])
        self._source, self._store, self._kms_key = source, store, kms_key
        self._sent: dict[str, tuple[int, int]] = {}

    def upload_changes(self) -> None:
        """Upload new and changed files. Raises TransferError if S3 refuses one."""
        for file in _list_output_files(self._source):
            name, seen = str(PurePosixPath(file.relative_to(self._source))), file.stat()
            state = (seen.st_size, seen.st_mtime_ns)
            if self._sent.get(name) != state:
                self._store.write_object(
                    file,
                    self._bucket,
                    f"{self._prefix.rstrip('/')}/{name}".lstrip("/"),
                    self._kms_key,
                )
                self._sent[name] = state


def _list_output_files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of an s3:// address.

    SageMaker also accepts https:// addresses, with the bucket first in their path.
    """
    rest = uri.partition("://")[2]
    bucket, _, key = (rest.partition("/")[2] if uri.startswith("https") else rest).partition("/")
    return bucket, key


@dataclass(frozen=True)
class JobResult:
    """How a job ended, as DescribeProcessingJob says it."""

    status: str
    failure: str = ""
    message: str = ""
    at_limit: bool = False  # it was stopped as if its time limit had passed


@dataclass(frozen=True)
class JobSignals:
    """What others ask of a running job: to stop, or to be killed at once."""

    stopping: Event = field(default_factory=Event)
    killed: Event = field(default_factory=Event)


@dataclass
class JobRun:
    """One job in its container. `log` receives its output, by line."""

    job: ProcessingJob
    container: Container
    place: JobHost
    store: ObjectStore
    log: Callable[[list[str]], None]
    switches: JobSwitches
    turn: JobSignals
    _read: int = 0

    def run_to_end(self) -> JobResult:
        """Run the job from its inputs to its outputs. Nothing that the job does raises."""
        try:
            self.container.create_files(self.job.asked, self.job.arn, self.place)
            for each in self.job.asked.get("ProcessingInputs") or ():
                download_input(
                    each["S3Input"],
                    self.container.path_of(each["S3Input"]["LocalPath"]),
                    self.store,
                )
            return self._run_and_upload(self._list_uploads())
        except TransferError as refusal:
            return JobResult("Failed", f"ClientError: {refusal}")
        except UnicodeDecodeError:
            return JobResult(
                "Failed", "ClientError: The file /opt/ml/output/message is not UTF-8 encoded."
            )

    def _run_and_upload(self, uploads: list[OutputUpload]) -> JobResult:
        status, stopped = self._run_container([each for each in uploads if each.continuous])
        message = self.container.read_message()
        for each in uploads:
            if each.continuous or (status == 0 and not stopped):
                each.upload_changes()
        if stopped:
            at_limit = not self.turn.stopping.is_set()
            return JobResult("Stopped", message=message, at_limit=at_limit)
        return (
            JobResult("Failed", self._explain_failure(status, message), message)
            if status
            else JobResult("Completed", message=message)
        )

    def _run_container(self, continuous: list[OutputUpload]) -> tuple[int, bool]:
        """Run the container to its end. Return its exit status, and whether it was stopped."""
        process = self._start_process()
        try:
            stopped = self._watch_process(process, continuous)
        finally:
            _kill_container(process)  # what the entrypoint left running ends with its container
        self._read_output(last=True)
        return process.returncode, stopped

    def _watch_process(
        self, process: subprocess.Popen[bytes], continuous: list[OutputUpload]
    ) -> bool:
        begun = uploaded = time.monotonic()
        asked_to_end = 0.0
        while not _has_ended(process):
            now = time.monotonic()
            self._read_output()
            if now - uploaded > UPLOAD_INTERVAL:
                uploaded = now
                for each in continuous:
                    each.upload_changes()
            if not asked_to_end and (self.turn.stopping.is_set() or now - begun > self._limit):
                asked_to_end = now
                process.terminate()
            if self.turn.killed.is_set() or (
                asked_to_end and now - asked_to_end > self.switches.job_stop_seconds
            ):
                _kill_container(process)
        return bool(asked_to_end)

    @property
    def _limit(self) -> float:
        """Seconds that the container may run; fewer if it can only wait for their end."""
        wait = self.switches.job_starved_seconds
        starved = wait and self.container.is_starved()
        return min(wait, self.job.limit) if starved else self.job.limit

    def _start_process(self) -> subprocess.Popen[bytes]:
        asked = self.job.asked
        command = [
            sys.executable,
            "-S",
            "-E",
            "-B",
            str(PROGRAMS / "container_init.py"),
            *self.container.build_command(asked),
        ]
        with self._output.open("wb") as out:
            return subprocess.Popen(
                command,
                cwd=self.container.folder,
                env=self.container.build_variables(asked, self.place),
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def _output(self) -> Path:
        return self.container.folder / "output.log"

    def _read_output(self, *, last: bool = False) -> None:
        """Log the lines printed since the last call; a partial line only at the end."""
        with self._output.open("rb") as lines:
            lines.seek(self._read)
            new = lines.read()
        whole = len(new) if last else new.rfind(b"\n") + 1
        self._read += whole
        if whole:
            self.log(new[:whole].decode(errors="replace").splitlines())

    def _list_uploads(self) -> list[OutputUpload]:
        config = self.job.asked.get("ProcessingOutputConfig") or {}
        return [
            OutputUpload(
                each["S3Output"],
                self.container.path_of(each["S3Output"]["LocalPath"]),
                self.store,
                config.get("KmsKeyId"),
            )
            for each in config.get("Outputs") or ()
        ]

    def _explain_failure(self, status: int, message: str) -> str:
        match self.switches.job_failure_reason:
            case "logs":
                return "AlgorithmError: See job logs for more information"
            case "message":
                return f"AlgorithmError: {message}, exit code: {status}"
        return f"AlgorithmError: , exit code: {status}"


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    with suppress(subprocess.TimeoutExpired):
        process.wait(POLL_INTERVAL)
    return process.returncode is not None


def _kill_container(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin:
        process.stdin.close()
