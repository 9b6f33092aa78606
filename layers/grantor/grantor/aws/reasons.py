"""Reasons as the ledger keeps them: short text that people can read, and packed bytes where there are very many."""

import json
import zlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from grantor.core.reason import Reason

READABLE = 4_000  # characters; longer text is packed, because an item has at most 400 KB


def packed(reasons: Iterable[Reason]) -> str | bytes:
    """The reasons, in an order of their own; what a reason does not have is left out.

    >>> packed([Reason("policy/a.yaml#own", ("profile D/ana",)), Reason("policy/a.yaml#team", additive=True)])
    '[["policy/a.yaml#own",["profile D/ana"]],["policy/a.yaml#team",[],null,true]]'
    """
    text = json.dumps(sorted(map(_short, reasons), key=str), separators=(",", ":"), ensure_ascii=False)
    return text if len(text) <= READABLE else zlib.compress(text.encode())


def unpacked(written: str | bytes) -> frozenset[Reason]:
    """The very reasons that were packed."""
    text = written if isinstance(written, str) else zlib.decompress(written).decode()
    return frozenset(_reason(*parts) for parts in json.loads(text))


def _short(reason: Reason) -> list[Any]:
    parts = [reason.rule, list(reason.subjects), reason.until and reason.until.isoformat(), reason.additive]
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts


def _reason(rule: str, subjects: Iterable[str] = (), until: str | None = None, additive: bool = False) -> Reason:
    return Reason(rule, tuple(subjects), datetime.fromisoformat(until) if until else None, additive)
