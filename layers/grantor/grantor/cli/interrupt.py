"""Ctrl-C. What only reads ends there and then; of what changes something the few changes under way are finished, and no other is begun."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

CODE = 130  # that a command line ends with when it is interrupted (POSIX: 128 and the signal's number)
SAID = b"stopping after the changes that are under way; Ctrl-C again stops at once\n"


@contextmanager
def at_once() -> Iterator[None]:
    """Within it Ctrl-C ends the process, also while its threads wait for answers: Python itself would wait for these."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else whoever started it does not want it to hear Ctrl-C
        signal.signal(signal.SIGINT, lambda *_: os._exit(CODE))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Interrupt:
    """From where it is entered: whether somebody has pressed Ctrl-C. A second time interrupts at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _hear(self, _signal: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        os.write(2, SAID)  # print may be under way itself
