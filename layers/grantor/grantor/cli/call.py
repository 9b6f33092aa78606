"""What a verb is given: what was asked, where to answer, and the world of the stack, found when it is first needed."""

import os
from argparse import Namespace
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grantor.cli.show import Show
from grantor.cli.trouble import Trouble

if TYPE_CHECKING:
    from grantor.aws.caller import Caller
    from grantor.aws.clients import Clients
    from grantor.world import World


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
        from grantor.aws.caller import caller

        return caller(self.clients.sts)

    @cached_property
    def stack(self) -> str:
        """The stack's name."""
        from grantor.cli.stack import stack_name

        return stack_name(self.asked.stack, Path())

    @cached_property
    def world(self) -> "World":
        """The stack's world; costs two calls. Trouble if there is no such stack."""
        from grantor.cli.stack import names
        from grantor.world import World

        return World(names(self.clients, self.stack, self.caller.account), self.clients)
