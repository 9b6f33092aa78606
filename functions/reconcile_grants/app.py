"""Bring the grants in line with the policy files; a batch of events is one run."""

from typing import Any

from grantor.aws.services import build_services
from grantor.reconcile.handler import handle

# Kept while the environment is warm: clients, which cost more than a whole run, and what was read
# of unchanged policy files and profiles.
SERVICES = build_services()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer an SQS batch with the messages to deliver again, and a bare event with its runs."""
    return handle(SERVICES, event, context)
