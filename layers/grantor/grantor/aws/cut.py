"""Text and lists cut to the size that a service takes, and never without saying so."""

import json
from collections.abc import Mapping
from typing import Any

LEFT_OUT = "left_out"  # where a cut mapping says how many items each of its lists lacks


def lines_cut(text: str, most: int) -> str:
    r"""The text in at most so many bytes: whole lines, and a last one that says how many are missing.

    >>> print(lines_cut("\n".join(f"+ grant {n}" for n in range(100)), 60))
    + grant 0
    + grant 1
    … and 98 more lines, cut for size
    """
    if _bytes(text) <= most:
        return text
    lines = text.split("\n")
    kept, room = 0, most - _bytes(f"… and {len(lines)} more lines, cut for size")
    while (room := room - _bytes(lines[kept]) - 1) >= 0:
        kept += 1
    return "\n".join([*lines[:kept], f"… and {len(lines) - kept} more lines, cut for size"])


def lists_cut(detail: Mapping[str, Any], most: int) -> dict[str, Any]:
    """The detail in at most so many bytes of JSON: its longest lists are halved, and `left_out` counts what each lacks.

    ValueError where it is too large without any list.

    >>> lists_cut({"run": "r1", "done": ["+ grant 1", "+ grant 2", "+ grant 3", "+ grant 4"]}, 74)
    {'run': 'r1', 'done': ['+ grant 1', '+ grant 2'], 'left_out': {'done': 2}}
    """
    cut: dict[str, Any] = dict(detail)
    while _bytes(json.dumps(cut, ensure_ascii=False)) > most:
        longest = max(
            (name for name, value in cut.items() if isinstance(value, list) and value), key=lambda n: _size(cut[n]), default=""
        )
        if not longest:
            raise ValueError(f"it has more than {most:,} bytes, and no list that could be cut")
        kept = cut[longest][: len(cut[longest]) // 2]
        missing = {**cut.get(LEFT_OUT, {}), longest: len(detail[longest]) - len(kept)}
        cut |= {longest: kept, LEFT_OUT: missing}
    return cut


def _size(value: Any) -> int:
    return _bytes(json.dumps(value, ensure_ascii=False))


def _bytes(text: str) -> int:
    return len(text.encode())
