"""Any bell rings: bring the grants in line with the policy files. A batch of bells is one run."""

from typing import Any

from grantor.aws.services import world
from grantor.reconcile.handler import ring

# Kept while the environment is warm: clients cost more than a whole run, and what was read of unchanged files and profiles stays.
WORLD = world()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answers an SQS batch with the messages to ring again, and a bare EventBridge event with the report."""
    return ring(WORLD, event, context)
