"""A lease that is held as long as somebody works under it: renewed in the background, noticed when it has passed to another run."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from grantor.aws.errors import NotYet, Overtaken
from grantor.aws.lease import Lease, Leases

SECONDS = 60.0  # of a lease: a run that dies is followed by the next one after this time at the latest
EVERY = 15.0  # seconds between two renewals


@contextmanager
def held(leases: Leases, lease: Lease, clock: Callable[[], float]) -> Iterator[Callable[[], bool]]:
    """Gives the question whether the lease is still ours. A process that stands still renews nothing, and is overtaken."""
    over = threading.Event()
    lost = threading.Event()

    def renew() -> None:
        while not over.wait(EVERY):
            try:
                with suppress(NotYet):  # the next turn comes before the lease ends
                    leases.renew(lease, clock(), SECONDS)
            except Overtaken:
                lost.set()
                return

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield lambda: not lost.is_set()
    finally:
        over.set()
        thread.join()
