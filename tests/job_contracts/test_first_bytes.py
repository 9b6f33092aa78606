"""A file of another format than the contract names is refused by its first bytes."""

import gzip

import pytest

from framework.first_bytes import describe_format, find_first_bytes_fault, find_first_line
from tests.abalone import CONTRACT
from tests.contracts import SHOP, parse

PACKED = parse(compression="gz")
PARQUET = parse(format="parquet", dialect=None)
JSON_LINES = parse(format="jsonl", dialect=None)
HEADER = f"{','.join(SHOP.names)}\n".encode()
PLAIN = "lines of plain text in UTF-8, 6 columns with commas between"


@pytest.mark.parametrize(
    ("contract", "first", "fault"),
    [
        (SHOP, HEADER, ""),
        (SHOP, gzip.compress(HEADER, mtime=0), f"is gzip, compressed. Upload it as {PLAIN}."),
        (SHOP, b"PAR1", f"is Parquet. Upload it as {PLAIN}."),
        (SHOP, b"a\x00", f"is not text: it contains zero bytes. Upload it as {PLAIN}."),
        (PACKED, gzip.compress(HEADER, mtime=0), ""),
        (PACKED, HEADER, f"is not compressed by gzip. Upload it as {PLAIN}, compressed by gzip."),
        (PACKED, b"PK\x03\x04", "is a zip archive, or a workbook of Excel. Upload it as"),
        (PACKED, b"\x1f\x8bxxxxxxxxxx", "is damaged: gzip cannot decompress it. Upload it as"),
        (PACKED, gzip.compress(b"PAR1", mtime=0), "is Parquet. Upload it as"),
        (PARQUET, b"PAR1xxxx", ""),
        (PARQUET, HEADER, "is not Parquet. Upload it as Parquet with the columns customer, plan"),
        (PARQUET, gzip.compress(HEADER, mtime=0), "is gzip, compressed. Upload it as Parquet"),
        (JSON_LINES, b'{"customer": "a"}\n', ""),
        (JSON_LINES, b"\xff\xfe{", "is text in UTF-16. Upload it as lines of JSON in UTF-8."),
    ],
)
def test_the_first_bytes_show_the_format(contract, first, fault):
    found = find_first_bytes_fault(first, contract)

    assert found.startswith(fault)
    assert bool(found) == bool(fault)


def test_the_first_line_is_looked_at_where_there_are_lines():
    assert find_first_line(gzip.compress(HEADER, mtime=0), PACKED) == ""
    assert "no header" in find_first_line(gzip.compress(b"1,2\n", mtime=0), PACKED)
    assert find_first_line(b"PAR1", PARQUET) == ""
    assert find_first_line(b"[]\n", JSON_LINES) == ""


def test_what_a_file_has_to_be_is_said_in_words():
    assert describe_format(CONTRACT) == (
        "lines of plain text in UTF-8, 9 columns with commas between"
    )
    assert describe_format(parse(dialect={"delimiter": ";"})).endswith("semicolons between")
