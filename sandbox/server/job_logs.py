"""The output of a processing job in CloudWatch Logs, as far as its execution role allows."""

import time
from collections.abc import Callable
from typing import Any

from sandbox.server.execution_role import logging
from sandbox.server.seams import use

LOGS = "ministack.services.cloudwatch_logs"
GROUP = "/aws/sagemaker/ProcessingJobs"
MOST = 10_000  # events in one PutLogEvents
_groups = use(LOGS, "_log_groups")
_create_group = use(LOGS, "_create_log_group", "data")
_create_stream = use(LOGS, "_create_log_stream", "data")
_put_events = use(LOGS, "_put_log_events", "data")


class JobLog:
    """One stream of the group, made with its first line; `may` says what the role allows, by action and resource."""

    def __init__(self, job: str, account: str, region: str, may: Callable[[str, str], bool]) -> None:
        self._named: dict[str, Any] = {"logGroupName": GROUP, "logStreamName": f"{job}/algo-1-{int(time.time())}"}
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
            _put_events(self._named | {"logEvents": events[start : start + MOST]})

    def _opened(self) -> bool:
        exists = GROUP in _groups
        if not all(self._may(action, resource) for action, resource in logging(self._group, exists)):
            return False
        if not exists:
            _create_group({"logGroupName": GROUP})
        _create_stream(self._named)
        return True
