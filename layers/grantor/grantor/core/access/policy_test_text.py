"""What became of tests, and how much of the rules they cover, as sentences and JSON.

The JSON is that of docs/json.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from grantor.core.access.answer_text import describe_causes, describe_rule
from grantor.core.access.answers import RuleSource, find_sources
from grantor.core.access.policy_coverage import Coverage, RulePart
from grantor.core.access.policy_tests import CheckedExpectation, FoundAccess, run_own_tests
from grantor.core.diagnostics import Fault, Problem, join_words
from grantor.core.expectations import STEPS_OF_A_NO, Expectation, Given, Question
from grantor.core.planning.rendering import (
    SCHEMA_VERSION,
    Json,
    encode_grant,
    encode_problem,
    format_timestamp,
)
from grantor.core.rules import Policy
from grantor.settings import MAX_FAILED_TESTS, MAX_TEST_STEPS

Sources = Mapping[str, RuleSource]
CORRECT = "correct the rule or the test"


def find_test_problems(policy: Policy) -> tuple[Problem, ...]:
    """What is wrong with a policy file because its own tests fail, in the order of the tests.

    Of many that fail, the first are named, so that a run does not spend its time on them.
    """
    sources = find_sources(policy.rules, {})
    given = policy.tests.given if policy.tests else None
    steps = STEPS_OF_A_NO * len(policy.rules) * (given or Given()).size
    most = min(max(MAX_TEST_STEPS // max(steps, 1), 1), MAX_FAILED_TESTS)
    failed = (one for one in run_own_tests(policy) if not one.passed)
    named = [locate_failure(one, sources) for one in islice(failed, most)]
    if len(named) < most:
        return tuple(named)
    what, why = "more tests may fail", f"a report names the first {most:,} that do"
    last = named[-1]
    return (*named, Problem(last.file, last.line, last.column, what, why, "correct these first"))


def locate_failure(checked: CheckedExpectation, sources: Sources) -> Problem:
    """A failing test as a problem of its file, at the line of the question."""
    asked = checked.expectation
    return Problem(asked.file, asked.line, asked.column, *explain_failure(checked, sources))


def explain_failure(checked: CheckedExpectation, sources: Sources) -> Fault:
    """Say of a failing test what was expected, what is there instead, and by which rule."""
    asked = checked.expectation
    named = f" ({asked.name})" if asked.name else ""
    if checked.fault:
        what = f"the test cannot be asked{named}: {checked.fault.what}"
        return checked.fault._replace(what=what)
    is_list = asked.question in (Question.WHO, Question.REACH)
    text, why, remedy = (_explain_list if is_list else _explain_can)(checked, sources)
    return Fault(f"the test fails{named}: {text}", why, remedy)


def describe_question(asked: Expectation) -> str:
    """The question with its time."""
    return f"{asked.text} at {format_timestamp(asked.at)}" if asked.at else asked.text


def _explain_can(checked: CheckedExpectation, sources: Sources) -> Fault:
    asked, found = checked.expectation, checked.explanation
    verb = "can" if found.grant else "cannot"
    at = f" at {format_timestamp(asked.at)}" if asked.at else ""
    what = f"{asked.who} {verb} {asked.permission} {asked.place}{at}"
    if checked.is_answered:
        what = f"{what}, but not because of {join_words(checked.lacking, 'and')}"
    if found.grant:
        rules = sorted({reason.rule for reason in found.reasons})
        given = join_words((describe_rule(one, sources) for one in rules), "and")
        gives = "give" if len(rules) > 1 else "gives"
        return Fault(what, f"{given} {gives} {found.grant.permission} {found.grant.scope}", CORRECT)
    causes = [
        *describe_causes(found, sources),
        *(f"{one.rule}: {one.why}" for one in found.on_hold),
    ]
    return Fault(what, join_words(causes, "and"), CORRECT)


def _explain_list(checked: CheckedExpectation, sources: Sources) -> Fault:
    asked = checked.expectation
    question = describe_question(asked)
    parts = [f"without {one}" for one in checked.missing]
    parts += [f"with {_describe_found(one, sources)}" for one in checked.extra]
    found = sorted({one.answer for one in checked.found})
    count = "nothing" if asked.question is Question.REACH else "nobody"
    actual = join_words(found, "and") if found else count
    return Fault(f"{question} is exactly {actual}", f"that is {join_words(parts, 'and')}", CORRECT)


def _describe_found(found: FoundAccess, sources: Sources) -> str:
    rules = join_words((describe_rule(one, sources) for one in found.rules), "and")
    return f"{found.answer} by {rules}"


def describe_part(part: RulePart) -> str:
    """A part that no test covers, at the line of its rule."""
    detail = f" ({part.detail})" if part.detail else ""
    place = f"{part.file}:{part.line}:{part.column}"
    rule = part.rule.rpartition("#")[2]
    return f"{place}: not covered: rule {rule}: no test fails when {part.kind}{detail}"


def encode_test_run(
    results: Sequence[CheckedExpectation],
    problems: Iterable[Problem],
    coverage: Coverage | None,
    sources: Sources,
    threshold: int,
) -> Json:
    """What became of the tests of some files as a document; no coverage unless all pass."""
    passed = sum(one.passed for one in results)
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "test",
        "passed": passed,
        "failed": len(results) - passed,
        "threshold": threshold or None,
        "coverage": encode_coverage(coverage) if coverage else None,
        "tests": [encode_expectation(one, sources) for one in results],
        "diagnostics": [encode_problem(one, "error") for one in problems],
    }


def encode_expectation(checked: CheckedExpectation, sources: Sources) -> Json:
    """One test and what became of it."""
    asked, found = checked.expectation, checked.explanation
    fault = None if checked.passed else explain_failure(checked, sources)
    return {
        "file": asked.file,
        "line": asked.line,
        "column": asked.column,
        "name": asked.name or None,
        "question": asked.text,
        "at": format_timestamp(asked.at) if asked.at else None,
        "exactly": list(asked.exactly),
        "outcome": "passed" if checked.passed else "failed",
        "found": [_encode_found(one) for one in checked.found],
        "grant": encode_grant(found.grant) if found.grant else None,
        "causes": [str(cause) for cause in found.causes],
        "rules": sorted({reason.rule for reason in found.reasons}),
        "problem": dict(zip(("what", "why", "remedy"), fault, strict=True)) if fault else None,
    }


def _encode_found(found: FoundAccess) -> Json:
    return {"answer": found.answer, "rules": list(found.rules)}


def encode_coverage(coverage: Coverage) -> Json:
    """How much is covered, and what is not."""
    return {
        "percent": coverage.percent,
        "parts": len(coverage.parts),
        "uncovered": [
            {
                "rule": part.rule,
                "file": part.file,
                "line": part.line,
                "change": str(part.kind),
                "detail": part.detail or None,
            }
            for part in coverage.uncovered
        ],
    }
