"""The examples in docs/cli.md: `python -m docs.cli_examples NAME` runs one on a new sandbox.

It prints each command and its output. The resources are those of the tests (tests/estate.py); the
program is `.venv/bin/grantor`, with the environment that `python -m sandbox env` prints.
"""

import argparse
import io
import json
import logging
import os
import shlex
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from sandbox.process import Server
from tests.cli.deployed import deploy
from tests.cli.queues import Queues
from tests.cli.rules import many, one
from tests.conftest import Sandbox
from tests.estate import ARTICLE, DATA, POLICIES, Estate, lay
from tests.jobs.launcher import JOB, set_up_launcher

ROOT = Path(__file__).parent.parent
OWN_FOLDER = """\
version: 1
rules:
  - name: own-folder
    to: {each_profile: {domain: Product-Domain, names: [userA]}}
    on: s3://{data_bucket}/{profile.folder}/*
    allow: READWRITE
"""
SHOWN_CHANGES = 3  # lines of changes that a shortened example shows


@dataclass(frozen=True)
class Example:
    """A stack, and the command line that is used on it."""

    estate: Estate
    environment: dict[str, str]
    folder: Path

    def grantor(self, words: str, *, shorten: bool = False) -> None:
        """Run `grantor WORDS`; print the command and its output, with few changes if `shorten`."""
        done = subprocess.run(
            [str(ROOT / ".venv/bin/grantor"), *shlex.split(words)],
            cwd=self.folder, env=self.environment, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        output = "".join(shorten_changes(done.stdout)) if shorten else done.stdout
        print(f"$ grantor {words}\n{output}")


def shorten_changes(printed: str) -> Iterator[str]:
    """Replace all but the first changes by a line that counts them."""
    lines = printed.splitlines(keepends=True)
    changes = [line for line in lines if line[:2] in ("+ ", "- ")]
    for line in lines:
        if line not in changes[SHOWN_CHANGES:]:
            yield line
        elif line == changes[-1]:
            yield f"  … {len(changes) - SHOWN_CHANGES} more lines, left out here\n"


def show_plan(example: Example) -> None:
    """A policy file is uploaded; the plan is read before the run."""
    example.estate.policy("article", ARTICLE)
    example.grantor("plan")
    example.grantor("apply")
    example.grantor("plan --expect-no-changes")


def show_pull_request(example: Example) -> None:
    """What a pull request would change, as a comment on it."""
    example.estate.policy("article", ARTICLE)
    example.estate.run()
    (example.folder / "policy").mkdir()
    (example.folder / "policy/article.yaml").write_text(ARTICLE.replace("Product/*", "Shared/*"))
    example.grantor("plan --policy policy --markdown")


def show_approval(example: Example) -> None:
    """A plan that deletes many grants requires an approval."""
    role = example.estate.role("ana")
    example.estate.policy("teams", many(role, 30))
    example.estate.run()
    example.estate.policy("teams", many(role, 5))
    pending = example.estate.run().approval.hash[:12]  # any unambiguous prefix names the plan
    example.grantor("status")
    example.grantor(f"approve {pending} --yes", shorten=True)
    example.grantor("apply", shorten=True)


def show_history(example: Example) -> None:
    """Past runs."""
    example.estate.policy("article", ARTICLE)
    run = example.estate.run().run_id
    example.grantor("history")
    example.grantor(f"history {run}")


def show_jobs(example: Example) -> None:
    """Two people upload data; one of them has no grant on their folder."""
    launcher = set_up_launcher(example.estate.sandbox, example.folder, OWN_FOLDER + JOB)
    deploy(launcher.estate)
    with suppress_output():
        launcher.deliver(launcher.upload("UserA/abalone.csv"), launcher.upload("UserB/abalone.csv"))
    example.grantor("jobs")
    example.grantor(f"jobs {launcher.list_running()[0]}")


def show_adoption(example: Example) -> None:
    """A grant that was made by hand, and a rule that wants exactly this grant."""
    role = example.estate.role("auditor")
    example.estate.foreign("Product/*", role)
    example.estate.policy("audit", one(role, "s3://data/Product/*", name="auditors"))
    example.estate.run()
    example.grantor("adopt")
    example.grantor("adopt --all-wanted")


def show_rebuild(example: Example) -> None:
    """The ledger table has lost its items."""
    example.estate.policy("article", ARTICLE)
    example.estate.run()
    table = example.estate.client("dynamodb")
    for item in table.scan(TableName="ledger")["Items"]:
        table.delete_item(TableName="ledger", Key={"pk": item["pk"], "sk": item["sk"]})
    example.grantor("rebuild")
    example.grantor("apply")


def show_redrive(example: Example) -> None:
    """Events that the functions could not process, and a message that is not an event."""
    queues = Queues.of(example.estate)
    policy = {
        "source": "aws.s3",
        "detail": {"bucket": {"name": POLICIES}, "object": {"key": "policy/article.yaml"}},
    }
    upload = {
        "source": "aws.s3",
        "detail": {"bucket": {"name": DATA}, "object": {"key": "UserA/abalone.csv"}},
    }
    clock = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
    queues.send("event-dlq", *map(json.dumps, [policy, clock, clock]), "hello")
    queues.send("upload-dlq", json.dumps(upload))
    example.grantor("redrive --list")
    example.grantor("redrive")


EXAMPLES: dict[str, Callable[[Example], None]] = {
    "plan": show_plan,
    "pull_request": show_pull_request,
    "approve": show_approval,
    "history": show_history,
    "jobs": show_jobs,
    "adopt": show_adoption,
    "rebuild": show_rebuild,
    "redrive": show_redrive,
}


@contextmanager
def suppress_output() -> Iterator[None]:
    """Leave out what a function logs."""
    logging.disable()
    with redirect_stdout(io.StringIO()):
        yield
    logging.disable(logging.NOTSET)


@contextmanager
def run_sandbox() -> Iterator[Server]:
    """Run a sandbox on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        server = Server(int(probe.getsockname()[1]))
    server.start()
    try:
        yield server
    finally:
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m docs.cli_examples", description=__doc__)
    parser.add_argument("example", choices=EXAMPLES)
    arguments = parser.parse_args()
    with run_sandbox() as server, tempfile.TemporaryDirectory() as folder:
        estate = lay(Sandbox(server.port, server.log), Path(folder))
        deploy(estate)
        environment = os.environ | server.client_variables()
        EXAMPLES[arguments.example](Example(estate, environment, Path(folder)))


if __name__ == "__main__":
    main()
