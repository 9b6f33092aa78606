"""A process that has read everything and called nobody: each run of the engine is a fork of it,
which may be killed at any moment.

It gets a run as a line of JSON, and answers with the run's process id, then with how the run ended.
It has one thread, or its forks could begin life with another thread's lock held.
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
from tests.engine.watch import Ahead
from tests.estate import session

ROOT_KEYS = {"AccessKeyId": "test", "SecretAccessKey": "test"}
SERVICES = ("dynamodb", "s3", "s3control", "sagemaker", "sqs", "events", "sns")
LONG = 600.0  # seconds that a run has


def clients(config: Path) -> Clients:
    """Clients of every service that a run talks to, none of which has talked yet."""
    made = Clients()
    made.session = session(config, ROOT_KEYS)
    for service in SERVICES:
        getattr(made, service)
    return made


def main(names: StackNames, config: Path) -> None:
    ready = clients(config)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _run(names, ready, json.loads(line))
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _run(names: StackNames, ready: Clients, order: dict[str, Any]) -> NoReturn:
    """One run, as the function does it, and the end of this process; if the run fails, as Python
    ends.
    """
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    world = Ahead(names, ready, ahead=order["ahead"])
    triggers = [Trigger(kind, tuple(about)) for kind, about in order["triggers"]]
    run_until_drained(world, triggers, world.clock() + LONG, partial(publish_quietly, world))
    os._exit(0)


if __name__ == "__main__":
    main(StackNames(**json.loads(sys.argv[1])), Path(sys.argv[2]))
