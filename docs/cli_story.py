"""The command line's own transcripts: `python -m docs.cli_story CHAPTER` plays a chapter on a sandbox of its own and prints it.

The estate is that of the tests; what is called is `.venv/bin/grantor`, with the environment that `python -m sandbox env` prints.
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

from sandbox.__main__ import variables_of
from sandbox.process import Server
from tests.cli.deployed import deploy
from tests.cli.queues import Queues
from tests.cli.rules import many, one
from tests.conftest import Sandbox
from tests.estate import ARTICLE, DATA, POLICIES, Estate, lay
from tests.jobs.place import JOB, furnish

ROOT = Path(__file__).parent.parent
OWN_FOLDER = """\
version: 1
rules:
  - name: own-folder
    to: {each_profile: {domain: Product-Domain, names: [userA]}}
    on: s3://{data_bucket}/{profile.folder}/*
    allow: READWRITE
"""
SHORT = 3  # lines of changes of one kind that a chapter shows


@dataclass(frozen=True)
class Chapter:
    """An estate, and somebody at its command line."""

    estate: Estate
    environment: dict[str, str]
    folder: Path

    def say(self, words: str, cut: bool = False) -> str:
        """Print the command and what it prints; all but the first of many changes is left out where that is asked for."""
        command = [ROOT / ".venv/bin/grantor", *shlex.split(words)]
        both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        printed = subprocess.run(command, cwd=self.folder, env=self.environment, text=True, check=False, **both).stdout
        print(f"$ grantor {words}\n{''.join(self._cut(printed)) if cut else printed}")
        return printed

    def _cut(self, printed: str) -> Iterator[str]:
        lines = printed.splitlines(keepends=True)
        changes = [line for line in lines if line[:2] in ("+ ", "- ")]
        for line in lines:
            if line not in changes[SHORT:]:
                yield line
            elif line == changes[-1]:
                yield f"  … {len(changes) - SHORT} more lines, left out here\n"


def plan(chapter: Chapter) -> None:
    """A policy file is dropped, and somebody looks before the run."""
    chapter.estate.policy("article", ARTICLE)
    chapter.say("plan")
    chapter.say("apply")
    chapter.say("plan --expect-no-changes")


def pull_request(chapter: Chapter) -> None:
    """What a pull request would change, as a comment on it."""
    chapter.estate.policy("article", ARTICLE)
    chapter.estate.run()
    (chapter.folder / "policy").mkdir()
    (chapter.folder / "policy/article.yaml").write_text(ARTICLE.replace("Product/*", "Shared/*"))
    chapter.say("plan --policy policy --markdown")


def approve(chapter: Chapter) -> None:
    """A slip, or a decision? The guard asks."""
    role = chapter.estate.role("ana")
    chapter.estate.policy("teams", many(role, 30))
    chapter.estate.run()
    chapter.estate.policy("teams", many(role, 5))
    refused = chapter.estate.run().hash
    chapter.say("status")
    chapter.say(f"approve {refused} --yes", cut=True)
    chapter.say("apply", cut=True)


def history(chapter: Chapter) -> None:
    """What came before."""
    chapter.estate.policy("article", ARTICLE)
    run = chapter.estate.run().run
    chapter.say("history")
    chapter.say(f"history {run}")


def jobs(chapter: Chapter) -> None:
    """Two people upload their data; one of them has no grant on their own folder."""
    place = furnish(chapter.estate.sandbox, chapter.folder, OWN_FOLDER + JOB)
    deploy(place.estate)
    with quiet():
        place.ring(place.put("UserA/abalone.csv"), place.put("UserB/abalone.csv"))
    chapter.say("jobs")
    chapter.say(f"jobs {place.running()[0]}")


def adopt(chapter: Chapter) -> None:
    """A grant that was made by hand, and a rule that wants just that."""
    role = chapter.estate.role("auditor")
    chapter.estate.foreign("Product/*", role)
    chapter.estate.policy("audit", one(role, "s3://data/Product/*", name="auditors"))
    chapter.estate.run()
    chapter.say("adopt")
    chapter.say("adopt --all-wanted")


def rebuild(chapter: Chapter) -> None:
    """The table is lost."""
    chapter.estate.policy("article", ARTICLE)
    chapter.estate.run()
    table = chapter.estate.client("dynamodb")
    for item in table.scan(TableName="ledger")["Items"]:
        table.delete_item(TableName="ledger", Key={"pk": item["pk"], "sk": item["sk"]})
    chapter.say("rebuild")
    chapter.say("apply")


def redrive(chapter: Chapter) -> None:
    """The function was kept from answering, and somebody has sent a message by hand."""
    queues = Queues.of(chapter.estate)
    policy = {"source": "aws.s3", "detail": {"bucket": {"name": POLICIES}, "object": {"key": "policy/article.yaml"}}}
    upload = {"source": "aws.s3", "detail": {"bucket": {"name": DATA}, "object": {"key": "UserA/abalone.csv"}}}
    clock = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
    queues.send("dead-bells", *map(json.dumps, [policy, clock, clock]), "hello")
    queues.send("dead-uploads", json.dumps(upload))
    chapter.say("redrive --list")
    chapter.say("redrive")


CHAPTERS: dict[str, Callable[[Chapter], None]] = {
    play.__name__: play for play in (plan, pull_request, approve, history, jobs, adopt, rebuild, redrive)
}


@contextmanager
def quiet() -> Iterator[None]:
    """What a function writes into its log is no part of the story."""
    logging.disable()
    with redirect_stdout(io.StringIO()):
        yield
    logging.disable(logging.NOTSET)


@contextmanager
def sandbox() -> Iterator[Server]:
    """A sandbox on a free port, until it is no longer needed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        server = Server(int(probe.getsockname()[1]))
    server.up()
    try:
        yield server
    finally:
        server.down()


def main() -> None:
    said = argparse.ArgumentParser(prog="python -m docs.cli_story", description=__doc__)
    said.add_argument("chapter", choices=CHAPTERS)
    asked = said.parse_args()
    with sandbox() as server, tempfile.TemporaryDirectory() as folder:
        estate = lay(Sandbox(server.port, server.log), Path(folder))
        deploy(estate)
        environment = os.environ | variables_of(server, None, None)
        CHAPTERS[asked.chapter](Chapter(estate, environment, Path(folder)))


if __name__ == "__main__":
    main()
