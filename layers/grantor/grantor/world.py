"""The composition root: the environment becomes clients, and clients become the five things that a run talks to.

The ledger of what is ours (design: DynamoDB, one item a grant) will be the sixth; until then the tag on each grant is asked.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import boto3
from botocore.config import Config

from grantor.aws.access_grants import AccessGrants
from grantor.aws.policy_files import PolicyFiles
from grantor.aws.studio import Studio


@dataclass(frozen=True)
class World:
    """What a run sees of the world, and the names it has there."""

    grants: AccessGrants
    policies: PolicyFiles
    studio: Studio
    data_bucket: str
    policy_bucket: str
    clock: Callable[[], float]  # seconds since 1970


def world(environment: Mapping[str, str] | None = None) -> World:
    """The world that the function's environment names; KeyError with the variable's name if one is missing."""
    given = os.environ if environment is None else environment
    session = boto3.Session()
    config = Config(retries={"mode": "adaptive", "max_attempts": 8})
    control = session.client("s3control", config=config)
    return World(
        grants=AccessGrants(control, given["ACCOUNT"], session.region_name, given["STACK"]),
        policies=PolicyFiles(session.client("s3", config=config), given["POLICY_BUCKET"]),
        studio=Studio(session.client("sagemaker", config=config)),
        data_bucket=given["DATA_BUCKET"],
        policy_bucket=given["POLICY_BUCKET"],
        clock=time.time,
    )
