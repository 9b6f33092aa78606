"""Any bytes give a policy, or problems with a place in the file, and never an exception."""

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from grantor.core.access.policy_test_text import find_test_problems
from grantor.core.policy.parser import parse_policy
from grantor.core.policy.yaml_tree import PolicyReader
from grantor.core.rules import Policy
from tests.policy.corpus import read_corpus
from tests.policy.editor import Editor, is_allowed
from tests.policy.examples import GOOD
from tests.policy.fuzz import FUZZ, fuzzed

SLOW = pytest.mark.skipif(not FUZZ, reason="`make test-fuzz` has the slow ones")
FILES = [*GOOD, *(case.text for _, case in read_corpus())]
WORDS = [
    *"{}[]()*&!|>'\"%@`#,:-?~\t\n\r\0 é\u2028\ufeff\U0001f642",
    ": ", "- ", " #", "---\n", "...\n", "<<: ", "&a ", "*a", "!!python/object:os.system ", "!!int ", "? ", "\r\n", "{x}", "${x}", "{{x}}",
    "no", "0123", "2027-03-31", "9" * 5000, "\\", '"\\x', "s3://", "*", "/", "..", "arn:aws:iam::", "name: a\n", "{data_bucket}",
    "jobs:\n", "run: abalone\n", "as: ", "output: ", "instances: {count: 2}\n", "time_limit: 1h\n", "arguments: ", "{profile.folder}", "_READY", "1%",
    "given: ", "profiles: ", "tests:\n", "- can: ", "cannot: ", "who: ", "reach: ", "exactly: []", "because: a0", "at: ", "READ ", "D/ana ",
]  # fmt: skip


def check_result(body: bytes) -> None:
    found = parse_policy("f", body)
    if isinstance(found, Policy):
        written = yaml.load(body, Editor)
        assert [found.count_rules(), len(found.jobs)] == [
            len(written.get(part, ())) for part in ("rules", "jobs")
        ]
        assert is_allowed(body.decode())
        problems = find_test_problems(found)
    else:
        assert found
        problems = found
    lines = body.decode(errors="replace").split("\n")
    for problem in problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert problem.what
        assert problem.why
        assert problem.remedy
        assert len(str(problem)) < 2_000


@st.composite
def damaged_files(draw: st.DrawFn) -> str:
    """A file, good or wrong already, after up to six slips of the hand."""
    text = draw(st.sampled_from(FILES))
    for _ in range(draw(st.integers(1, 6))):
        text = _damage_text(text, draw)
    return text


def _damage_text(text: str, draw: st.DrawFn) -> str:
    deed = draw(
        st.sampled_from(
            [_leave_out, _put_in, _swap, _double_a_line, _drop_a_line, _indent, _swap_lines]
        )
    )
    return deed(text, draw)


def _leave_out(text: str, draw: st.DrawFn) -> str:
    at, length = draw(st.integers(0, len(text))), draw(st.integers(1, 12))
    return text[:at] + text[at + length :]


def _put_in(text: str, draw: st.DrawFn) -> str:
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.sampled_from(WORDS) | st.text(max_size=3)) + text[at:]


def _swap(text: str, draw: st.DrawFn) -> str:
    at = draw(st.integers(0, max(0, len(text) - 2)))
    return text[:at] + text[at : at + 2][::-1] + text[at + 2 :]


def _double_a_line(text: str, draw: st.DrawFn) -> str:
    lines, at = _draw_line(text, draw)
    return "".join([*lines[:at], *lines[at : at + 1], *lines[at:]])


def _drop_a_line(text: str, draw: st.DrawFn) -> str:
    lines, at = _draw_line(text, draw)
    return "".join([*lines[:at], *lines[at + 1 :]])


def _swap_lines(text: str, draw: st.DrawFn) -> str:
    lines, at = _draw_line(text, draw)
    return "".join([*lines[:at], *lines[at : at + 2][::-1], *lines[at + 2 :]])


def _indent(text: str, draw: st.DrawFn) -> str:
    lines, at = _draw_line(text, draw)
    by = draw(st.integers(-4, 4))
    changed = [" " * by + line if by > 0 else line[-by:] for line in lines[at : at + 1]]
    return "".join([*lines[:at], *changed, *lines[at + 1 :]])


def _draw_line(text: str, draw: st.DrawFn) -> tuple[list[str], int]:
    lines = text.splitlines(keepends=True)
    return lines, draw(st.integers(0, max(0, len(lines) - 1)))


@fuzzed(plain=500, long=25_000)
@given(damaged_files())
def test_a_file_with_typing_errors_raises_nothing(text: str):
    check_result(text.encode(errors="surrogatepass"))


@fuzzed(plain=200, long=5_000)
@given(st.sampled_from(FILES), st.integers(0), st.binary(min_size=1, max_size=8))
def test_a_file_with_corrupt_bytes_raises_nothing(text: str, at: int, noise: bytes):
    body = text.encode()
    at %= len(body) + 1
    check_result(body[:at] + noise + body[at + len(noise) :])


@fuzzed(plain=200, long=5_000)
@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode(errors="surrogatepass"))
)
def test_arbitrary_bytes_raise_nothing(body: bytes):
    check_result(body)


@fuzzed(plain=200, long=5_000)
@given(
    st.lists(
        st.sampled_from(
            [
                *WORDS,
                "version: 1\n",
                "rules:\n",
                "  - name: a\n",
                "    to: ",
                "    on: ",
                "    allow: READ\n",
                "jobs:\n",
                "    run: abalone\n",
                "    as: ",
                "    output: ",
            ]
        ),
        max_size=30,
    )
)
def test_arbitrary_words_of_the_language_raise_nothing(words: list[str]):
    check_result("".join(words).encode())


@fuzzed(plain=150, long=4_000)
@given(damaged_files())
def test_the_pure_parser_raises_nothing_either(text: str):
    PolicyReader("f").parse_tree(text, yaml.SafeLoader)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * 900_000, id="deep lists"),
        pytest.param(b"{a: " * 200_000, id="deep mappings"),
        pytest.param(b"- " * 400_000, id="deep lists of lines"),
        pytest.param(b"".join(b" " * depth + b"a:\n" for depth in range(1_000)), id="deep keys"),
        pytest.param(b"a: " + b"b" * 900_000, id="a giant text"),
        pytest.param(b"a" * 900_000 + b": b", id="a giant key"),
        pytest.param(b"version: 1\nrules: [" + b"a, " * 300_000 + b"]", id="a hundred thousand mistakes"),
        pytest.param(b"version: 1\n" + b"".join(b"k%d: v\n" % number for number in range(90_000)), id="as many unknown keys"),
        pytest.param(b"version: 1\n" * 80_000, id="one key again and again", marks=SLOW),
        pytest.param(b"version: 1\nvars:\n" + b"".join(b"  a%d: '{a%d}{a%d}'\n" % (n + 1, n, n) for n in range(30_000)), id="doubling"),
        pytest.param(b"version: 1\nvars:\n  a0: x\n" + b"".join(b"  a%d: '{a%d}{a%d}'\n" % (n + 1, n, n) for n in range(30_000)), id="doubling for a while", marks=SLOW),
        pytest.param(b"version: 1\nvars:\n" + b"".join(b"  a%d: '{b%d}'\n" % (n, n) for n in range(40_000)), id="unknown variables", marks=SLOW),
        pytest.param(b"a: &a [x]\nb: [" + b"*a, " * 200_000 + b"]", id="aliases"),
        pytest.param(b"a: &a [x, x]\n" + b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (n + 1, n + 1, n, n) for n in range(15_000)), id="a bomb"),
        pytest.param(b'a: "' + b"\\x41" * 200_000 + b'"', id="escapes"),
        pytest.param(b"? " * 300_000, id="keys of keys"),
        pytest.param(b"---\n" * 200_000, id="documents"),
        pytest.param(b"\t\n" * 400_000, id="tabs", marks=SLOW),
        pytest.param(b"a: '" + b"\n" * 900_000, id="an open quote"),
        pytest.param(b"on: s3://" + b"/" * 900_000, id="slashes"),
        pytest.param(b"on: s3://data/" + b"*" * 900_000, id="stars"),
        pytest.param(b"version: 1\nrules: [{name: a, to: {role: a}, on: 's3://data/" + b"{" * 400_000 + b"', allow: READ}]", id="braces"),
        pytest.param(b"version: 1\nrules: [{name: a, to: {role: '" + b"a/" * 400_000 + b"'}, on: 's3://" + b"a." * 40_000 + b"', allow: READ}]", id="long names"),
        pytest.param(b"version: 1\nrules: [{name: a, to: {profiles: {domain: '" + b"a-" * 400_000 + b"'}}, on: s3://data, allow: READ}]", id="hyphens"),
        pytest.param(b"version: 1\nrules: [{name: a, to: {role: a}, on: s3://data, allow: READ, until: " + b"9" * 900_000 + b"}]", id="digits"),
        pytest.param(b"%YAML 1." + b"9" * 900_000 + b"\n---\na: b", id="a version of YAML"),
    ],
)  # fmt: skip
def test_a_huge_file_costs_time_in_proportion_to_its_length(body: bytes):
    started = time.process_time()
    check_result(body)

    assert time.process_time() - started < 15
