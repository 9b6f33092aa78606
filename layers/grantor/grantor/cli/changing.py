"""Waiting for a run that is going on: it lasts seconds, and its lease ends a minute after it has died."""

import time
from collections.abc import Callable

from botocore.exceptions import ClientError

from grantor.aws.clients import NotYet, code, message
from grantor.aws.lease import Standing
from grantor.aws.services import World
from grantor.cli import output
from grantor.cli.output import Progress, aside
from grantor.cli.session import Call
from grantor.reconcile.notify import publish
from grantor.reconcile.report import Report

EVERY = 0.5  # seconds between two looks


def until(world: World, done: Callable[[Standing], bool]) -> Standing:
    """How the lease stands when it is as wanted."""
    with Progress("waiting for the run that is going on"):
        while not done(standing := world.leases.standing(world.clock())):
            time.sleep(EVERY)
    return standing


def until_free(world: World) -> Standing:
    """How the lease stands when nobody holds it."""
    return until(world, lambda standing: not standing.holder)


def told(call: Call, report: Report) -> None:
    """Print the sentences of the report, and publish it. It is not undone by its report: what can't be published is said."""
    call.show.lines(output.lines(vars(report)))
    try:
        publish(call.world, report)
    except ClientError as error:
        aside(f"grantor {call.asked.verb}: it is done, but was not told of everywhere: {code(error)}: {message(error)}")
    except NotYet as reason:
        aside(f"grantor {call.asked.verb}: it is done, but was not told of everywhere: {reason}")
