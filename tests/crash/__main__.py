"""`make test-crash`: every change with a kill after every call of its run, and again with the next
run killed there, too.

Ends with 1 if anything did not hold. Arguments choose changes, by a part of their name.
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
from tests.crash.kills import Kills
from tests.crash.runs import Runs, warm
from tests.estate import Estate, lay


@dataclass
class Row:
    """What came of one change."""

    change: str
    calls: int = 0
    kills: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        result = f"{len(self.wrong)} WRONG" if self.wrong else "all well"
        return f"{self.change:<62}{self.calls:>6}{self.kills:>7}  {result}"


def main(chosen: list[str]) -> int:
    begun = time.monotonic()
    server = Server(free_port())
    server.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            rows = list(_rows(Sandbox(server.port, server.log), Path(folder), chosen))
    finally:
        server.stop()
    print(f"\n{sum(row.kills for row in rows)} kills in {time.monotonic() - begun:.0f} s")
    return 1 if any(row.wrong for row in rows) else 0


def _rows(sandbox: Sandbox, folder: Path, chosen: list[str]) -> Iterator[Row]:
    print(f"{'change':<62}{'calls':>6}{'kills':>7}")
    with warm(lay(sandbox, folder), folder / "runs.log") as runs:
        for change in CHANGES:
            if not chosen or any(part in change.__name__ for part in chosen):
                row = _row(lay(sandbox, folder), change, runs)
                print(row, *row.wrong, sep="\n    ", flush=True)
                yield row


def _row(estate: Estate, change: Callable[[Estate], Change], runs: Runs) -> Row:
    kills = Kills(estate, change(estate), runs)
    row = Row(
        change.__name__.replace("_", " "),
        len(kills.calls),
        wrong=[f"not killed: {what}" for what in kills.undisturbed],
    )
    for number, call in enumerate(kills.calls, 1):
        for times, how in ((1, "killed"), (2, "killed twice")):
            row.wrong += [
                f"{how} after call {number}, {call}: {what}"
                for what in kills.broken(*[number] * times)
            ]
    row.kills = kills.killed
    return row


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
