"""The chain of requests that an invocation is part of, as Lambda counts it in trace headers.

A trace header names each function of the chain with the number of its earlier invocations:
`Root=…;Parent=…;Sampled=0;Lineage=1:fe460cdd:3`. Lambda hands it to the runtime, botocore sends it
with every call (botocore, `handlers.add_recursion_detection_header`), and SQS keeps it with the
message as `AWSTraceHeader`.

Source: AWS, "Use Lambda recursive loop detection to prevent infinite loops", and published headers:
a function's first invocation has 0. AWS says "approximately 16"; here it is 16. The number before a
function is 1 in every published header. What it means is not published.
"""

import re
import secrets
import time
import zlib
from collections.abc import Iterable, Mapping

MAX_INVOCATIONS = 16  # of one function in a chain; the next one is refused
LINEAGE_ENTRY = re.compile(r"(?:^|:)([0-9a-f]{8}):(\d+)$")


def parse_lineage(header: str | None) -> dict[str, int]:
    """Return how often each function of a header was invoked before its last invocation.

    >>> parse_lineage("Root=1-0-0;Sampled=0;Lineage=1:fe460cdd:3|a87bd80c:1")
    {'fe460cdd': 3, 'a87bd80c': 1}
    """
    entries = _split_header(header).get("Lineage", "").split("|")
    found = [match for entry in entries if (match := LINEAGE_ENTRY.search(entry))]
    return {match[1]: int(match[2]) for match in found}


def identify_function(arn: str) -> str:
    """Return how a lineage names the function. AWS's names have this form."""
    return f"{zlib.crc32(arn.encode()):08x}"


def count_invocations(header: str | None, function: str) -> int:
    """Return how often the function was invoked in the chain that sends this header."""
    return parse_lineage(header).get(function, -1) + 1


def extend_trace(header: str | None, function: str, sampled: bool) -> str:
    """Return the header of an invocation of the function that this header led to.

    A header without a root begins a trace. `sampled` is what a new trace says of itself.
    """
    known = _split_header(header)
    root = known.get("Root") or f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    mark = known.get("Sampled") or str(int(sampled))
    counts = parse_lineage(header) | {function: count_invocations(header, function)}
    lineage = "|".join(f"1:{name}:{count}" for name, count in counts.items())
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled={mark};Lineage={lineage}"


def merge_traces(headers: Iterable[str | None]) -> str | None:
    """Return a header with the longest chain of each function, for an invocation with a batch.

    The root is that of the first header. None if no header has a lineage.

    >>> merge_traces([None, "Root=1-0-0;Lineage=1:fe460cdd:3", "Root=1-1-1;Lineage=1:fe460cdd:9"])
    'Root=1-0-0;Lineage=1:fe460cdd:9'
    """
    listed = [header for header in headers if header]
    counts: dict[str, int] = {}
    for header in listed:
        for name, count in parse_lineage(header).items():
            counts[name] = max(count, counts.get(name, 0))
    if not counts:
        return None
    root = next(iter(_split_header(header).get("Root") for header in listed), None)
    lineage = "|".join(f"1:{name}:{count}" for name, count in counts.items())
    return f"Root={root};Lineage={lineage}" if root else f"Lineage={lineage}"


def _split_header(header: str | None) -> Mapping[str, str]:
    parts = (part.strip().partition("=") for part in (header or "").split(";"))
    return {name: value for name, _, value in parts if value}
