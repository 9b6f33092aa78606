"""A command at a terminal, whose questions are answered."""

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_SECONDS = 240  # for a command that usually takes half a minute
QUESTION = re.compile(r"(?P<name>[^\n\r]+) \[(?P<default>[^\[\]]*)\]: ?$")
COLOUR = re.compile(r"\x1b\[\d*m")


@dataclass(frozen=True)
class Dialogue:
    """The questions of a command with their defaults, everything that it printed, and its exit
    code.
    """

    asked: tuple[tuple[str, str], ...]
    printed: str
    status: int


def hold_dialogue(
    command: list[str | Path],
    answers: Mapping[str, str],
    where: Path,
    environment: Mapping[str, str],
) -> Dialogue:
    """Run a command at a terminal; answer its questions from `answers`, by name, else with Enter."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        command,
        cwd=where,
        env=environment,
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    asked: list[tuple[str, str]] = []
    printed, heard, end = "", 0, time.monotonic() + TIMEOUT_SECONDS
    try:
        while (said := _read_output(ours, end)) and time.monotonic() < end:
            printed += said
            if question := QUESTION.search(COLOUR.sub("", printed[heard:])):
                asked.append((question["name"].strip(), question["default"]))
                heard = len(printed)
                os.write(ours, answers.get(asked[-1][0], "").encode() + b"\n")
        return Dialogue(
            tuple(asked), COLOUR.sub("", printed), process.wait(max(1, end - time.monotonic()))
        )
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read_output(terminal: int, end: float) -> str:
    """Read what is printed next; an empty text once the command has ended or time is up."""
    ready, _, _ = select.select([terminal], [], [], max(0, end - time.monotonic()))
    try:
        return os.read(terminal, 65536).decode(errors="replace") if ready else ""
    except OSError:  # EIO: the other end of the terminal is closed
        return ""
