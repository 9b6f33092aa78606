"""The account that is asked: plain boto3 clients by AWS's usual chain of credentials, and nobody gets into one by accident."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import botocore.loaders
import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

LIVE = "GRANTOR_LIVE"
MODELS = botocore.loaders.create_loader()  # what botocore reads from disk is most of a client's cost


class NotAsked(RuntimeError):
    """Nobody has asked for this account; the text says what to do."""


@dataclass(frozen=True)
class Account:
    """The account that the credentials are of, in the Region that the configuration names."""

    id: str
    region: str
    caller: str  # the ARN of whoever asks
    partition: str = "aws"
    _sessions: dict[str, boto3.Session] = field(default_factory=dict, repr=False, compare=False)
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Account":
        """The account that GRANTOR_LIVE names, if the credentials are of it; NotAsked else."""
        wanted = environment.get(LIVE, "")
        if not (wanted.isdigit() and len(wanted) == 12):
            raise NotAsked(f"{LIVE} is {wanted!r}: say which account is meant, by its 12 digits")
        session = boto3.Session(botocore_session=_core())
        if session.region_name is None:
            raise NotAsked("no Region is configured: say which one is meant, by AWS_DEFAULT_REGION or your AWS configuration")
        try:
            told = session.client("sts").get_caller_identity()
        except (BotoCoreError, ClientError) as why:
            raise NotAsked(f"AWS does not say whose credentials these are: {why}") from why
        if told["Account"] != wanted:
            who = f"account {told['Account']} ({told['Arn']})"
            raise NotAsked(f"{LIVE} says {wanted}, and these credentials are of {who}: nothing was done. Change one of the two")
        return cls(wanted, session.region_name, told["Arn"], told["Arn"].split(":")[1], {"": session})

    @property
    def instance(self) -> str:
        """The ARN that the account's S3 Access Grants instance in this Region has, or would have."""
        return f"arn:{self.partition}:s3:{self.region}:{self.id}:access-grants/default"

    def client(self, service: str, keys: Mapping[str, str] | None = None) -> Any:
        """A client for whoever asks, or for whoever holds `keys` as STS and GetDataAccess give them."""
        whose = keys["AccessKeyId"] if keys else ""
        if keys and whose not in self._sessions:
            named = (whose, keys["SecretAccessKey"], keys["SessionToken"], self.region)
            self._sessions[whose] = boto3.Session(*named, botocore_session=_core())
        if (service, whose) not in self._clients:
            self._clients[service, whose] = self._sessions[whose].client(service)
        return self._clients[service, whose]


def _core() -> botocore.session.Session:
    core = botocore.session.Session()
    core.register_component("data_loader", MODELS)
    return core
