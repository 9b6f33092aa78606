"""The examples in docs/cli.md: `python -m docs.cli_examples NAME` runs one on a new sandbox.

It prints each command and its output. The resources are those of the tests
(tests/grantor_setup.py); the program is `.venv/bin/grantor`, with the environment that
`python -m sandbox env` prints.
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
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sandbox.process import Server
from tests.cli.policy_texts import build_rule, build_rules
from tests.cli.queues import Queues
from tests.cli.stack_setup import deploy_stack
from tests.conftest import Sandbox
from tests.grantor_setup import ARTICLE_POLICY, DATA, POLICIES, GrantorSetup, set_up_grantor
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
# The team only reads, and userB reviews what userA has.
REVIEWED = """\
version: 1
rules:
  - name: product-team
    to: {profiles: {domain: Product-Domain}}
    on: s3://{data_bucket}/Product/*
    allow: READ
  - name: own-folder
    to: {each_profile: {domain: Product-Domain}}
    on: s3://{data_bucket}/{profile.folder}/*
    allow: READWRITE
  - name: review
    to: {profiles: {domain: Product-Domain, names: [userB]}}
    on: s3://{data_bucket}/UserA/*
    allow: READ
    until: 2099-12-31
"""
SHOWN_CHANGES = 3  # lines of changes that a shortened example shows


@dataclass(frozen=True)
class Example:
    """A stack, and the command line that is used on it."""

    setup: GrantorSetup
    environment: dict[str, str]
    folder: Path

    def grantor(self, words: str, *, shorten: bool = False, show_code: bool = False) -> None:
        """Run `grantor WORDS`; print the command and its output, with few changes if `shorten`, and
        the exit code if `show_code`.
        """
        done = subprocess.run(
            [str(ROOT / ".venv/bin/grantor"), *shlex.split(words)],
            cwd=self.folder, env=self.environment, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        output = "".join(shorten_changes(done.stdout)) if shorten else done.stdout
        code = f"exit code {done.returncode}\n" if show_code else ""
        print(f"$ grantor {words}\n{output}{code}")

    def save(self, words: str, name: str) -> None:
        """Run `grantor WORDS > NAME`; print the command."""
        command = [str(ROOT / ".venv/bin/grantor"), *shlex.split(words)]
        with (self.folder / name).open("wb") as file:
            subprocess.run(command, cwd=self.folder, env=self.environment, check=True, stdout=file)
        print(f"$ grantor {words} > {name}")

    def write_checkout(self, name: str, text: str) -> None:
        """Write a checkout of a repository with one policy file."""
        (self.folder / name / "policy").mkdir(parents=True)
        (self.folder / name / "policy/article.yaml").write_text(text)


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
    example.setup.put_policy("article", ARTICLE_POLICY)
    example.grantor("plan")
    example.grantor("apply")
    example.grantor("plan --expect-no-changes")


def show_pull_request(example: Example) -> None:
    """What a pull request would change, as a comment on it."""
    example.setup.put_policy("article", ARTICLE_POLICY)
    example.setup.reconcile()
    (example.folder / "policy").mkdir()
    (example.folder / "policy/article.yaml").write_text(
        ARTICLE_POLICY.replace("Product/*", "Shared/*")
    )
    example.grantor("plan --policy policy --markdown")


def show_approval(example: Example) -> None:
    """A plan that deletes many grants requires an approval."""
    role = example.setup.create_role("ana")
    example.setup.put_policy("teams", build_rules(role, 30))
    example.setup.reconcile()
    example.setup.put_policy("teams", build_rules(role, 5))
    pending = example.setup.reconcile().approval.hash[:12]  # any unambiguous prefix names the plan
    example.grantor("status")
    example.grantor(f"approve {pending} --because moved-elsewhere --yes", shorten=True)
    example.grantor("apply", shorten=True)


def show_questions(example: Example) -> None:
    """Who can do what after the article's rules were applied."""
    example.setup.put_policy("article", ARTICLE_POLICY)
    example.setup.reconcile()
    example.grantor("can Product-Domain/userA READ s3://data/UserA/abalone.csv")
    example.grantor("can Product-Domain/userB READ s3://data/UserA/abalone.csv")
    example.grantor("who s3://data/UserA/*")
    example.grantor("reach userB")
    example.save("inventory", "today.json")
    example.write_checkout("pull-request", REVIEWED)
    example.grantor("who READ s3://data/Product/* --profiles today.json --policy pull-request")


def show_compare(example: Example) -> None:
    """What a pull request gives and takes, and the check that it gives nothing new."""
    example.setup.put_policy("article", ARTICLE_POLICY)
    example.setup.reconcile()
    example.write_checkout("main", ARTICLE_POLICY)
    example.write_checkout("pull-request", REVIEWED)
    example.grantor("compare live main")
    example.grantor("compare main pull-request --no-new-access", show_code=True)


def show_history(example: Example) -> None:
    """Past runs."""
    example.setup.put_policy("article", ARTICLE_POLICY)
    run = example.setup.reconcile().run_id
    example.grantor("history")
    example.grantor(f"history {run}")


def show_changes(example: Example) -> None:
    """A profile is made and deleted; what its folder has seen, and what was so before."""
    example.setup.put_policy("article", ARTICLE_POLICY)
    example.setup.reconcile()
    time.sleep(1)
    before = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    time.sleep(1)
    example.setup.delete_profile("userB")
    example.setup.reconcile()
    example.grantor("changes s3://data/UserB/*")
    example.grantor("changes userA --csv")
    example.grantor(f"who s3://data/UserB/* --as-of {before}")
    example.grantor("who s3://data/UserB/*")


def show_jobs(example: Example) -> None:
    """Two people upload data; one of them has no grant on their folder."""
    launcher = set_up_launcher(example.setup.sandbox, example.folder, OWN_FOLDER + JOB)
    deploy_stack(launcher.setup)
    with suppress_output():
        launcher.deliver(launcher.upload("UserA/abalone.csv"), launcher.upload("UserB/abalone.csv"))
    example.grantor("jobs")
    example.grantor(f"jobs {launcher.list_running()[0]}")


def show_adoption(example: Example) -> None:
    """A grant that was made by hand, and a rule that wants exactly this grant."""
    role = example.setup.create_role("auditor")
    example.setup.create_unmanaged_grant("Product/*", role)
    example.setup.put_policy("audit", build_rule(role, "s3://data/Product/*", name="auditors"))
    example.setup.reconcile()
    example.grantor("adopt")
    example.grantor("adopt --all-wanted")


def show_rebuild(example: Example) -> None:
    """The ledger table has lost its items."""
    example.setup.put_policy("article", ARTICLE_POLICY)
    example.setup.reconcile()
    table = example.setup.client("dynamodb")
    for item in table.scan(TableName="ledger")["Items"]:
        table.delete_item(TableName="ledger", Key={"pk": item["pk"], "sk": item["sk"]})
    example.grantor("rebuild")
    example.grantor("apply")


def show_redrive(example: Example) -> None:
    """Events that the functions could not process, and a message that is not an event."""
    queues = Queues.create(example.setup)
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
    "changes": show_changes,
    "questions": show_questions,
    "compare": show_compare,
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
        setup = set_up_grantor(Sandbox.find(server.port, server.log), Path(folder))
        deploy_stack(setup)
        environment = os.environ | server.client_variables()
        EXAMPLES[arguments.example](Example(setup, environment, Path(folder)))


if __name__ == "__main__":
    main()
