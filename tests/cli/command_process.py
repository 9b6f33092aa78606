"""Run the command line in a process of its own."""

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
from tests.grantor_setup import GrantorSetup

# A shell starts background processes with SIGINT ignored; this restores its default handling.
RESTORE_SIGINT = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"


@contextmanager
def start_grantor(setup: GrantorSetup, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run `grantor WORDS` in a process of its own."""
    command = [sys.executable, "-c", RESTORE_SIGINT, ROOT / ".venv/bin/grantor", *words]
    pipe: Any = subprocess.PIPE
    process = subprocess.Popen(
        command, env=read_environment(setup), stdout=pipe, stderr=pipe, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_environment(setup: GrantorSetup) -> dict[str, str]:
    """Return the environment with what `python -m sandbox env` prints."""
    command = [sys.executable, "-m", "sandbox", "env", "--port", str(setup.sandbox.port), "--json"]
    return os.environ | json.loads(
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    )


def read_error_line(process: subprocess.Popen[str]) -> str:
    assert process.stderr
    return process.stderr.readline()


def wait_until(so: Callable[[], object], limit: float = 20) -> None:
    end = time.monotonic() + limit
    while not so():
        if time.monotonic() > end:
            pytest.fail(f"not true within {limit} s")
        time.sleep(0.05)
