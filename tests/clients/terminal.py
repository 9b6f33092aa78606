"""A person at a terminal, who answers what a command asks."""

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 240  # seconds for a command that takes half a minute where all is well
QUESTION = re.compile(r"(?P<name>[^\n\r]+) \[(?P<default>[^\[\]]*)\]: ?$")
COLOUR = re.compile(r"\x1b\[\d*m")


@dataclass(frozen=True)
class Talk:
    """What a command asked, each question with its default, what it printed in all, and how it ended."""

    asked: tuple[tuple[str, str], ...]
    printed: str
    status: int


def talk(command: list[str | Path], answers: Mapping[str, str], where: Path, environment: Mapping[str, str]) -> Talk:
    """Run a command at a terminal and answer each of its questions from `answers`, by its name, and else with Enter alone."""
    ours, its = pty.openpty()
    process = subprocess.Popen(command, cwd=where, env=environment, stdin=its, stdout=its, stderr=its, start_new_session=True)
    os.close(its)
    asked: list[tuple[str, str]] = []
    printed, heard, end = "", 0, time.monotonic() + PATIENCE
    try:
        while (said := _more(ours, end)) and time.monotonic() < end:
            printed += said
            if question := QUESTION.search(COLOUR.sub("", printed[heard:])):
                asked.append((question["name"].strip(), question["default"]))
                heard = len(printed)
                os.write(ours, answers.get(asked[-1][0], "").encode() + b"\n")
        return Talk(tuple(asked), COLOUR.sub("", printed), process.wait(max(1, end - time.monotonic())))
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _more(terminal: int, end: float) -> str:
    """What was printed next; nothing when the command has ended, or time is up."""
    ready, _, _ = select.select([terminal], [], [], max(0, end - time.monotonic()))
    try:
        return os.read(terminal, 65536).decode(errors="replace") if ready else ""
    except OSError:  # how a terminal says that nobody holds its other end any more (EIO)
        return ""
