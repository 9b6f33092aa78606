"""Add a data set as docs/jobs.md describes it, in a copy of the tree; print commands and output.

The files are the blocks of the page below `<!-- file: PATH -->`. No other file of the copy changes.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from docs.transcripts import run_in_shell

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/jobs.md"
COPY = ROOT / "build/new-job"
FILE_BLOCK = re.compile(r"<!-- file: (\S+) -->\n+```[a-z]*\n(.*?)```", re.DOTALL)
COMMANDS = (
    "python spark_jobs/check.py --job wine wine.csv",
    "sam build",
    "ls .aws-sam/build/StartSparkJob/job_code",
    "grantor check policy/wine.yaml",
)
QUIET = ("sam build",)  # their output is long, and differs from machine to machine
# The project's own program, from the sources of the copy.
GRANTOR = (
    '#!/bin/sh\nPYTHONPATH="{copy}/layers/grantor" exec "{copy}/.venv/bin/python" -m grantor "$@"\n'
)


def main() -> int:
    """Make the copy, write the page's files into it, and run the commands in it."""
    files = dict(FILE_BLOCK.findall(PAGE.read_text()))
    copy_tree()
    for path, text in files.items():
        (COPY / path).parent.mkdir(parents=True, exist_ok=True)
        (COPY / path).write_text(text)
    for command in COMMANDS:
        print(f"$ {command}")
        print(run_command(command), end="", flush=True)
    shutil.rmtree(COPY)
    return 0


def copy_tree() -> None:
    """Copy what belongs to the project, with its times; the tools are those of the tree."""
    shutil.rmtree(COPY, ignore_errors=True)
    for path in _list_files():
        target = COPY / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target, follow_symlinks=False)
    for name in (".venv", ".tools"):
        (COPY / name).symlink_to(ROOT / name)
    program = COPY / "build/bin/grantor"
    program.parent.mkdir(parents=True)
    program.write_text(GRANTOR.format(copy=COPY))
    program.chmod(0o755)


def _list_files() -> Iterator[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    yield from (path for path in set(listed.split("\0")) if path and (ROOT / path).exists())


def run_command(command: str) -> str:
    """Run a command in the copy; what it prints. Raises CalledProcessError if it fails."""
    folders = (COPY / "build/bin", COPY / ".venv/bin", COPY / ".tools/sam/bin")
    path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
    printed = run_in_shell(command, COPY, {"PATH": path})
    return "" if command in QUIET else printed


if __name__ == "__main__":
    sys.exit(main())
