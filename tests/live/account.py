"""The account under test: boto3 clients with AWS's usual credential chain, and a check against
using an account by accident.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import botocore.loaders
import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

LIVE = "GRANTOR_LIVE"
MODELS = botocore.loaders.create_loader()  # reading botocore's models is most of a client's cost


class AccountNotConfirmed(RuntimeError):
    """It is not confirmed that this account is meant; the text says what to do."""


@dataclass(frozen=True)
class Account:
    """The account of the credentials, in the Region of the AWS configuration."""

    id: str
    region: str
    caller: str  # an ARN
    partition: str = "aws"
    _sessions: dict[str, boto3.Session] = field(default_factory=dict, repr=False, compare=False)
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Account":
        """The account that GRANTOR_LIVE names.

        Raises AccountNotConfirmed if the credentials are of another one.
        """
        wanted = environment.get(LIVE, "")
        if not (wanted.isdigit() and len(wanted) == 12):
            raise AccountNotConfirmed(
                f"{LIVE} is {wanted!r}: say which account is meant, by its 12 digits"
            )
        session = boto3.Session(botocore_session=_create_core())
        if session.region_name is None:
            raise AccountNotConfirmed(
                "no Region is configured: set AWS_DEFAULT_REGION or your AWS configuration"
            )
        try:
            identity = session.client("sts").get_caller_identity()
        except (BotoCoreError, ClientError) as why:
            raise AccountNotConfirmed(
                f"AWS does not say whose credentials these are: {why}"
            ) from why
        if identity["Account"] != wanted:
            who = f"account {identity['Account']} ({identity['Arn']})"
            raise AccountNotConfirmed(
                f"{LIVE} says {wanted}, and these credentials are of {who}: nothing was done. "
                "Change one of the two"
            )
        return cls(
            wanted,
            session.region_name,
            identity["Arn"],
            identity["Arn"].split(":")[1],
            {"": session},
        )

    @property
    def instance(self) -> str:
        """The ARN that the account's S3 Access Grants instance in this Region has, or
        would have.
        """
        return f"arn:{self.partition}:s3:{self.region}:{self.id}:access-grants/default"

    def client(self, service: str, keys: Mapping[str, str] | None = None) -> Any:
        """A client with the configured credentials, or with `keys` as STS and GetDataAccess return
        them.
        """
        whose = keys["AccessKeyId"] if keys else ""
        if keys and whose not in self._sessions:
            named = (whose, keys["SecretAccessKey"], keys["SessionToken"], self.region)
            self._sessions[whose] = boto3.Session(*named, botocore_session=_create_core())
        if (service, whose) not in self._clients:
            # Its type has one overload per literal service name
            session: Any = self._sessions[whose]
            self._clients[service, whose] = session.client(service)
        return self._clients[service, whose]


def _create_core() -> botocore.session.Session:
    core = botocore.session.Session()
    core.register_component("data_loader", MODELS)
    return core
