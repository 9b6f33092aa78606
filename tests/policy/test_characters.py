"""Which bytes can be a policy file, and which of them no editor shows."""

import pytest

from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Policy

GOOD = b"version: 1\nrules: [{name: a, to: {role: arn:aws:iam::111122223333:role/a}, on: s3://data/*, allow: READ}]\n"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"", ["f:1:1: the file is empty"], id="no bytes"),
        pytest.param(
            b"\xef\xbb\xbf" + GOOD,
            ["f:1:1: the file is UTF-8 with a byte order mark"],
            id="a byte order mark",
        ),
        pytest.param(GOOD.decode().encode("utf-16"), ["f:1:1: the file is UTF-16"], id="UTF-16"),
        pytest.param(
            b"\xfe\xff" + GOOD.decode().encode("utf-16-be"),
            ["f:1:1: the file is UTF-16"],
            id="UTF-16, the other way round",
        ),
        pytest.param(b"# caf\xe9\n" + GOOD, ["f:1:6: byte 0xe9 is not UTF-8"], id="Latin-1"),
        pytest.param(
            GOOD + "# €".encode() + b"\xff",
            ["f:3:4: byte 0xff is not UTF-8"],
            id="a column is counted in characters",
        ),
        pytest.param(
            GOOD + b"# \xed\xa0\x80", ["f:3:3: byte 0xed is not UTF-8"], id="half a surrogate pair"
        ),
        pytest.param(
            GOOD + b"# \xe2\x82",
            ["f:3:3: byte 0xe2 is not UTF-8"],
            id="the end of the file in a character",
        ),
        pytest.param(GOOD + b"# a\0b", ["f:3:4: the character U+0000"], id="NUL, in a comment too"),
        pytest.param(
            GOOD + b"# \x1b[31m", ["f:3:3: the character U+001B"], id="a terminal's escape"
        ),
        pytest.param(GOOD + b"# \x7f", ["f:3:3: the character U+007F"], id="DEL"),
        pytest.param(GOOD + "# \x85a".encode(), ["f:3:3: the character U+0085"], id="next line"),
        pytest.param(
            GOOD + "# \u2028a".encode(), ["f:3:3: the character U+2028"], id="line separator"
        ),
        pytest.param(
            GOOD + "# \ufeffa".encode(),
            ["f:3:3: the character U+FEFF"],
            id="a byte order mark inside",
        ),
        pytest.param(
            GOOD + "# \uffff".encode(), ["f:3:3: the character U+FFFF"], id="no character"
        ),
        pytest.param(
            GOOD.replace(b"\n", b"\r"),
            ["f:1:11: a carriage return without a line feed"],
            id="lines of an old Macintosh",
        ),
        pytest.param(
            GOOD + b"#\n\t# a\n\t\t# b\n",
            ["f:4:1: a tab", "f:5:1: a tab"],
            id="tabs, one message a line",
        ),
        pytest.param(GOOD.replace(b": 1", b":\t1"), ["f:1:9: a tab"], id="a tab inside a line"),
        pytest.param(
            GOOD + b"\0\n\t\n",
            ["f:3:1: the character U+0000", "f:4:1: a tab"],
            id="two characters, both said",
        ),
        pytest.param(
            b"#" * 1_000_001,
            ["f:1:1: the file has more than 1,000,000 characters"],
            id="a character too many",
        ),
        pytest.param(
            b"\xff" * 5_000_000,
            ["f:1:1: the file has more than 1,000,000 characters"],
            id="bytes too many",
        ),
        pytest.param(
            b"a" * 5_000_000,
            ["f:1:1: the file has more than 1,000,000 characters"],
            id="letters too many",
        ),
        pytest.param(b"\xff", ["f:1:1: byte 0xff is not UTF-8"], id="one byte"),
    ],
)
def test_a_file_that_is_not_plain_text_is_refused_at_its_first_wrong_byte(
    body: bytes, said: list[str]
):
    found = parse_policy("f", body)

    assert isinstance(found, tuple)
    assert [str(problem).startswith(start) for problem, start in zip(found, said, strict=True)] == [
        True
    ] * len(said), found


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(GOOD.replace(b"\n", b"\r\n"), id="CR LF"),
        pytest.param(
            "# naïve — 日本語 🙂\n".encode() + GOOD, id="any visible character in a comment"
        ),
        pytest.param(GOOD + b"#" * (1_000_000 - len(GOOD)), id="a million characters"),
    ],
)
def test_a_file_of_plain_text_is_accepted(body: bytes):
    assert isinstance(parse_policy("f", body), Policy)


def test_a_line_that_ends_with_cr_lf_counts_once():
    found = parse_policy("f", GOOD.replace(b"\n", b"\r\n").replace(b"READ", b"REED"))

    assert [(problem.line, problem.column) for problem in found] == [(2, 89)]
