"""Every transcript in the documents is from a real run: `<!-- run: COMMAND -->` stands above the block that COMMAND printed.

`python -m docs.transcripts` compares; with `--write` it puts today's output into the documents (`make docs`).
What differs from run to run (times, made-up names, ports, paths) is masked on both sides before comparing.
"""

import argparse
import difflib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"(<!-- run: (?P<command>[^\n]+) -->\n+```[a-z]*\n)(?P<shown>.*?)(\n```)", re.DOTALL)
MASKS = (
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"\b\d{8}T\d{6}Z-[0-9a-f]{6}\b"), "RUN"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(Z|\+00:00)"), "TIME"),
    (re.compile(r"\d+(\.\d+)? s\b"), "N s"),
    (re.compile(r"\s+\d+\.\d (ms|x)\b"), r" N \1"),
    (re.compile(r"localhost:\d+"), "localhost:PORT"),
    (re.compile(r"-[0-9a-z]{12,13}\b"), "-MADEUP"),
    (re.compile(r"(?<![0-9a-f])([0-9a-f]{16}|[0-9a-f]{20}|[0-9a-f]{32})(?![0-9a-f])"), "MADEUP"),
    (re.compile(re.escape(str(ROOT))), "."),
)


@dataclass(frozen=True)
class Transcript:
    """One block of one document: the command and what the document says that it prints."""

    document: Path
    command: str
    shown: str

    def differs(self, printed: str) -> str:
        """A diff a person can read; empty when the document tells the truth."""
        wanted, seen = mask(self.shown).splitlines(), mask(printed).splitlines()
        return "\n".join(difflib.unified_diff(wanted, seen, str(self.document.name), self.command, lineterm=""))


def mask(text: str) -> str:
    """`text` without what differs from run to run."""
    for pattern, plain in MASKS:
        text = pattern.sub(plain, text)
    return text.strip()


def transcripts() -> Iterator[Transcript]:
    """Every block in the README and under docs/."""
    for document in (ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))):
        for found in BLOCK.finditer(document.read_text()):
            yield Transcript(document, found["command"], found["shown"])


def run(command: str) -> str:
    """What `command` prints when it is run in the project's folder; CalledProcessError if it ends badly."""
    environment = os.environ | {"COLUMNS": "100", "MAKEFLAGS": "--no-print-directory"}
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
    done.check_returncode()
    return done.stdout.replace(str(ROOT), ".").strip()


def write(transcript: Transcript, printed: str) -> None:
    """Put what was printed where the transcript stands."""

    def fresh(found: re.Match[str]) -> str:
        return f"{found[1]}{printed}{found[4]}" if found["command"] == transcript.command else found[0]

    transcript.document.write_text(BLOCK.sub(fresh, transcript.document.read_text()))


def main() -> int:
    said = argparse.ArgumentParser(prog="python -m docs.transcripts", description=__doc__)
    said.add_argument("--write", action="store_true", help="put today's output into the documents")
    asked, wrong = said.parse_args(), 0
    for transcript in transcripts():
        printed = run(transcript.command)
        if asked.write:
            write(transcript, printed)
        elif difference := transcript.differs(printed):
            print(difference)
            wrong += 1
    return wrong


if __name__ == "__main__":
    sys.exit(main())
