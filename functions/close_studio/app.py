"""Custom resources of the Studio stack: when it goes, end what people started, and remove what SageMaker made by itself.

Neither is CloudFormation's own, and each would keep something of the stack from being deleted.
"""

from collections.abc import Mapping
from typing import Any

from grantor.aws import cleanup
from grantor.aws.clients import Clients
from grantor.teardown.custom_resource import Turn, leave


def handler(event: dict[str, Any], context: Any) -> None:
    """Only Delete does anything; repeating it after a failure goes on where it stopped."""
    leave(event, context, {"Custom::StudioInhabitants": end, "Custom::StudioHome": remove}[event["ResourceType"]])


def end(properties: Mapping[str, Any], _: Turn) -> dict[str, str]:
    """End everything in `Domain` but the profiles named in `Profiles`, which are the stack's own."""
    cleanup.delete_occupants(Clients().sagemaker, properties["Domain"], properties["Profiles"])
    return {}


def remove(properties: Mapping[str, Any], turn: Turn) -> dict[str, str]:
    """Remove the domain's file system and security groups from `Vpc`; where `Retain` is "true" the file system stays."""
    cleanup.remove(Clients(), properties["Vpc"], properties["Retain"] == "true" and not turn.undone)
    return {}
