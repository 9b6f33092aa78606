"""Custom resources of the Studio stack: when it is deleted, remove what CloudFormation did not
make.

That is what people started in the domain, and what SageMaker created for the domain by itself. Each
of them would keep something of the stack from being deleted.
"""

from collections.abc import Mapping
from typing import Any

from grantor.aws import cleanup
from grantor.aws.clients import Clients
from grantor.teardown.custom_resource import TeardownPass, TeardownStep, run_teardown


def handler(event: dict[str, Any], context: Any) -> None:
    """Run the teardown step of the resource; only Delete does anything.

    A repeated Delete after a failure continues where the last one stopped.
    """
    steps: dict[str, TeardownStep] = {
        "Custom::StudioApps": delete_occupants,
        "Custom::StudioHome": delete_home,
    }
    run_teardown(event, context, steps[event["ResourceType"]])


def delete_occupants(properties: Mapping[str, Any], _: TeardownPass) -> dict[str, str]:
    """Delete everything in `Domain` except the stack's own profiles, which `Profiles` names."""
    sagemaker = Clients().sagemaker
    cleanup.delete_domain_contents(sagemaker, properties["Domain"], properties["Profiles"])
    return {}


def delete_home(properties: Mapping[str, Any], turn: TeardownPass) -> dict[str, str]:
    """Delete the domain's file system and security groups in `Vpc`.

    If `Retain` is "true", the file system stays, unless the stack was never completed.
    """
    retain = properties["Retain"] == "true" and not turn.rolled_back
    cleanup.delete_domain_remains(Clients(), properties["Vpc"], retain)
    return {}
