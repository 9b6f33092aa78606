"""Asks a real account the open questions about AWS, and runs the demo's scenario on a stack that is
deployed there.

make test-live ACCOUNT=111122223333                      every question, in the Region of your AWS
configuration make test-live ACCOUNT=111122223333 STACK=grantor        and the scenario, with two
runs of the Spark job make test-live ACCOUNT=111122223333 STACK=grantor JOBS=no    without any
processing job make test-live ACCOUNT=111122223333 PROBES="late_deletes tag_binds_delete" make
test-live ACCOUNT=111122223333 SWEEP=yes            remove what a killed run has left make test-live
ACCOUNT=sandbox                           all of it in a sandbox, as a rehearsal

The credentials are those of your AWS configuration (AWS_PROFILE), and must belong to that account.
docs/live.md lists what is needed, what is created and what it costs.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import CalledProcessError

from botocore.exceptions import BotoCoreError, ClientError

from harness.steps import ExpectationError, expect, print_lines, step
from tests.live import scenario, spark_scenario
from tests.live.account import LIVE, Account, AccountNotConfirmed
from tests.live.catalogue import ALL_PROBES, JOB_PROBES, PROBES_BY_NAME
from tests.live.cleanup_list import find_leftovers
from tests.live.deployed_stack import Stack
from tests.live.probe import Probe
from tests.live.runner import run_probes
from tests.live.waiting import WaitTimeout
from tests.live.workspace import NotOwned, NotRemoved, Workspace, open_workspace

ROOT = Path(__file__).parents[2]


def main(words: Sequence[str] | None = None) -> int:
    """Return 0 if every applicable question is answered and all expectations hold, else 1.

    2 if it is not confirmed that this account is meant, 130 after Ctrl-C.
    """
    if not os.environ.get(LIVE):
        print(__doc__)
        return 0
    asked = _build_parser().parse_args(words)
    try:
        return _run_all(asked, Account.from_environment(os.environ))
    except (AccountNotConfirmed, NotOwned) as why:
        print(f"live: {why}", file=sys.stderr)
        return 2
    except (
        ExpectationError,
        WaitTimeout,
        NotRemoved,
        ClientError,
        BotoCoreError,
        CalledProcessError,
    ) as unmet:
        print(f"\n✗ NOT AS EXPECTED: {unmet}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; everything that was created is removed", file=sys.stderr)
        return 130


def _run_all(asked: argparse.Namespace, account: Account) -> int:
    if asked.sweep:
        return _remove_leftovers(account)
    stack = Stack.find_stack(account, asked.stack) if asked.stack else None
    probes = (
        [PROBES_BY_NAME[name] for name in asked.probes]
        if asked.probes
        else [each for each in ALL_PROBES if asked.jobs or each.name not in JOB_PROBES]
    )
    print(format_announcement(account, probes, stack, jobs=asked.jobs), flush=True)
    with open_workspace(account) as workspace:
        workspace.set_up()
        still_open = run_probes(workspace, probes)
    if stack:
        examine_stack(stack)
        with open_workspace(account) as workspace:
            scenario.run_scenario(
                Workspace(account, workspace.cleanup, workspace.name, stack.data),
                stack,
                spark_scenario.run_spark_part if asked.jobs else None,
            )
    print(
        f"\n{len(still_open)} of {len(probes)} questions remain open; "
        "all that was created is removed."
    )
    return int(bool(still_open))


def examine_stack(stack: Stack) -> None:
    """Print what `grantor doctor` says of the stack; whoever runs this may not read all of it.

    Raises ExpectationError if it finds a failure.
    """
    with step("grantor doctor examines the stack"):
        command = [str(ROOT / ".venv/bin/grantor"), "doctor", "--json", "--stack", stack.name]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if not said.stdout:
            raise ExpectationError(said.stderr)
        findings = json.loads(said.stdout)["findings"]
        for one in findings:
            if one["severity"] != "ok":
                print_lines(f"{one['severity']} {one['id']}: {one['what']}; {one['remedy']}")
        failures = [one["id"] for one in findings if one["severity"] == "failure"]
        expect("it finds no failure", [], failures)


def format_announcement(
    account: Account, probes: Sequence[Probe], stack: Stack | None, *, jobs: bool
) -> str:
    """Describe what is about to be created, and what it costs."""
    lines = [
        f"account {account.id}, Region {account.region}, as {account.caller}",
        f"{len(probes)} questions: a bucket, an Access Grants instance if there is none,",
        "some locations, roles and grants, all named or tagged grantor-live-…, all removed.",
        "They cost a few cents at most and take about twenty minutes.",
        *(f"  {each.name}: {each.costs}" for each in probes if each.costs),
    ]
    if stack:
        lines.append(
            f"the demo scenario on stack {stack.name}: three Studio profiles with roles, "
            "one policy file, and folders of their own in its data bucket."
        )
    if stack and jobs:
        lines.append(
            "  two runs of the Spark job, each on two ml.m5.xlarge for about ten minutes: "
            "about 15 cents in total"
        )
    return "\n".join(lines) + "\n"


def _remove_leftovers(account: Account) -> int:
    """Remove what earlier runs have left; return 1 if something cannot be removed."""
    left = [why for made in find_leftovers(account) for why in made.remove()]
    print("\n".join(left) or "nothing is left of earlier runs")
    return int(bool(left))


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.live",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "probes",
        nargs="*",
        choices=[*PROBES_BY_NAME, []],
        metavar="PROBE",
        help="only these; default: all",
    )
    parser.add_argument("--stack", default="", help="run the demo scenario on this stack, too")
    parser.add_argument(
        "--no-jobs", dest="jobs", action="store_false", help="start no processing job"
    )
    parser.add_argument("--sweep", action="store_true", help="remove what a killed run has left")
    return parser


if __name__ == "__main__":
    sys.exit(main())
