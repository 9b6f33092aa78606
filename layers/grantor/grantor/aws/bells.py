"""Bells that wait: what is to be looked at, each with the earliest time (seconds since 1970) at which it rang, or None."""

from collections.abc import Iterable, Mapping

from grantor.core.focus import EVERYTHING

MOST = 200  # subjects; more of them become one bell for everything
SIZE = 40_000  # characters of them all: what waits and what is being answered stand in one item of 400 KB
Bells = Mapping[str, float | None]


def merged(*several: Bells) -> dict[str, float | None]:
    """All the bells, each with its earliest time; one bell for everything where they are too many.

    >>> merged({"profile D/a": 5.0, "everything": None}, {"profile D/a": 4.0, "everything": 9.0})
    {'profile D/a': 4.0, 'everything': 9.0}
    """
    found: dict[str, float | None] = {}
    for bells in several:
        for about, at in bells.items():
            found[about] = _earliest([found.get(about), at])
    if len(found) > MOST or sum(map(len, found)) > SIZE:
        return {EVERYTHING: _earliest(found.values())}
    return found


def _earliest(times: Iterable[float | None]) -> float | None:
    return min((time for time in times if time is not None), default=None)
