"""The corpus: policy files that are wrong, each with every message about it; in test_files.txt,
files of tests alone. A file whose own tests fail is wrong as well.

    frame                   the file, with … where each case has its own text
    --- title               a case: its text, and then
    => 5:9: what: why; …    the expected messages, in full and in order

`pytest tests/policy --update` writes today's messages into the corpus and prints what changed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from grantor.core.access.policy_test_text import find_test_problems
from grantor.core.diagnostics import Problem
from grantor.core.policy.job_types import SHIPPED_JOB_TYPES, JobType, Parameter
from grantor.core.policy.parser import parse_policy, parse_test_file
from grantor.core.rules import Policy

CORPUS = Path(__file__).parent / "corpus"
PLACEHOLDER = "…"
MESSAGE = "=> "
TEST_FILES = "test_files"


# So that the corpus stays as it is when a job type is added
JOB_TYPES = {
    "abalone": SHIPPED_JOB_TYPES["abalone"],
    "visits": JobType(
        "visits",
        "visits by month",
        script="transform.py",
        own_parameters=(
            Parameter("months", "integer", minimum="1", maximum="120"),
            Parameter("rate", "number", default="0.5", minimum="0"),
            Parameter("trace", "boolean", default="false"),
            Parameter("mode", default="fast", enum=("fast", "safe")),
            Parameter("country", default="DE", pattern="[A-Z]{2}"),
            Parameter("note", default="none"),
        ),
    ),
}


@dataclass
class Case:
    """One wrong file: its text, and the messages that are expected."""

    title: str
    frame: str
    body: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    has_tests_alone: bool = False

    @property
    def text(self) -> str:
        return self.frame.replace(PLACEHOLDER, "\n".join(self.body), 1)


def read_corpus(folder: Path = CORPUS) -> Iterator[tuple[Path, Case]]:
    """Every case of the corpus, with the file that it stands in."""
    for file in sorted(folder.glob("*.txt")):
        for case in _read_cases(file):
            yield file, case


def _read_cases(file: Path) -> Iterator[Case]:
    for part in file.read_text().split("frame\n")[1:]:
        frame, *bodies = part.split("\n--- ")
        for body in bodies:
            title, *lines = body.rstrip("\n").split("\n")
            expected = [line for line in lines if line.startswith(MESSAGE)]
            rest = [line for line in lines if line not in expected]
            alone = file.stem == TEST_FILES
            yield Case(title, frame.rstrip("\n") + "\n", rest, expected, alone)


def find_problems(case: Case) -> tuple[Problem, ...]:
    """What is wrong with a case; nothing if the file is good."""
    if case.has_tests_alone:
        found = parse_test_file("f", case.text.encode())
    else:
        found = parse_policy("f", case.text.encode(), job_types=JOB_TYPES)
    if isinstance(found, Policy):
        return find_test_problems(found)
    return found if isinstance(found, tuple) else ()


def find_messages(case: Case) -> list[str]:
    """The messages about a case, as the corpus has them; none if the file is good."""
    return [MESSAGE + str(problem).removeprefix("f:") for problem in find_problems(case)]


def update_corpus(folder: Path = CORPUS) -> str:
    """Write today's messages into the corpus. Return the differences, case by case; "" if none."""
    changes = []
    for file in sorted(folder.glob("*.txt")):
        cases = list(_read_cases(file))
        found = [find_messages(case) for case in cases]
        changed = [
            _show_change(file, case, messages)
            for case, messages in zip(cases, found, strict=True)
            if messages != case.expected
        ]
        if changed:
            file.write_text(_write_cases(cases, found))
        changes += changed
    return "\n".join(changes)


def _show_change(file: Path, case: Case, messages: list[str]) -> str:
    old = [line for line in case.expected if line not in messages]
    new = [line for line in messages if line not in case.expected]
    lines = [f"{file.name}: {case.title}"]
    lines += [f"  - {line.removeprefix(MESSAGE)}" for line in old]
    lines += [f"  + {line.removeprefix(MESSAGE)}" for line in new]
    return "\n".join(lines if old or new else [*lines, "  only the order of the messages"])


def _write_cases(cases: list[Case], found: list[list[str]]) -> str:
    frames: dict[str, list[str]] = {}
    for case, messages in zip(cases, found, strict=True):
        text = "\n".join([f"--- {case.title}", *case.body, *messages, ""])
        frames.setdefault(case.frame, []).append(text)
    return "\n".join(f"frame\n{frame}\n{''.join(texts)}" for frame, texts in frames.items())
