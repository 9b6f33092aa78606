"""What every command works with: arguments, output, stack, AWS, and how Ctrl-C ends it."""

import os
import signal
import tomllib
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

from grantor.cli.commands import Command, find_command, name_policies
from grantor.cli.output import ERASE_LINE, Output

if TYPE_CHECKING:
    from grantor.aws.clients import Clients
    from grantor.aws.cloudformation import Caller
    from grantor.aws.services import Services, StackNames

INTERRUPTED = 130  # exit code after Ctrl-C (POSIX: 128 and the signal's number)
STOPPING = b"stopping after the changes that are in progress; Ctrl-C again stops at once\n"
SERVICE_OUTPUTS = {
    "data_bucket": "DataBucket",
    "policy_bucket": "PolicyBucket",
    "ledger_table": "Ledger",
    "event_queue": "EventQueue",
    "alert_topic": "AlertTopic",
    "guard_limits": "GuardLimits",
    "recreated_roles": "RecreatedRoles",
    "operations_bucket": "OperationsBucket",
}  # the field of StackNames, and the stack's output
QUEUE_OUTPUTS = {
    "policy_bucket": "PolicyBucket",
    "event_queue": "EventQueue",
    "event_dlq": "EventDLQ",
    "upload_queue": "UploadQueue",
    "upload_dlq": "UploadDLQ",
}


class CommandError(Exception):
    """The command cannot do what was asked (exit code 1).

    The text says what, why, and what to do instead.
    """

    exit_code = 1


class UsageError(CommandError):
    """Invalid usage (exit code 2)."""

    exit_code = 2


def explain_needs(command: Command) -> str:
    """Which managed policies of the stack a caller of the command needs.

    >>> explain_needs(Command("plan", "", "", "", policies=("Reader",)))
    "grantor plan needs the stack's managed policy Reader, whose ARN is among its outputs"
    """
    arns = "whose ARN is" if len(command.policies) == 1 else "whose ARNs are"
    return (
        f"grantor {command.name} needs {name_policies(command.policies)}, {arns} among its outputs"
    )


@contextmanager
def exit_on_interrupt() -> Iterator[None]:
    """End the process on Ctrl-C at once. Python alone would first wait for threads in AWS calls."""
    before = signal.getsignal(signal.SIGINT)
    if (
        before is signal.default_int_handler
    ):  # else the parent process ignores Ctrl-C, or handles it
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Interrupt:
    """Records Ctrl-C in `asked` while it is entered. A second Ctrl-C raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._record_signal)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _record_signal(self, _signal: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        # The signal may have interrupted the output itself.
        os.write(2, ERASE_LINE.encode() + STOPPING if os.isatty(2) else STOPPING)


@dataclass
class Session:
    """One call of the command line. `aws_session` defaults to a session of the environment."""

    arguments: Namespace
    output: Output
    aws_session: Any = None

    @cached_property
    def clients(self) -> "Clients":
        """AWS, with the caller's credentials. Raises CommandError if no Region is configured."""
        from grantor.aws.clients import Clients

        # botocore itself reads AWS_DEFAULT_REGION only.
        region = getattr(self.arguments, "region", None) or os.environ.get("AWS_REGION")
        clients = Clients(region or None, getattr(self.arguments, "profile", None))
        if self.aws_session is not None:
            clients.session = self.aws_session
        if not clients.region:
            raise CommandError(
                "no Region: set AWS_REGION, or region in your AWS profile, to the stack's Region"
            )
        return clients

    @cached_property
    def caller(self) -> "Caller":
        """The caller's account and ARN; costs one call."""
        from grantor.aws.cloudformation import read_caller

        return read_caller(self.clients.sts)

    @cached_property
    def stack(self) -> str:
        """The name of the stack."""
        return choose_stack(self.arguments.stack, Path())

    @cached_property
    def services(self) -> "Services":
        """The stack's services; costs two calls. Raises CommandError as read_stack_names does."""
        from grantor.aws.services import Services

        return Services(read_stack_names(self), self.clients)


def choose_stack(given: str | None, folder: Path) -> str:
    """Choose `given`, else GRANTOR_STACK, else what samconfig.toml says, else "grantor"."""
    if configured := given or os.environ.get("GRANTOR_STACK"):
        return configured
    return str(read_samconfig(folder / "samconfig.toml").get("stack_name", "grantor"))


def read_samconfig(path: Path) -> dict[str, Any]:
    """Read how SAM CLI deploys in its default environment; empty if there is no such file.

    Raises CommandError if the file cannot be read.
    """
    try:
        default = tomllib.loads(path.read_text()).get("default", {})
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CommandError(
            f"{path} cannot be read: {error}; name the stack with --stack"
        ) from error
    found: dict[str, Any] = {}
    for name in ("global", "deploy"):
        found |= default.get(name, {}).get("parameters", {})
    return found


def read_stack_names(session: Session) -> "StackNames":
    """Read the names of the stack's resources; costs two calls.

    Raises CommandError if there is no such stack, or if it is not a stack of Grantor.
    """
    from grantor.aws.services import StackNames

    outputs = _read_outputs(session, SERVICE_OUTPUTS)
    return StackNames(session.stack, session.caller.account, **outputs)


def read_queue_urls(session: Session) -> dict[str, str]:
    """Read the policy bucket and the queues' URLs. Cost and errors as read_stack_names."""
    return _read_outputs(session, QUEUE_OUTPUTS)


def _explain_place(session: Session) -> str:
    region, account = session.clients.region, session.caller.account
    return (
        f"{region} of account {account}: name another with --stack or GRANTOR_STACK, or check "
        "AWS_REGION and AWS_PROFILE"
    )


def _read_outputs(session: Session, wanted: Mapping[str, str]) -> dict[str, str]:
    from botocore.exceptions import ClientError

    from grantor.aws.cloudformation import StackNotFound, read_outputs

    stack = session.stack
    try:
        found = read_outputs(session.clients.cloudformation, stack)
    except StackNotFound as error:
        raise CommandError(f"stack {stack} does not exist in {_explain_place(session)}") from error
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("AccessDenied", "AccessDeniedException"):
            raise
        # IAM answers the same for a stack that does not exist and for one of others.
        command = find_command(session.arguments.command)
        raise CommandError(
            f"you may not cloudformation:DescribeStacks on stack {stack} in "
            f"{_explain_place(session)}; if these are right, {explain_needs(command)}"
        ) from error
    if missing := sorted(set(wanted.values()) - found.keys()):
        raise CommandError(
            f"stack {stack} has no output {missing[0]}: it is not a stack of Grantor, or an older "
            "version of it; deploy it again"
        )
    return {name: found[output] for name, output in wanted.items()}
