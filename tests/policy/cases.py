"""The corpus of policy files that are wrong: a frame, and after it one case after another, each with all that is said of it.

    frame                   the file, with … where each case has its own text
    --- title               a case: its text, and then
    => 5:9: what: why; …    what is said, in full and in order

`PYTHONPATH=layers/grantor python -m tests.policy.cases` writes what is said today into the corpus, to be read as a diff.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from grantor.core.policy.parser import read

CORPUS = Path(__file__).parent / "corpus"
HERE = "…"
SAID = "=> "


@dataclass
class Case:
    """One wrong file: its text, and what is to be said of it."""

    title: str
    frame: str
    body: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return self.frame.replace(HERE, "\n".join(self.body), 1)


def cases() -> Iterator[tuple[Path, Case]]:
    """Every case of the corpus, with the file that it stands in."""
    for file in sorted(CORPUS.glob("*.txt")):
        for case in _cases(file):
            yield file, case


def _cases(file: Path) -> Iterator[Case]:
    for part in file.read_text().split("frame\n")[1:]:
        frame, *bodies = part.split("\n--- ")
        for body in bodies:
            title, *lines = body.rstrip("\n").split("\n")
            said = [line for line in lines if line.startswith(SAID)]
            yield Case(title, frame.rstrip("\n") + "\n", [line for line in lines if line not in said], said)


def said(case: Case) -> list[str]:
    """What is said of a case, as the corpus has it; nothing if the file is good."""
    found = read("f", case.text.encode())
    problems = found if isinstance(found, tuple) else ()
    return [SAID + str(problem).removeprefix("f:") for problem in problems]


def _written(file: Path) -> str:
    frames: dict[str, list[Case]] = {}
    for case in _cases(file):
        frames.setdefault(case.frame, []).append(case)
    return "\n".join(f"frame\n{frame}\n" + "".join(map(_one, found)) for frame, found in frames.items())


def _one(case: Case) -> str:
    return "\n".join([f"--- {case.title}", *case.body, *said(case), ""])


if __name__ == "__main__":
    for path in CORPUS.glob("*.txt"):
        path.write_text(_written(path))
