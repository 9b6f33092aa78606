"""A trace header names the functions of a chain, and how often each was invoked before."""

import doctest

import pytest

from sandbox.functions import lineage
from sandbox.functions.lineage import (
    count_invocations,
    extend_trace,
    identify_function,
    merge_traces,
    parse_lineage,
)

MINE = identify_function("arn:aws:lambda:us-east-1:000000000000:function:mine")
OTHER = identify_function("arn:aws:lambda:us-east-1:000000000000:function:other")
# Published headers of real functions, each in its first invocation or in a later one.
PUBLISHED = {
    "Root=1-64d38018-6a56d23a731e0cbe6ed85687;Parent=1e4dbd311c45e826;Sampled=0;Lineage=037bed70:0": {"037bed70": 0},
    "Root=1-6701fa72-3eb38a886877af9d5ff2d377;Parent=307f924fee814eb9;Sampled=0;Lineage=1:13e15196:0": {"13e15196": 0},
    "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1;Lineage=a87bd80c:1|68fd508a:5|c512fbe3:2": {"a87bd80c": 1, "68fd508a": 5, "c512fbe3": 2},
}  # fmt: skip


def test_the_examples_hold() -> None:
    assert doctest.testmod(lineage).failed == 0


@pytest.mark.parametrize(("header", "counts"), PUBLISHED.items())
def test_published_headers_are_read(header: str, counts: dict[str, int]) -> None:
    assert parse_lineage(header) == counts


@pytest.mark.parametrize("header", [None, "", "nonsense", "Lineage=", "Root=1-0-0;Lineage=x:y:z"])
def test_a_header_without_a_lineage_begins_a_chain(header: str | None) -> None:
    assert count_invocations(header, MINE) == 0
    assert parse_lineage(extend_trace(header, MINE, sampled=False)) == {MINE: 0}


def test_each_invocation_counts_for_its_function_alone_and_the_root_stays() -> None:
    header = extend_trace(None, MINE, sampled=True)
    root = header.partition(";")[0]
    for _ in range(3):
        header = extend_trace(extend_trace(header, OTHER, sampled=False), MINE, sampled=False)

    assert parse_lineage(header) == {MINE: 3, OTHER: 2}
    assert (header.partition(";")[0], "Sampled=1" in header) == (root, True)


def test_a_batch_has_the_longest_chain_of_each_function() -> None:
    long, other = f"Root=1-0-1;Lineage=1:{MINE}:9", f"Root=1-0-2;Lineage=1:{MINE}:2|1:{OTHER}:7"

    assert parse_lineage(merge_traces([None, other, long])) == {MINE: 9, OTHER: 7}
    assert merge_traces([None, "Root=1-0-1;Sampled=0"]) is None
    assert merge_traces([f"Lineage=1:{MINE}:0"]) == f"Lineage=1:{MINE}:0"
