"""Every call that reached the server: counted by operation and caller from the start, and the last 100,000 of them in order."""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from sandbox.server.control import ANSWERS
from sandbox.server.judged import Judgement
from sandbox.server.seams import wrap

KEPT = 100_000
COUNTS: dict[tuple[str, str, str], list[int]] = {}  # service, operation, caller: how many were answered, how many refused
RECORD: deque["Call"] = deque(maxlen=KEPT)


@dataclass(frozen=True, slots=True)
class Call:
    """One call: when it ended (seconds of the epoch), the status that the caller saw (0: none), what was judged, the fault that struck.

    Of a session of a role `session` is the name, and `vended` what Access Grants gave it for, as "READ s3://data/UserA/*"; empty for others.
    """

    service: str
    operation: str
    principal: str
    status: int
    judged: tuple[Judgement, ...]
    fault: str | None
    session: str = ""
    vended: str = ""
    time: float = field(default_factory=time.time)


def install() -> None:
    """Answer for what was called; forget it with everything else."""
    ANSWERS["calls"] = answer
    wrap("ministack.services.sts", "reset", "", _resetting)


def note(call: Call) -> None:
    """Count and keep one call."""
    counted = COUNTS.setdefault((call.service, call.operation, call.principal), [0, 0])
    counted[not 0 < call.status < 400] += 1
    RECORD.append(call)


def answer(method: str, query: dict[str, str], _: bytes) -> tuple[int, Any]:
    """GET the counts, or with `record` the record; DELETE begins anew."""
    if method == "DELETE":
        forget()
        return 200, []
    return 200, [_shown(call) for call in RECORD] if "record" in query else _counted()


def forget() -> None:
    COUNTS.clear()
    RECORD.clear()


def _counted() -> list[dict[str, Any]]:
    return [
        {"service": service, "operation": operation, "principal": principal, "answered": answered, "refused": refused}
        for (service, operation, principal), (answered, refused) in sorted(COUNTS.items())
    ]


def _shown(call: Call) -> dict[str, Any]:
    judged = [{"action": action, "resource": resource, "allowed": allowed} for action, resource, allowed in call.judged]
    told = {
        name: getattr(call, name)
        for name in ("time", "service", "operation", "principal", "session", "vended", "status", "fault")
    }
    return told | {"resource": call.judged[0][1] if call.judged else None, "judged": judged}


def _resetting(original: Any) -> Any:
    def reset() -> None:
        forget()
        original()

    return reset
