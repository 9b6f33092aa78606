"""A cold start of the built ReconcileGrants, beside that of a function that only makes a boto3 client for S3 Control.

Both as `sam build` leaves them, in turn, on the same machine. Init runs from the start of the process to the runtime's first
/next, as Lambda counts it. The first invocation stands there too, so that a cost which was moved is a cost which is seen.
"""

import statistics
from collections.abc import Callable

from benchmarks.built import Place, Told, batch, clock, invoke
from benchmarks.figures import Figure

SAMPLES = 21
INIT = 1.25  # what the product's own imports may add to what boto3 costs anyway


def measure(place: Place) -> list[Figure]:
    """Medians over SAMPLES cold starts of each, and their ratios; the estate has its grants, so the first run changes nothing."""
    ours: list[Told] = []
    floors: list[Told] = []
    for _ in range(SAMPLES):
        with place.reconcile_grants() as environment:
            ours.append(invoke(environment, batch(clock())))
        with place.floor() as environment:
            floors.append(invoke(environment, {}))
    return [
        *_beside("cold start: init", ours, floors, lambda told: told.init, INIT),
        *_beside("cold start: init and first invocation", ours, floors, lambda told: told.init + told.duration, None),
    ]


def _beside(what: str, ours: list[Told], floors: list[Told], of: Callable[[Told], float], bound: float | None) -> list[Figure]:
    one, other = (statistics.median(map(of, told)) for told in (ours, floors))
    return [
        Figure(f"{what}, Grantor, median", one, "ms"),
        Figure(f"{what}, only a client for S3 Control, median", other, "ms"),
        Figure(f"{what}, Grantor / only a client", one / other, "x", bound),
    ]
