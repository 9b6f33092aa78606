"""`make test-crash`: every change with a kill after every call of its run, and again with the next
run killed there, too.

Exits with 1 if an invariant did not hold. Arguments select changes by a part of their name.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.process import Server
from tests.conftest import Sandbox, free_port
from tests.crash.changes import CHANGES, Change
from tests.crash.forked_runs import ForkedRuns, start_fork_server
from tests.crash.killed_runs import KilledRuns
from tests.grantor_setup import GrantorSetup, set_up_grantor


@dataclass
class ChangeResult:
    """The result of one change."""

    change: str
    calls: int = 0
    kills: int = 0
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        result = f"{len(self.violations)} WRONG" if self.violations else "all well"
        return f"{self.change:<62}{self.calls:>6}{self.kills:>7}  {result}"


def main(chosen: list[str]) -> int:
    begun = time.monotonic()
    server = Server(free_port())
    server.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            sandbox = Sandbox.find(server.port, server.log)
            rows = list(_test_changes(sandbox, Path(folder), chosen))
    finally:
        server.stop()
    print(f"\n{sum(row.kills for row in rows)} kills in {time.monotonic() - begun:.0f} s")
    return 1 if any(row.violations for row in rows) else 0


def _test_changes(sandbox: Sandbox, folder: Path, chosen: list[str]) -> Iterator[ChangeResult]:
    print(f"{'change':<62}{'calls':>6}{'kills':>7}")
    with start_fork_server(set_up_grantor(sandbox, folder), folder / "runs.log") as runs:
        for change in CHANGES:
            if not chosen or any(part in change.__name__ for part in chosen):
                row = _test_change(set_up_grantor(sandbox, folder), change, runs)
                print(row, *row.violations, sep="\n    ", flush=True)
                yield row


def _test_change(
    setup: GrantorSetup, change: Callable[[GrantorSetup], Change], runs: ForkedRuns
) -> ChangeResult:
    kills = KilledRuns(setup, change(setup), runs)
    row = ChangeResult(
        change.__name__.replace("_", " "),
        len(kills.calls),
        violations=[f"not killed: {what}" for what in kills.violations_without_kill],
    )
    for number, call in enumerate(kills.calls, 1):
        for times, how in ((1, "killed"), (2, "killed twice")):
            row.violations += [
                f"{how} after call {number}, {call}: {what}"
                for what in kills.find_violations(*[number] * times)
            ]
    row.kills = kills.kill_count
    return row


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
