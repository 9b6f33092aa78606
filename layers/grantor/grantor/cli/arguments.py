"""The arguments of each command, for its parser.

This module imports little of Grantor, as commands.py does.
"""

from argparse import ArgumentParser, ArgumentTypeError

from grantor.cli.question_arguments import list_permissions
from grantor.core.grant import Permission

RUNS_SHOWN = 20  # past runs that `history` and `jobs` list unless -n says otherwise
PROCESS, ENVIRONMENT, CONFIG = CREDENTIAL_FORMATS = ("process", "env", "config")


def parse_count(text: str) -> int:
    """Read the argument of -n. Raises ArgumentTypeError below 1, ValueError if not a number."""
    if (count := int(text)) < 1:
        raise ArgumentTypeError("must be at least 1")
    return count


parse_count.__name__ = "number"  # argparse names the type in its message


def add_check_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="policy file, or folder of policy files; - reads standard input",
    )
    parser.add_argument(
        "--name",
        default="stdin.yaml",
        help="name of standard input in messages (default: stdin.yaml)",
    )


def add_test_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="*",
        default=["policy"],
        metavar="PATH",
        help="policy files and test files, or folders of them; - reads standard input "
        "(default: policy)",
    )
    parser.add_argument(
        "--profiles",
        metavar="FILE",
        help="what exists, for test files without given: an inventory that grantor inventory has "
        "saved",
    )
    parser.add_argument(
        "--coverage", action="store_true", help="list the parts of rules that no test covers"
    )
    parser.add_argument(
        "--threshold",
        type=parse_percent,
        default=0,
        metavar="PERCENT",
        help="exit with 5 if the tests cover less of the rules",
    )
    parser.add_argument("--junit", metavar="FILE", help="write the outcome as JUnit's XML, too")


def parse_percent(text: str) -> int:
    """Read a share in percent. Raises ArgumentTypeError outside of 0 to 100."""
    if not text.isdecimal() or not 0 <= (percent := int(text)) <= 100:
        raise ArgumentTypeError("must be a whole number from 0 to 100")
    return percent


def add_doctor_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--parameter",
        action="append",
        metavar="NAME=VALUE",
        help="parameter of a planned deployment, over those in samconfig.toml",
    )


def add_plan_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--policy",
        metavar="DIR",
        help="plan with the policy files of this folder instead of the bucket's policy/",
    )
    parser.add_argument(
        "--markdown", action="store_true", help="print Markdown for a pull-request comment"
    )
    parser.add_argument(
        "--expect-no-changes",
        action="store_true",
        help="exit with 3 if a run would change anything",
    )


def add_apply_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--wait",
        action="store_true",
        help="if another run is in progress, wait until it has covered this one",
    )


def add_approve_arguments(parser: ArgumentParser) -> None:
    add_reject_arguments(parser)
    parser.add_argument(
        "--despite-rejection",
        action="store_true",
        help="approve a plan that somebody has rejected",
    )


def add_reject_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "hash", metavar="HASH", help="hash of the plan, or at least its first 8 digits"
    )
    parser.add_argument(
        "--because",
        required=True,
        metavar="TEXT",
        help="the reason, which the history and an alert repeat",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def add_history_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", metavar="RUN", help="id of a run to show in full")
    add_limit_argument(parser, "-n")


def add_jobs_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="name of a processing job to show in full"
    )
    add_limit_argument(parser, "-n", "--limit")


def add_limit_argument(parser: ArgumentParser, *flags: str) -> None:
    parser.add_argument(
        *flags,
        type=parse_count,
        default=RUNS_SHOWN,
        metavar="N",
        dest="limit",
        help=f"number of past runs to list (default: {RUNS_SHOWN})",
    )


def add_adopt_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("ids", nargs="*", metavar="GRANT_ID", help="ids of the grants to adopt")
    parser.add_argument(
        "--all-wanted",
        action="store_true",
        help="adopt every unmanaged grant that matches a rule exactly",
    )
    parser.add_argument("--scope", help="of these, only grants with this scope")
    parser.add_argument(
        "--grantee",
        help="of these, only grants of this grantee: an ARN, role/NAME or a directory id",
    )
    parser.add_argument(
        "--permission",
        choices=list_permissions(),
        help="of these, only grants with this permission",
    )
    parser.add_argument(
        "--unwanted",
        action="store_true",
        help="also adopt grants, given by id, that no rule wants; the next run deletes them",
    )
    parser.add_argument("--yes", action="store_true", help="confirm --unwanted")


def add_rebuild_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--yes",
        action="store_true",
        help="rebuild even if the ledger is not empty; existing entries stay as they are",
    )


def add_redrive_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "queue",
        nargs="?",
        choices=["event", "upload"],
        help="the queue to re-send to (default: both)",
    )
    parser.add_argument(
        "--list", action="store_true", help="list the messages and leave them in place"
    )


def add_suspend_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "who", metavar="WHO", help="a profile as DOMAIN/NAME, or the ARN of a role or user"
    )
    parser.add_argument("--because", metavar="TEXT", help="why; grantor status shows it")
    parser.add_argument(
        "--until", metavar="T", help="when it ends: 2027-03-31, or 2027-03-31T18:00Z"
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--undo", action="store_true", help="lift the suspension")
    group.add_argument(
        "--wait", action="store_true", help="wait until the last grant is gone; print the seconds"
    )


def add_end_sessions_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--because", metavar="TEXT", help="why; for the history and the alert")
    parser.add_argument("--undo", action="store_true", help="accept sessions of any age again")
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def add_leftovers_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--revoke", action="store_true", help="delete them all")


def add_completion_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "shell", choices=["bash", "zsh", "fish"], help="the shell that reads the script"
    )


def add_credentials_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "url",
        metavar="S3URL",
        help="what you want to reach: s3://BUCKET/FOLDER/, or s3://BUCKET/KEY for an object",
    )
    parser.add_argument(
        "--permission",
        choices=list_permissions(),
        default=str(Permission.READ),
        help="what you want to do with it (default: READ)",
    )
    parser.add_argument(
        "--format",
        choices=CREDENTIAL_FORMATS,
        default=PROCESS,
        help="process: JSON for credential_process (the default); env: exports for a shell; "
        "config: a profile for ~/.aws/config",
    )
    _add_credential_limits(parser)
    _add_caller_arguments(parser)


def _add_credential_limits(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--duration",
        type=int,
        metavar="SECONDS",
        help="how long the credentials live: 900 to 43200 (default: 3600)",
    )
    parser.add_argument(
        "--privilege",
        choices=["Default", "Minimal"],
        default="Default",
        help="Default: all that the closest grant covers; Minimal: what the URL names, no more",
    )


def _add_caller_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--account", metavar="ID", help="the account of the bucket (default: your own)"
    )
    parser.add_argument("--region", help="the Region of the bucket (default: AWS_REGION)")
    parser.add_argument(
        "--profile",
        help="the profile of ~/.aws/config that asks (default: AWS_PROFILE, but with --format "
        "process none: a tool that runs this has its own profile there)",
    )
    parser.add_argument("--name", help="name of the profile that --format config writes")
    parser.add_argument(
        "--policy",
        metavar="DIR",
        help="policy files, whose owners a refusal names as those to ask",
    )
