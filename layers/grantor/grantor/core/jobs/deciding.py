"""Whether new data starts its job now, by the state of the input and what is known of earlier runs.

a run goes on      SageMaker knows it as             the input is                what is to be done
yes                never heard of, claimed just now  (any)                       nothing yet: whoever has claimed it is about to start it
                   never heard of, claimed long ago  what that run is for        start it, under that very name
                                                     something else              start
                   going on                          what that run is for        nothing: it is running
                                                     something else              nothing until it ends
                   over                              (any)                       write down what came of it, then decide anew
                   over, from before the claim       (any)                       the name is taken: the next attempt
no                 (not asked)                       gone                        nothing
                                                     of the last completed run   nothing: it is done
                                                     of the last run, failed     the next attempt, if that can help; after three, no more
                                                     something else              start
no, and the last     (not asked)                     something else, put there   nothing until it has been left alone for a while
runs were overtaken                                  just now
"""

from dataclasses import dataclass
from enum import StrEnum

from grantor.core.jobs.standing import LIMIT, Cause, Standing, Status, Told

# Seconds in which whoever has claimed a name creates its job, or has died: the function's time limit and a margin.
CLAIM = 90.0
SKEW = 300.0  # seconds that SageMaker's clock and ours may differ


class Do(StrEnum):
    """What is to be done about an input."""

    START = "start"
    RUNNING = "already running"
    DONE = "already done"
    CLAIMED = "about to be started"
    WAIT = "wait until the other run ends"
    UNSETTLED = "wait until the input is left alone"
    SETTLE = "write down what came of the last run"
    FAILED = "failed, and another attempt would change nothing"
    GIVEN_UP = "given up"
    GONE = "the input is gone"


@dataclass(frozen=True)
class Wanted:
    """The run that the latest input stands for ("" if the input is gone), its version, and whether grants have changed since.

    `uploaded` is when that version was put there, in seconds since 1970.
    """

    run: str
    version: str = ""
    granted: bool = False
    uploaded: float = 0.0


@dataclass(frozen=True)
class Decision:
    """What to do; for a start, which attempt it is and how often in a row this run has failed before."""

    do: Do
    attempt: int = 0
    failures: int = 0


def decide(standing: Standing, wanted: Wanted, told: Told | None, now: float) -> Decision:
    """`told` is what SageMaker says of the run that goes on, None if it knows none of the name; `now` in seconds since 1970."""
    if standing.status is Status.IN_PROGRESS:
        return _going_on(standing, wanted, told, now)
    if not wanted.run:
        return Decision(Do.GONE)
    if wanted.run == standing.done:
        return Decision(Do.DONE)
    return _again(standing, wanted, now) if wanted.run == standing.run else _first(standing, wanted, now)


def _going_on(standing: Standing, wanted: Wanted, told: Told | None, now: float) -> Decision:
    same = wanted.run == standing.run
    if told is None:
        return _unheard_of(standing, wanted, same, now)
    if not told.status.over:
        return Decision(Do.RUNNING if same else Do.WAIT)
    if told.created < standing.at - SKEW:
        return _first(standing, wanted, now) if wanted.run else Decision(Do.GONE)
    return Decision(Do.SETTLE)


def _unheard_of(standing: Standing, wanted: Wanted, same: bool, now: float) -> Decision:
    if now < standing.at + CLAIM:
        return Decision(Do.CLAIMED)
    if same:
        return Decision(Do.START, standing.attempt, standing.failures)
    return _first(standing, wanted, now) if wanted.run else Decision(Do.GONE)


def _again(standing: Standing, wanted: Wanted, now: float) -> Decision:
    if wanted.version != standing.version:  # somebody has put it there again, who wants another try
        return _first(standing, wanted, now)
    if standing.failures >= LIMIT:
        return Decision(Do.GIVEN_UP)
    if standing.cause.again or (wanted.granted and standing.cause is Cause.ACCESS):
        return Decision(Do.START, standing.attempt + 1, standing.failures)
    return Decision(Do.FAILED)


def _first(standing: Standing, wanted: Wanted, now: float) -> Decision:
    # A machine that starts while uploads still follow each other is paid for in vain.
    if now < wanted.uploaded + standing.quiet:
        return Decision(Do.UNSETTLED)
    return Decision(Do.START, standing.tried.get(wanted.run, 0) + 1)
