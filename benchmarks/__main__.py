"""`make bench`: every figure, printed and written to build/bench and docs/performance.md.

Exits with 1 if a bound does not hold.

python -m benchmarks calls event_burst    some of the parts, not written to docs/performance.md
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks import calls, event_burst, planner, questions
from benchmarks import performance_page as page
from benchmarks.built_function import (
    MEMORY_MB,
    FunctionHost,
    format_sweeps,
    measure_cold_start,
    measure_sweep,
)
from benchmarks.performance_page import BenchmarkSection
from harness.deployment import Deployment, deploy_stack
from harness.event_to_grant import measure_event_to_grant
from harness.figures import write_figures
from harness.session import open_session
from tests.conftest import Sandbox
from tests.grantor_setup import ARTICLE_POLICY, GrantorSetup, set_up_grantor

ONE_CORE_MB = 1769  # a function has one core from there on (AWS, "Configure function memory")
ESTATE_PROFILES = (1, 10, 100, 1000)  # each has a hundred grants
EVENT_SAMPLES = 15


def main(chosen: list[str]) -> int:
    """Run the chosen parts, or all; 0 if every bound holds, else 1."""
    begun, sections = time.monotonic(), []
    for name in chosen or PARTS:
        for section in PARTS[name]():
            path = write_figures(section.name, section.figures)
            print(f"\n== {section.title}\n\n{section}\n\nwritten to {path}", flush=True)
            sections.append(section)
    if not chosen:
        page.write_page(sections, time.monotonic() - begun)
    return _report_broken(sections)


def _report_broken(sections: list[BenchmarkSection]) -> int:
    broken = [it for section in sections for it in section.figures if not it.holds]
    for figure in broken:
        shown = f"{figure.what}: {figure.figure:.2f} {figure.unit}, at most {figure.bound:g}"
        print(f"does not hold: {shown}", file=sys.stderr)
    return 1 if broken else 0


def run_planner() -> Iterator[BenchmarkSection]:
    """Planning and reading policy files, in memory."""
    yield BenchmarkSection("planner", "Planning", page.PLANNER, planner.measure_tasks())


def run_questions() -> Iterator[BenchmarkSection]:
    """Questions about access, in memory and as commands."""
    figures = questions.measure_questions()
    yield BenchmarkSection("questions", "Questions", page.QUESTIONS, figures)


def run_calls() -> Iterator[BenchmarkSection]:
    """Calls by kind of run, and sweeps, in setups of several sizes."""
    with _open_setups() as set_up:
        tallies, sweeps = [], []
        for profiles in ESTATE_PROFILES:
            host = set_up(())
            tallies.append(calls.count_calls(host.setup, profiles))
            sweeps += [measure_sweep(host)] if profiles > 1 else []
    tally = calls.merge_tallies(tallies)
    yield BenchmarkSection("calls", "Calls", page.CALLS, tally.figures(), str(tally))
    figures = [figure for sweep in sweeps for figure in sweep.figures]
    seconds = round(sweeps[-1].cpu_seconds * ONE_CORE_MB / MEMORY_MB)
    text, table = page.SWEEP.format(seconds=seconds), format_sweeps(sweeps)
    yield BenchmarkSection("sweep", "A sweep", text, figures, table)


def run_cold_start() -> Iterator[BenchmarkSection]:
    """Cold starts of the built function."""
    with _open_setups() as set_up:
        host = set_up(("userA", "userB"))
        host.setup.put_policy("article", ARTICLE_POLICY)
        host.setup.reconcile()
        figures = measure_cold_start(host)
    yield BenchmarkSection("cold_start", "A cold start", page.COLD_START, figures)


def run_event_to_grant() -> Iterator[BenchmarkSection]:
    """From an event to its grant, in the deployed stack."""
    # Every event but the first takes a grant away, more than the guard lets pass by default.
    with _open_deployment({"GuardDeletes": str(4 * EVENT_SAMPLES)}) as deployment:
        figures = measure_event_to_grant(deployment, EVENT_SAMPLES)
    title = "From an event to its grant"
    yield BenchmarkSection("event_to_grant", title, page.EVENT_TO_GRANT, figures)


def run_event_burst() -> Iterator[BenchmarkSection]:
    """Ten thousand events, in the deployed stack."""
    # Every profile gets two grants by one file, more than the guard lets pass by default.
    with _open_deployment({"GuardNewGrants": str(4 * event_burst.PROFILES)}) as deployment:
        figures = event_burst.measure_event_burst(deployment)
    yield BenchmarkSection("event_burst", "Ten thousand events", page.EVENT_BURST, figures)


PARTS: dict[str, Callable[[], Iterator[BenchmarkSection]]] = {
    "calls": run_calls,
    "planner": run_planner,
    "questions": run_questions,
    "cold_start": run_cold_start,
    "event_to_grant": run_event_to_grant,
    "event_burst": run_event_burst,
}


@contextmanager
def _open_setups() -> Iterator[Callable[[tuple[str, ...]], FunctionHost]]:
    """Yield a function that sets up Grantor with these profiles, in place of the last setup."""
    with open_session() as session, tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def set_up(profiles: tuple[str, ...]) -> FunctionHost:
            setup: GrantorSetup = set_up_grantor(
                Sandbox.find(session.port, folder), folder, profiles
            )
            return FunctionHost(setup, session.environment, folder)

        yield set_up


@contextmanager
def _open_deployment(parameters: Mapping[str, str] | None = None) -> Iterator[Deployment]:
    """The stack, as `sam deploy` leaves it, with the article's policy file."""
    with open_session() as session:
        deployment = deploy_stack(session, parameters=parameters)
        deployment.put_article_policy()
        yield deployment


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
