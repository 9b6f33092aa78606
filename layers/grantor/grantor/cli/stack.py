"""Which stack is meant, and what its things are called: CloudFormation knows both."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from grantor.aws.stacks import NoStack, outputs
from grantor.cli.trouble import Trouble
from grantor.world import Names

if TYPE_CHECKING:
    from grantor.aws.clients import Clients

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


def names(clients: "Clients", stack: str, account: str) -> Names:
    """What the stack's things are called; one call. Trouble if there is no such stack, or it is not Grantor's."""
    return Names(stack, account, **_told(clients, stack, account, OUTPUTS))


def queues(clients: "Clients", stack: str, account: str) -> dict[str, str]:
    """The URLs of its queues and of those for their dead letters, and the policy bucket; call and Trouble as in names."""
    return _told(clients, stack, account, QUEUES)


def _told(clients: "Clients", stack: str, account: str, wanted: Mapping[str, str]) -> dict[str, str]:
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
