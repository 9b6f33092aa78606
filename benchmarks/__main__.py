"""`make bench`: every figure, printed and written to build/bench and docs/performance.md; ends with 1 if a bound does not hold.

python -m benchmarks calls load    some of the parts, printed and written to build/bench
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import calls, cold_start, event_to_grant, load, page, planner, sweep, words
from benchmarks.built import MEMORY, Place
from benchmarks.figures import write
from benchmarks.page import Section
from demo.__main__ import free_port
from demo.article import drop_policy
from demo.cast import Cast
from demo.desk import Desk
from demo.stack import deploy
from tests.conftest import Sandbox
from tests.estate import ARTICLE, Estate, lay

WHOLE_CORE = 1769  # MB at which a function has one core (AWS, "Configure Lambda function memory")
SIZES = (1, 10, 100, 1000)  # profiles, each with a hundred grants


def main(chosen: list[str]) -> int:
    begun, sections = time.monotonic(), []
    for name in chosen or PARTS:
        for section in PARTS[name]():
            path = write(section.name, section.figures)
            print(f"\n== {section.title}\n\n{section}\n\nwritten to {path}", flush=True)
            sections.append(section)
    if not chosen:
        page.write(sections, time.monotonic() - begun)
    broken = [figure for section in sections for figure in section.figures if not figure.holds]
    for figure in broken:
        print(f"does not hold: {figure.what}: {figure.figure:.2f} {figure.unit}, at most {figure.bound:g}", file=sys.stderr)
    return 1 if broken else 0


def of_planner() -> Iterator[Section]:
    yield Section("planner", "Deciding", words.PLANNER, planner.measure())


def of_calls() -> Iterator[Section]:
    with _estates() as new:
        tallies, sweeps = [], []
        for profiles in SIZES:
            place = new(())
            tallies.append(calls.count(place.estate, profiles))
            sweeps += [sweep.measure(place)] if profiles > 1 else []
    tally = calls.together(tallies)
    yield Section("calls", "Calls", words.CALLS, tally.figures(), str(tally))
    figures = [figure for one in sweeps for figure in one.figures]
    said = words.SWEEP.format(seconds=round(sweeps[-1].core * WHOLE_CORE / MEMORY))
    yield Section("sweep", "A sweep", said, figures, sweep.table(sweeps))


def of_cold_start() -> Iterator[Section]:
    with _estates() as new:
        place = new(("userA", "userB"))
        place.estate.policy("article", ARTICLE)
        place.estate.run()
        yield Section("cold_start", "A cold start", words.COLD_START, cold_start.measure(place))


def of_event_to_grant() -> Iterator[Section]:
    with _deployed() as cast:
        figures = event_to_grant.measure(cast.desk.client, cast.outputs, samples=15)
        yield Section("event_to_grant", "From an event to its grant", words.EVENT_TO_GRANT, figures)


def of_load() -> Iterator[Section]:
    with _deployed() as cast:
        yield Section("load", "Ten thousand bells", words.LOAD, load.measure(cast))


PARTS: dict[str, Callable[[], Iterator[Section]]] = {
    "calls": of_calls, "planner": of_planner, "cold_start": of_cold_start, "event_to_grant": of_event_to_grant, "load": of_load,
}  # fmt: skip


@contextmanager
def _estates() -> Iterator[Callable[[tuple[str, ...]], Place]]:
    """Lays out estates on a desk of their own, one in the place of the other, with these profiles."""
    with _desk() as desk, tempfile.TemporaryDirectory() as folder:

        def new(profiles: tuple[str, ...]) -> Place:
            estate: Estate = lay(Sandbox(desk.port, Path(folder)), Path(folder), profiles)
            return Place(estate, desk.environment, Path(folder))

        yield new


@contextmanager
def _deployed() -> Iterator[Cast]:
    """The stack, as `sam deploy` leaves it, and the article's policy file."""
    with _desk() as desk:
        cast = deploy(desk, None)
        drop_policy(cast)
        yield cast


@contextmanager
def _desk() -> Iterator[Desk]:
    desk = Desk.up(free_port())
    try:
        yield desk
    finally:
        desk.down()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
