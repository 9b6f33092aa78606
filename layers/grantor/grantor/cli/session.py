"""What a verb raises when it can not do what was asked: what, why, and what to do instead, for a person."""

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

from grantor.cli.output import Show

if TYPE_CHECKING:
    from grantor.aws.clients import Clients
    from grantor.aws.cloudformation import Caller
    from grantor.aws.services import Names, World


class Trouble(Exception):
    """The verb can not do it; its text says why."""

    code = 1  # that the command line ends with


class Misused(Trouble):
    """What was asked makes no sense."""

    code = 2


INTERRUPTED = 130  # that a command line ends with when it is interrupted (POSIX: 128 and the signal's number)
SAID = b"stopping after the changes that are under way; Ctrl-C again stops at once\n"


@contextmanager
def ends_at_once() -> Iterator[None]:
    """Within it Ctrl-C ends the process, also while its threads wait for answers: Python itself would wait for these."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else whoever started it does not want it to hear Ctrl-C
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Interrupt:
    """From where it is entered: whether somebody has pressed Ctrl-C. A second time interrupts at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _hear(self, _signal: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        os.write(2, SAID)  # print may be under way itself


OUTPUTS = {
    "data_bucket": "DataBucket",
    "policy_bucket": "PolicyBucket",
    "ledger": "Ledger",
    "bells": "Bells",
    "notices": "Notices",
}
QUEUES = {
    "policy_bucket": "PolicyBucket",
    "bells": "Bells",
    "dead_bells": "DeadBells",
    "uploads": "Uploads",
    "dead_uploads": "DeadUploads",
}


def stack_name(asked: str | None, folder: Path) -> str:
    """The stack that is asked for, else that of GRANTOR_STACK, of the folder's samconfig.toml, or "grantor"."""
    return asked or os.environ.get("GRANTOR_STACK") or _deployed(folder / "samconfig.toml") or "grantor"


def names(clients: "Clients", stack: str, account: str) -> "Names":
    """What the stack's things are called; one call. Trouble if there is no such stack, or it is not Grantor's."""
    from grantor.aws.services import Names

    return Names(stack, account, **_told(clients, stack, account, OUTPUTS))


def queues(clients: "Clients", stack: str, account: str) -> dict[str, str]:
    """The URLs of its queues and of those for their dead letters, and the policy bucket; call and Trouble as in names."""
    return _told(clients, stack, account, QUEUES)


def _told(clients: "Clients", stack: str, account: str, wanted: Mapping[str, str]) -> dict[str, str]:
    from grantor.aws.cloudformation import NoStack, outputs

    try:
        told = outputs(clients.cloudformation, stack)
    except NoStack as nothing:
        region = clients.session.region_name
        raise Trouble(
            f"there is no stack {stack} in {region} of account {account}: name another with --stack or GRANTOR_STACK, "
            "or look at AWS_REGION and AWS_PROFILE"
        ) from nothing
    if missing := sorted(set(wanted.values()) - told.keys()):
        raise Trouble(f"stack {stack} has no output {missing[0]}: it is not Grantor's, or an older one; deploy it again")
    return {name: told[output] for name, output in wanted.items()}


def _deployed(config: Path) -> str | None:
    """The stack's name as SAM CLI reads it, for its default environment."""
    try:
        default = tomllib.loads(config.read_text()).get("default", {})
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as wrong:
        raise Trouble(f"{config} can not be read: {wrong}; name the stack with --stack") from wrong
    sections = (default.get(command, {}).get("parameters", {}) for command in ("deploy", "global"))
    return next((str(section["stack_name"]) for section in sections if "stack_name" in section), None)


@dataclass
class Call:
    """One call of the command line. `session` is boto3's, that of the environment unless told."""

    asked: Namespace
    show: Show
    session: Any = None

    @cached_property
    def clients(self) -> "Clients":
        """AWS, as the caller may use it. Trouble if nobody says in which Region."""
        from grantor.aws.clients import Clients

        clients = Clients(os.environ.get("AWS_REGION") or None)  # boto3 itself knows AWS_DEFAULT_REGION only
        if self.session is not None:
            clients.session = self.session
        if not clients.session.region_name:
            raise Trouble("no Region: set AWS_REGION, or region in your AWS profile, to that of the stack")
        return clients

    @cached_property
    def caller(self) -> "Caller":
        """Who calls; costs a call."""
        from grantor.aws.cloudformation import caller

        return caller(self.clients.sts)

    @cached_property
    def stack(self) -> str:
        """The stack's name."""

        return stack_name(self.asked.stack, Path())

    @cached_property
    def world(self) -> "World":
        """The stack's world; costs two calls. Trouble if there is no such stack."""
        from grantor.aws.services import World

        return World(names(self.clients, self.stack, self.caller.account), self.clients)
