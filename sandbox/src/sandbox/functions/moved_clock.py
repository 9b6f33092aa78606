"""A clock that a test moves on: what functions read as the time, without waiting for it.

Run as a script in a function's interpreter, it stands in front of Lambda's runtime client:
`time.time()` is then ahead by the seconds in the file, also of a process that runs already. Clients
sign with `datetime`, which stays as it is.
"""

import mmap
import runpy
import struct
import sys
import time
from pathlib import Path

SECONDS = struct.Struct("d")


def read_moved_seconds(file: Path | None) -> float:
    """Return by how many seconds the clock was moved on; 0 if it never was."""
    if file is None or not file.exists():
        return 0.0
    return float(SECONDS.unpack(file.read_bytes())[0])


def move_clock(file: Path, seconds: float) -> float:
    """Move the clock on by so many seconds; return the sum of all moves."""
    moved = read_moved_seconds(file) + seconds
    file.parent.mkdir(parents=True, exist_ok=True)
    # Written in place, because processes have mapped the file.
    with file.open("r+b" if file.exists() else "wb") as opened:
        opened.write(SECONDS.pack(moved))
    return moved


def main() -> None:
    """Run Lambda's runtime client with the clock of the file that is named first."""
    with Path(sys.argv.pop(1)).open("rb") as file:
        shared = mmap.mmap(file.fileno(), SECONDS.size, access=mmap.ACCESS_READ)
    real = time.time

    def moved_time() -> float:
        return real() + float(SECONDS.unpack_from(shared)[0])

    time.time = moved_time
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
