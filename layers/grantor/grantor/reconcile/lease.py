"""A lease that is held as long as somebody works under it: renewed in the background, noticed when it has passed to another run."""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from grantor.aws.clients import NotYet, Overtaken
from grantor.aws.lease import Lease, Leases
from grantor.aws.services import World
from grantor.core.snapshot import EVERYTHING

SECONDS = 60.0  # of a lease: a run that dies is followed by the next one after this time at the latest
EVERY = 15.0  # seconds between two renewals


class Busy(RuntimeError):
    """Another run holds the lease."""


def holder(name: str) -> str:
    """Whoever works under a lease, by a name that people know and nobody else has."""
    return f"{name} {uuid.uuid4().hex[:12]}"


@contextmanager
def alone(world: World, name: str) -> Iterator[Lease]:
    """A lease for work on the ledger that is no run; Busy while a run is going on.

    A run over everything is rung for afterwards: it answers what rang meanwhile, and puts right what the work has left to it.
    """
    lease = world.leases.ring(holder(name), {}, world.clock(), SECONDS)
    if lease is None:
        raise Busy("a run is going on")
    try:
        with held(world.leases, lease, world.clock):
            yield lease
    finally:
        world.leases.abandon(lease)
        world.queue.ring([EVERYTHING])


@contextmanager
def held(
    leases: Leases, lease: Lease, clock: Callable[[], float], seconds: float = SECONDS, every: float = EVERY
) -> Iterator[Callable[[], bool]]:
    """Gives the question whether the lease is still ours. A process that stands still renews nothing, and is overtaken.

    When it goes on, the clock tells it so before anything else does. The lease lasts so many seconds from each renewal, `every` so many.
    """
    over = threading.Event()
    lost = threading.Event()
    ends = lease.expires

    def renew() -> None:
        nonlocal ends
        while not over.wait(every):
            try:
                with suppress(NotYet):  # the next turn comes before the lease ends
                    ends = leases.renew(lease, clock(), seconds).expires
            except Overtaken:
                lost.set()
                return

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield lambda: not lost.is_set() and clock() < ends
    finally:
        over.set()
        thread.join()
