"""The open questions about AWS, asked in a real account, and the story on a stack that is deployed there.

make live ACCOUNT=111122223333                     every question, in the Region of your AWS configuration
make live ACCOUNT=111122223333 STACK=grantor       and the story, with two runs of the Spark job
make live ACCOUNT=111122223333 STACK=grantor JOBS=no   without any processing job
make live ACCOUNT=111122223333 PROBES="late_deletes tag_binds_delete"
make live ACCOUNT=111122223333 SWEEP=yes           remove what a run that was killed has left
make live ACCOUNT=sandbox                          all of it on a small AWS on the desk, as a rehearsal

The credentials are those of your AWS configuration (AWS_PROFILE), and must be of that very account. docs/live.md says what is needed,
what is made and what it costs.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from subprocess import CalledProcessError

from botocore.exceptions import BotoCoreError, ClientError

from demo.stage import Unmet
from tests.live import features, story
from tests.live.account import LIVE, Account, NotAsked
from tests.live.asking import ask_all
from tests.live.catalogue import ALL, BY_NAME, JOBS
from tests.live.ground import Ground, Left, NotOurs, ground
from tests.live.making import left_behind
from tests.live.probe import Probe
from tests.live.stack import Stack
from tests.live.waiting import Late


def main(words: Sequence[str] | None = None) -> int:
    """0 when all that could be asked is answered and every expectation held; 1 else; 2 where nobody has asked for this account.

    130 after Ctrl-C.
    """
    if not os.environ.get(LIVE):
        print(__doc__)
        return 0
    asked = _arguments().parse_args(words)
    try:
        return _run(asked, Account.of(os.environ))
    except (NotAsked, NotOurs) as why:
        print(f"live: {why}", file=sys.stderr)
        return 2
    except (Unmet, Late, Left, ClientError, BotoCoreError, CalledProcessError) as unmet:
        print(f"\n✗ NOT AS EXPECTED: {unmet}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; all that was made is gone", file=sys.stderr)
        return 130


def _run(asked: argparse.Namespace, account: Account) -> int:
    if asked.sweep:
        return _sweep(account)
    stack = Stack.of(account, asked.stack) if asked.stack else None
    probes = (
        [BY_NAME[name] for name in asked.probes]
        if asked.probes
        else [each for each in ALL if asked.jobs or each.name not in JOBS]
    )
    print(announcement(account, probes, stack, jobs=asked.jobs), flush=True)
    with ground(account) as here:
        here.open()
        remain = ask_all(here, probes)
    if stack:
        with ground(account) as here:
            story.tell(Ground(account, here.made, here.name, stack.data), stack, features.tell if asked.jobs else None)
    print(f"\nOf {len(probes)} questions {len(remain)} could be asked and remain open; all that was made is gone.")
    return int(bool(remain))


def announcement(account: Account, probes: Sequence[Probe], stack: Stack | None, *, jobs: bool) -> str:
    """What is about to be made, and what it costs."""
    lines = [
        f"account {account.id}, Region {account.region}, as {account.caller}",
        f"{len(probes)} questions: a bucket, an Access Grants instance if there is none, some locations, roles and grants,",
        "all called or tagged grantor-live-…, all removed. Requests only, some cents at most; some twenty minutes.",
        *(f"  {each.name}: {each.costs}" for each in probes if each.costs),
    ]
    if stack:
        lines.append(
            f"the story on stack {stack.name}: three Studio profiles with roles, one policy file, folders of their own in its data bucket."
        )
    if stack and jobs:
        lines.append("  two runs of the Spark job, each on two ml.m5.xlarge for some ten minutes: about 15 cents in all")
    return "\n".join(lines) + "\n"


def _sweep(account: Account) -> int:
    """Remove what earlier runs have left; 1 if something is still there."""
    left = [why for made in left_behind(account) for why in made.remove()]
    print("\n".join(left) or "nothing is left of earlier runs")
    return int(bool(left))


def _arguments() -> argparse.ArgumentParser:
    said = argparse.ArgumentParser(
        prog="python -m tests.live", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    said.add_argument("probes", nargs="*", choices=[*BY_NAME, []], metavar="PROBE", help="those alone; all unless told")
    said.add_argument("--stack", default="", help="play the story on this stack, too")
    said.add_argument("--no-jobs", dest="jobs", action="store_false", help="start no processing job")
    said.add_argument("--sweep", action="store_true", help="remove what a run that was killed has left")
    return said


if __name__ == "__main__":
    sys.exit(main())
