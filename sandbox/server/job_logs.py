"""The output of a processing job in CloudWatch Logs, as far as its execution role allows."""

import time
from collections.abc import Callable
from typing import Any

from sandbox.server.execution_role import logging
from sandbox.server.seams import use

LOGS = "ministack.services.cloudwatch_logs"
GROUP = "/aws/sagemaker/ProcessingJobs"
MOST = 10_000  # events in one PutLogEvents


class JobLog:
    """One stream of the group, made with its first line; `may` says what the role allows, by action and resource."""

    def __init__(self, job: str, account: str, region: str, may: Callable[[str, str], bool]) -> None:
        self._stream = f"{job}/algo-1-{int(time.time())}"
        self._group = f"arn:aws:logs:{region}:{account}:log-group:{GROUP}"
        self._may = may
        self._open: bool | None = None

    def __call__(self, lines: list[str]) -> None:
        """Leave these lines, or none where the role may not."""
        if self._open is None:
            self._open = self._opened()
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in lines if line]
        for start in range(0, len(events) if self._open else 0, MOST):
            self._asked("_put_log_events", logEvents=events[start : start + MOST])

    def _opened(self) -> bool:
        exists = GROUP in use(LOGS, "_log_groups")
        if not all(self._may(action, resource) for action, resource in logging(self._group, exists)):
            return False
        if not exists:
            self._asked("_create_log_group")
        self._asked("_create_log_stream")
        return True

    def _asked(self, operation: str, **more: Any) -> None:
        use(LOGS, operation, "data")({"logGroupName": GROUP, "logStreamName": self._stream} | more)
