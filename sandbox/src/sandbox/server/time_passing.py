"""/_sandbox/pass-time: what waits for a time is due as if so many seconds had passed.

Messages are so much older and visible so much sooner, batching windows and pauses of queues end,
and functions read a later time. A message that a function is working on becomes visible no sooner:
a function ends before its queue's visibility timeout. Everything else keeps the machine's time:
sessions, schedules, Studio, processing jobs.
"""

import json
from typing import Any

from sandbox.functions.moved_clock import move_clock, read_moved_seconds
from sandbox.server.control import ANSWERS
from sandbox.server.event_sources import MESSAGES_IN_FLIGHT, RECEIVING, WINDOW_ENDS
from sandbox.server.lambda_functions import FUNCTION_CLOCK
from sandbox.server.seams import use_seam

LAMBDA = "ministack.services.lambda_svc"
SQS = "ministack.services.sqs"
MESSAGE_TIMES = ("sent_at", "visible_at", "first_receive_at", "enqueued_at")


def install() -> None:
    """Answer below /_sandbox/."""
    ANSWERS["pass-time"] = answer_pass_time


def answer_pass_time(method: str, _: dict[str, str], body: bytes) -> tuple[int, Any]:
    """POST {"seconds": 600} lets time pass; GET answers how much has passed so."""
    if method != "POST":
        return 200, {"passed": read_moved_seconds(FUNCTION_CLOCK)}
    seconds = json.loads(body or b"{}").get("seconds")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0:
        return 400, {"error": f"seconds is a number from 0 on, not {seconds!r}"}
    passed = move_clock(FUNCTION_CLOCK, seconds)
    _age_messages(seconds)
    _end_pauses(seconds)
    use_seam(LAMBDA, "_esm_wake").set()
    return 200, {"passed": passed}


def _age_messages(seconds: float) -> None:
    with RECEIVING, use_seam(SQS, "_queues_lock"):
        for queue in use_seam(SQS, "_queues")._data.values():  # noqa: SLF001  -- all accounts' queues are there
            for message in queue["messages"]:
                _age_message(message, seconds)


def _age_message(message: dict[str, Any], seconds: float) -> None:
    waits = message["id"] in MESSAGES_IN_FLIGHT
    for name in MESSAGE_TIMES:
        if message.get(name) is not None and not (waits and name == "visible_at"):
            message[name] -= seconds


def _end_pauses(seconds: float) -> None:
    for mapping in WINDOW_ENDS:
        WINDOW_ENDS[mapping] -= seconds
    paused = use_seam(LAMBDA, "_esm_backoff_until")._data  # noqa: SLF001  -- all accounts' mappings are there
    for mapping in list(paused):
        paused[mapping] -= seconds
