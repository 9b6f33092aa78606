"""A process that has imported everything and made no call. Each run is a fork of it, which can be
killed at any moment.

It reads a run as a line of JSON, and prints the run's process id, then its exit code. It has one
thread: otherwise a fork could start with a lock that another thread holds.
"""

import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from grantor.aws.clients import Clients
from grantor.aws.services import StackNames
from grantor.core.triggers import Trigger
from grantor.reconcile.handler import publish_quietly
from grantor.reconcile.lease import run_until_drained
from tests.engine.helpers import ServicesAhead
from tests.grantor_setup import build_session

SERVICES = ("dynamodb", "s3", "s3control", "sagemaker", "sqs", "events", "sns")
RUN_SECONDS = 600.0  # seconds that a run has


def build_clients(config: Path, keys: dict[str, str]) -> Clients:
    """Create clients of every service that a run calls, without a call."""
    made = Clients()
    made.session = build_session(config, keys)
    for service in SERVICES:
        getattr(made, service)
    return made


def main(names: StackNames, config: Path, keys: dict[str, str]) -> None:
    ready = build_clients(config, keys)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _run_in_child(names, ready, json.loads(line))
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _run_in_child(names: StackNames, ready: Clients, order: dict[str, Any]) -> NoReturn:
    """Run as the function does, then exit; if the run fails, exit with a traceback."""
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    services = ServicesAhead(names, ready, seconds_ahead=order["ahead"])
    triggers = [Trigger(kind, tuple(about)) for kind, about in order["triggers"]]
    run_until_drained(
        services, triggers, services.clock() + RUN_SECONDS, partial(publish_quietly, services)
    )
    os._exit(0)


if __name__ == "__main__":
    main(StackNames(**json.loads(sys.argv[1])), Path(sys.argv[2]), json.loads(sys.argv[3]))
