"""`grantor test`: run the tests of policy files, without AWS, and say how much of the rules they
cover.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree as ET

from grantor.cli.check import DATA_BUCKET, find_job_types, read_files
from grantor.cli.output import format_count
from grantor.cli.session import CommandError, Session, UsageError
from grantor.cli.sources import read_saved
from grantor.core.access.answers import RuleSource, find_sources
from grantor.core.access.policy_coverage import Coverage, measure_coverage
from grantor.core.access.policy_test_text import (
    describe_part,
    encode_test_run,
    explain_failure,
    locate_failure,
)
from grantor.core.access.policy_tests import CheckedExpectation, run_own_tests, run_tests
from grantor.core.access.saved_inventory import InventoryUnreadable, SavedInventory
from grantor.core.diagnostics import Problem, show_text
from grantor.core.expectations import PolicyTests
from grantor.core.planning.bounds import BOUNDS_FILE
from grantor.core.policy.parser import parse_policy, parse_test_file
from grantor.core.policy.text_forms import TEST_SUFFIXES
from grantor.core.rules import Policy
from grantor.core.snapshot import Inventory

STDIN_NAME = "stdin.yaml"
FAILED_EXIT_CODE = 1  # a test fails, or a file is wrong
UNCOVERED_EXIT_CODE = 5  # the tests pass, and cover less than --threshold


@dataclass(frozen=True)
class ParsedFiles:
    """Policy files and test files, and what is wrong with those that could not be parsed."""

    policies: tuple[Policy, ...] = ()
    suites: tuple[PolicyTests, ...] = ()
    problems: tuple[Problem, ...] = ()

    @classmethod
    def parse(cls, files: Iterable[tuple[str, bytes]], data_bucket: str) -> "ParsedFiles":
        """Parse files, each a name and its content."""
        job_types = find_job_types()[0]
        found = [
            parse_test_file(name, content, data_bucket)
            if name.endswith(TEST_SUFFIXES)
            else parse_policy(name, content, data_bucket, job_types)
            for name, content in files
            if not name.endswith(BOUNDS_FILE)
        ]
        return cls(
            tuple(one for one in found if isinstance(one, Policy)),
            tuple(one for one in found if isinstance(one, PolicyTests)),
            tuple(one for each in found if isinstance(each, tuple) for one in each),
        )

    @property
    def sources(self) -> dict[str, RuleSource]:
        """Where each rule stands."""
        return find_sources((rule for policy in self.policies for rule in policy.rules), {})


@dataclass(frozen=True)
class TestedFiles:
    """What became of the tests of some files. Coverage is None unless it was asked for and all of
    them pass.
    """

    problems: tuple[Problem, ...] = ()
    results: tuple[CheckedExpectation, ...] = ()
    coverage: Coverage | None = None
    sources: Mapping[str, RuleSource] = field(default_factory=dict)
    threshold: int = 0  # percent

    @property
    def failed(self) -> list[CheckedExpectation]:
        """The tests that fail or cannot be asked."""
        return [one for one in self.results if not one.passed]

    @property
    def has_passed(self) -> bool:
        """Whether all files are right and all tests pass."""
        return not (self.problems or self.failed)

    @property
    def is_short(self) -> bool:
        """Whether the tests cover too little."""
        return self.coverage is not None and self.coverage.percent < self.threshold

    @property
    def exit_code(self) -> int:
        """What the command exits with."""
        if not self.has_passed:
            return FAILED_EXIT_CODE
        return UNCOVERED_EXIT_CODE if self.is_short else 0


def run_policy_tests(session: Session) -> int:
    """Exits with 0, with 1 if a test fails or a file is wrong, and with 5 if the tests cover less
    than the threshold.
    """
    given, output = session.arguments, session.output
    saved = read_saved(given.profiles) if given.profiles else None
    bucket = saved.data_bucket if saved else DATA_BUCKET
    parsed = ParsedFiles.parse(read_files(given.paths, STDIN_NAME), bucket)
    inventory = find_inventory(saved, parsed.policies) if saved else None
    found = check_files(parsed, inventory)
    if found.has_passed and (given.coverage or given.threshold):
        covered = measure_coverage(parsed.policies, parsed.suites, inventory)
        found = replace(found, coverage=covered, threshold=given.threshold)
    output.print_lines(describe_tests(found))
    output.print_json(
        encode_test_run(
            found.results, found.problems, found.coverage, found.sources, given.threshold
        )
    )
    if given.junit:
        write_junit(Path(given.junit), found)
    return found.exit_code


def check_files(parsed: ParsedFiles, inventory: Inventory | None) -> TestedFiles:
    """Run the tests of the files; `inventory` is for test files without `given`. Raises UsageError
    if there is no test at all.
    """
    policies = parsed.policies
    own = (one for policy in policies for one in run_own_tests(policy))
    others = (one for suite in parsed.suites for one in run_tests(suite, policies, inventory))
    results = (*own, *others)
    if not (results or parsed.problems):
        raise UsageError("no tests: write tests: into a policy file, or a file NAME.test.yaml")
    return TestedFiles(parsed.problems, results, sources=parsed.sources)


def find_inventory(saved: SavedInventory, policies: Sequence[Policy]) -> Inventory:
    """What is saved, for these rules. Raises CommandError if this version cannot read it."""
    try:
        return saved.find_inventory(policies)
    except InventoryUnreadable as error:
        raise CommandError(f"the saved inventory cannot be read: {error}") from error


def describe_tests(found: TestedFiles) -> Iterator[str]:
    """What is wrong, a line each, then the outcome in a sentence."""
    yield from map(str, found.problems)
    yield from (str(locate_failure(one, found.sources)) for one in found.failed)
    count, failed = format_count(len(found.results), "test"), len(found.failed)
    if not found.has_passed:
        wrong = len({problem.file for problem in found.problems})
        files = f", and {format_count(wrong, 'file')} with mistakes" if wrong else ""
        yield f"{failed:,} of {count} failed{files}"
    elif found.coverage is None:
        yield f"{count} passed"
    else:
        parts, uncovered = found.coverage.parts, found.coverage.uncovered
        yield from map(describe_part, uncovered)
        of = f"{len(parts) - len(uncovered):,} of {format_count(len(parts), 'part')} of rules"
        short = f", less than {found.threshold} %" if found.is_short else ""
        yield f"{count} passed; coverage {found.coverage.percent} %{short} ({of})"


def write_junit(path: Path, found: TestedFiles) -> None:
    """Write what became of the tests as JUnit's XML. Raises CommandError if that fails."""
    tree = ET.ElementTree(build_junit(found))
    ET.indent(tree)
    try:
        tree.write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise CommandError(f"{path}: cannot be written: {error.strerror}") from error


def build_junit(found: TestedFiles) -> ET.Element:
    """A suite for each file, a case for each question, and one for each file that is wrong.

    A suite of its own has a failure for each part that is not covered, if that is too little.
    """
    root = ET.Element("testsuites", name="grantor test")
    for file, listed in groupby(found.results, key=lambda one: one.expectation.file):
        suite = _add_suite(root, file)
        for one in listed:
            asked, fault = one.expectation, None
            if not one.passed:
                fault = explain_failure(one, found.sources).sentence
            _add_case(suite, asked.name or asked.text, fault, line=asked.line)
    for file, problems in groupby(found.problems, key=lambda one: one.file):
        _add_case(_add_suite(root, file), "the file", "\n".join(map(str, problems)), kind="error")
    if found.coverage and found.is_short:
        suite = _add_suite(root, "coverage")
        for part in found.coverage.uncovered:
            _add_case(suite, part.rule, describe_part(part))
    for suite in (root, *root):
        for count, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
            suite.set(count, str(len(list(suite.iter(tag)))))
    return root


def _add_suite(root: ET.Element, file: str) -> ET.Element:
    # XML has no way to write most control characters.
    return ET.SubElement(root, "testsuite", name=show_text(file))


def _add_case(
    suite: ET.Element, name: str, fault: str | None, *, line: int = 1, kind: str = "failure"
) -> None:
    file = suite.get("name", "")
    case = ET.SubElement(
        suite, "testcase", name=show_text(name), classname=file, file=file, line=str(line)
    )
    if fault is not None:
        lines = [show_text(text) for text in fault.split("\n")]
        ET.SubElement(case, kind, message=lines[0]).text = "\n".join(lines)
