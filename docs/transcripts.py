"""Every transcript in the documents comes from a real run.

`<!-- run: COMMAND -->` stands above the block that COMMAND printed. `python -m docs.transcripts`
compares; with `--write` it puts today's output into the documents (`make docs`). What differs from
run to run (times, ids, ports, paths) is masked on both sides before they are compared.
"""

import argparse
import difflib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(
    r"(<!-- run: (?P<command>[^\n]+) -->\n+```[a-z]*\n)(?P<shown>.*?)(\n```)", re.DOTALL
)
HEX_LENGTHS = "|".join(f"[0-9a-f]{{{length}}}" for length in (12, 16, 20, 32, 64))
MASKS = (
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"\b\d{8}T\d{6}Z-[0-9a-f]{6}\b"), "RUN"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(Z|\+00:00)"), "TIME"),
    (re.compile(r"\d+(\.\d+)? s\b"), "N s"),
    (re.compile(r"\s+\d+\.\d (ms|x)\b"), r" N \1"),
    (re.compile(r"localhost:\d+"), "localhost:PORT"),
    (re.compile(r"(-a\d+)-[0-9a-f]{8}\b"), r"\1-MADEUP"),
    (re.compile(r"-[0-9a-z]{12,13}\b"), "-MADEUP"),
    (re.compile(rf"(?<![0-9a-f])(?:{HEX_LENGTHS})(?![0-9a-f])"), "MADEUP"),
    (re.compile(re.escape(str(ROOT))), "."),
)


@dataclass(frozen=True)
class Transcript:
    """One block of one document: the command, and the output that the document shows."""

    document: Path
    command: str
    shown: str

    def compare(self, printed: str) -> str:
        """Return a diff; empty if the document shows what the command prints."""
        wanted, seen = mask_output(self.shown).splitlines(), mask_output(printed).splitlines()
        diff = difflib.unified_diff(
            wanted, seen, str(self.document.name), self.command, lineterm=""
        )
        return "\n".join(diff)

    def write(self, printed: str) -> None:
        """Replace the block in the document."""

        def replace_block(found: re.Match[str]) -> str:
            return (
                f"{found[1]}{printed}{found[4]}" if found["command"] == self.command else found[0]
            )

        self.document.write_text(BLOCK.sub(replace_block, self.document.read_text()))


def mask_output(text: str) -> str:
    """Replace what differs from run to run."""
    for pattern, plain in MASKS:
        text = pattern.sub(plain, text)
    return text.strip()


def find_transcripts() -> Iterator[Transcript]:
    """Find every block in the README and below docs/."""
    for document in (ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))):
        for found in BLOCK.finditer(document.read_text()):
            yield Transcript(document, found["command"], found["shown"])


def run_command(command: str) -> str:
    """Run a command in the project's folder, for 80 columns; return what it prints.

    Raises CalledProcessError if it fails.
    """
    printed = run_in_shell(command, ROOT, {"MAKEFLAGS": "--no-print-directory"})
    return printed.replace(str(ROOT), ".").strip()


def run_in_shell(command: str, folder: Path, variables: Mapping[str, str]) -> str:
    """Run a command in a folder, for 80 columns; return what it prints.

    Raises CalledProcessError if it fails, and writes what it has printed to standard error.
    """
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=os.environ | {"COLUMNS": "80", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
    done.check_returncode()
    return done.stdout


def main() -> int:
    """Return the number of transcripts that differ."""
    parser = argparse.ArgumentParser(prog="python -m docs.transcripts", description=__doc__)
    parser.add_argument(
        "--write", action="store_true", help="put today's output into the documents"
    )
    parser.add_argument("--only", metavar="NAME.md", help="the name of one document")
    arguments = parser.parse_args()
    different = 0
    for transcript in find_transcripts():
        if arguments.only not in (None, transcript.document.name):
            continue
        printed = run_command(transcript.command)
        if arguments.write:
            transcript.write(printed)
        elif difference := transcript.compare(printed):
            print(difference)
            different += 1
    return different


if __name__ == "__main__":
    sys.exit(main())
