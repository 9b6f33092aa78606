"""Waiting for a run that is going on: it lasts seconds, and its lease ends a minute after it has died."""

import time
from collections.abc import Callable

from grantor.aws.lease import Standing
from grantor.cli.show import Progress
from grantor.world import World

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
