"""A plug-in of the AWS CLI, version 1: every command uses the endpoints of the environment.

The CLI gives SQS, EMR, RDS and Health addresses of AWS's own, which take precedence over
AWS_ENDPOINT_URL (awscli, `customizations/overridesslcommonname.py`). It does so only where a
command has no endpoint yet, so this names one first. It runs in the interpreter of the CLI and
imports nothing of the sandbox.
"""

import os
from typing import Any

# Service as a command -> the end of its own AWS_ENDPOINT_URL_…
OVERRIDDEN = {name: name.upper() for name in ("docdb", "emr", "health", "neptune", "rds", "sqs")}


def awscli_initialize(cli: Any) -> None:
    """Register what follows. The CLI calls this for each plug-in in its configuration file."""
    cli.register_first("before-building-argument-table-parser", name_endpoint)


def name_endpoint(parsed_globals: Any, **_: Any) -> None:
    """Give the command the endpoint of the environment, unless it was given one."""
    if parsed_globals.endpoint_url is None and parsed_globals.command in OVERRIDDEN:
        own = os.environ.get(f"AWS_ENDPOINT_URL_{OVERRIDDEN[parsed_globals.command]}")
        parsed_globals.endpoint_url = own or os.environ.get("AWS_ENDPOINT_URL")
