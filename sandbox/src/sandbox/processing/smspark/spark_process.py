"""Spark as a process, its exit code, and its event log."""

import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from .spark_settings import EVENT_FOLDER, SPARK
from .submit_errors import CONTAINER, SubmitError, show_argument

PUBLISH_INTERVAL = 1.0  # seconds between two copies of the event log; 20 in the real container
LOCAL_MASTER = "local[*]"
# Spark without an executor: its one worker has fewer cores than any executor that Spark requests.
# (Spark refuses a local cluster with too little memory.)
STARVED_OPTIONS = ["local-cluster[1,1,4194304]", "--conf", "spark.executor.cores=2"]
STARVED_FILE = CONTAINER / "starved"  # the sandbox looks for it


def run_spark(
    command: Sequence[str], environment: Mapping[str, str], events: str, starved: str
) -> None:
    """Run the application to its end. `starved` says why no executor starts; empty if one does.

    Raises SubmitError with the application's exit code unless that is 0.
    """
    if not (SPARK / "jars" / ".made").exists():
        raise SubmitError(
            "the sandbox's Spark has no S3A",
            FileNotFoundError("say `make .tools/spark/jars/.made`"),
        )
    if starved:
        print(f"WARN sandbox: {starved}", flush=True)
        STARVED_FILE.write_text(starved)
    master = STARVED_OPTIONS if starved else [LOCAL_MASTER]
    words = [str(SPARK / "bin/spark-submit"), "--deploy-mode", "client", "--master", *master]
    # The container's first process ignores SIGTERM; what it starts does not.
    process = subprocess.Popen(
        [*words, *command],
        env=environment,
        preexec_fn=_end_on_sigterm,  # noqa: PLW1509  -- no thread runs yet
    )
    ended = threading.Event()
    publisher = threading.Thread(target=_publish_events, args=(events, ended), daemon=True)
    publisher.start()
    status = process.wait()
    ended.set()
    publisher.join()
    if status:
        raise SubmitError(
            "spark failed with a non-zero exit code",
            subprocess.CalledProcessError(status, _show_command(command)),
            status % 256,
        )


def _end_on_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _show_command(command: Sequence[str]) -> str:
    words = ["spark-submit", "--master", "yarn", "--deploy-mode", "client"]
    return " ".join(map(shlex.quote, [*words, *map(show_argument, command)]))


def _publish_events(target: str, ended: threading.Event) -> None:
    """Copy the event log to where SageMaker uploads it from, until the application has ended.

    The last copy is made after its end.
    """
    if not target:
        return
    Path(target).mkdir(parents=True, exist_ok=True)
    last = False
    while not last:
        last = ended.wait(PUBLISH_INTERVAL)
        for log in EVENT_FOLDER.iterdir():
            shutil.copyfile(log, Path(target) / log.name.removesuffix(".inprogress"))
