"""The command line's front door: words in, a verb done, a code out. Errors for people are one sentence, never a traceback."""

import os
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from importlib import import_module
from typing import Any

from grantor.cli.output import Show, aside
from grantor.cli.session import INTERRUPTED, Call, Trouble, ends_at_once

CHANGING = {"apply", "approve", "adopt", "rebuild", "redrive"}
MODULES = {"approve": "apply", "history": "status", "adopt": "recovery", "rebuild": "recovery", "redrive": "recovery"}


def main(words: Sequence[str] | None = None, session: Any = None) -> int:
    """Do what the words say, those of the process unless told, and return the code to end with.

    `session` is boto3's, that of the environment unless told. Raises SystemExit for help, and for words that make no sense.
    """
    asked = parser().parse_args(words)
    for stream in (sys.stdout, sys.stderr):
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")  # a file's name may be no text
    # A module a verb: `grantor check` in an editor need not wait until boto3 is read from disk.
    verb = import_module(f"grantor.cli.{MODULES.get(asked.verb, asked.verb)}")
    try:
        with nullcontext() if asked.verb in CHANGING else ends_at_once():
            run = getattr(verb, f"run_{asked.verb}")
            return int(run(Call(asked, Show.on_this(as_json=asked.json), session)))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the answer has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Trouble as wrong:
        aside(f"grantor {asked.verb}: {wrong}")
        return wrong.code
    except Exception as error:
        from grantor.cli.errors import told

        said = told(error, asked.verb)
        if said is None:
            raise
        aside(f"grantor {asked.verb}: {said}")
        return 1


EMERGENCY = "Needs the stack's managed policies Reader and BreakGlass."
DESCRIPTION = "Grantor keeps Amazon S3 Access Grants in line with policy files that live in S3."
EPILOG = """\
The stack is --stack, else GRANTOR_STACK, else stack_name in the samconfig.toml of this folder, else "grantor"; credentials
and Region are those of your AWS configuration (AWS_PROFILE, AWS_REGION). Ends with 0 when all is well, 1 when something is
wrong, 2 when the command makes no sense, 3 for unexpected changes (plan --expect-no-changes), 130 after Ctrl-C.
"""


def parser() -> ArgumentParser:
    """The whole of it."""
    top = ArgumentParser("grantor", description=DESCRIPTION, epilog=EPILOG, formatter_class=RawDescriptionHelpFormatter)
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (short, more, add) in VERBS.items():
        said = verbs.add_parser(
            name,
            help=short,
            description=f"{short[:1].upper()}{short[1:]}.\n\n{more}",
            formatter_class=RawDescriptionHelpFormatter,
        )
        add(said)
        if name != "check":
            said.add_argument("--stack", metavar="NAME", help="the stack that Grantor is deployed as")
        said.add_argument("--json", action="store_true", help="answer in JSON")
    return top


def _check(said: ArgumentParser) -> None:
    said.add_argument("paths", nargs="+", metavar="FILE|FOLDER", help="policy files, or folders of them; - reads standard input")
    said.add_argument("--name", default="stdin.yaml", help="what standard input is called in messages (stdin.yaml)")


def _plan(said: ArgumentParser) -> None:
    said.add_argument(
        "--policy", metavar="DIR", help="plan with the policy files of this folder in place of the bucket's policy/"
    )
    said.add_argument("--markdown", action="store_true", help="answer in Markdown, for a pull request")
    said.add_argument("--expect-no-changes", action="store_true", help="end with 3 if a run would change anything")


def _apply(said: ArgumentParser) -> None:
    said.add_argument("--wait", action="store_true", help="if another run is going on, wait until it has answered this one")


def _approve(said: ArgumentParser) -> None:
    said.add_argument("hash", metavar="HASH", help="the plan's hash, as it is told where the plan is refused")
    said.add_argument("--yes", action="store_true", help="do not ask")


def _status(said: ArgumentParser) -> None:
    """Nothing else can be asked for."""
    del said


def _history(said: ArgumentParser) -> None:
    said.add_argument("run", nargs="?", metavar="RUN", help="the id of a run, to see it in full")
    said.add_argument("-n", type=int, default=20, metavar="N", dest="most", help="how many runs (20)")


def _jobs(said: ArgumentParser) -> None:
    said.add_argument("name", nargs="?", metavar="NAME", help="the name of a processing job, to see its run in full")
    said.add_argument("-n", "--limit", type=int, default=20, metavar="N", dest="most", help="how many past runs (20)")


def _adopt(said: ArgumentParser) -> None:
    said.add_argument("ids", nargs="*", metavar="GRANT_ID", help="grants by their ids")
    said.add_argument("--all-wanted", action="store_true", help="every foreign grant that a rule wants just so")
    said.add_argument("--scope", help="of those, the ones with this scope")
    said.add_argument("--grantee", help="of those, the ones of this grantee: an ARN, role/NAME, or an id of the directory")
    said.add_argument("--permission", choices=["READ", "WRITE", "READWRITE"], help="of those, the ones with this permission")
    said.add_argument(
        "--unwanted", action="store_true", help="by id also grants that no rule wants: the next run takes them away"
    )
    said.add_argument("--yes", action="store_true", help="agree to that")


def _rebuild(said: ArgumentParser) -> None:
    said.add_argument("--yes", action="store_true", help="also if the ledger is not empty; what it knows stays as it is")


def _redrive(said: ArgumentParser) -> None:
    said.add_argument("queue", nargs="?", choices=["bells", "uploads"], help="those of grants or those of jobs alone; else both")
    said.add_argument("--list", action="store_true", help="say what lies there, and leave it")


VERBS: dict[str, tuple[str, str, Callable[[ArgumentParser], None]]] = {
    "check": (
        "read policy files and say what is wrong with them, without AWS",
        "One line for each mistake, file:line:column: what: why; what to write instead. Warnings do not make it fail.",
        _check,
    ),
    "plan": (
        "show what a run would do now, and change nothing",
        "Needs the stack's managed policy Reader. Ends with 1 if a policy file is wrong or something could not be read.",
        _plan,
    ),
    "apply": (
        "run now, over everything, as the function does",
        "Same lease, same ledger, same guard. If another run is going on, it answers this one, too.\n" + EMERGENCY,
        _apply,
    ),
    "approve": (
        "let the next run carry out a plan that the guard has refused",
        "Exactly the plan with this hash, within a day. Needs the stack's managed policy Approver, which forbids writing policy.",
        _approve,
    ),
    "status": (
        "show how things stand: sweep, grants, lease, policy files, plans that wait",
        "Needs the stack's managed policy Reader.",
        _status,
    ),
    "history": (
        "show past runs, or one in full",
        "Runs that changed nothing and had nothing to say are not kept. Needs the stack's managed policy Reader.",
        _history,
    ),
    "jobs": (
        "show which uploads wait and why, which jobs run now, and past runs, or one in full",
        "Runs of the last 90 days, and the last of each input however old it is. Needs the stack's managed policy Reader.",
        _jobs,
    ),
    "adopt": (
        "take over grants that somebody else made, without deleting or creating any",
        "They are tagged and written into the ledger. Without any choice it lists what could be adopted, and Reader is enough.\n"
        + EMERGENCY,
        _adopt,
    ),
    "rebuild": (
        "write a lost ledger anew, from the tags of the grants",
        "A call for each grant. Nothing is created or deleted; the next run puts right what the tags do not tell.\n" + EMERGENCY,
        _rebuild,
    ),
    "redrive": (
        "ring again what nobody answered and lies in a dead letter queue",
        "Nothing is lost, and nothing done twice, for a bell only says where to look. What is no event is named, and stays.\n"
        + EMERGENCY,
        _redrive,
    ),
}
