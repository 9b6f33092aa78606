"""The command line in a process of its own, as people start it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.estate import Estate

# Ctrl-C is heard even where these tests run in the background, of which a shell makes processes that do not.
HEARS = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"


@contextmanager
def grantor(estate: Estate, *words: str) -> Iterator[subprocess.Popen[str]]:
    """The command line in a process of its own."""
    command = [sys.executable, "-c", HEARS, ROOT / ".venv/bin/grantor", *words]
    pipe: Any = subprocess.PIPE
    process = subprocess.Popen(command, env=environment_of(estate), stdout=pipe, stderr=pipe, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def environment_of(estate: Estate) -> dict[str, str]:
    """What `python -m sandbox env` prints."""
    told = ["python3", "-m", "sandbox", "env", "--port", str(estate.sandbox.port), "--json"]
    return os.environ | json.loads(subprocess.run(told, cwd=ROOT, capture_output=True, check=True).stdout)


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stderr
    return process.stderr.readline()


def until(so: Callable[[], object], limit: float = 20) -> None:
    end = time.monotonic() + limit
    while not so():
        if time.monotonic() > end:
            pytest.fail(f"it was not so within {limit} s")
        time.sleep(0.05)
