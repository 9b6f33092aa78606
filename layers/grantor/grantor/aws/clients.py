"""Errors of AWS by their code: none of the Access Grants errors is modelled in botocore, so the code is all there is."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore import exceptions
from botocore.config import Config
from botocore.exceptions import ClientError, IncompleteReadError
from botocore.parsers import ResponseParserError
from botocore.utils import parse_timestamp

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_identitystore import IdentityStoreClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3control import S3ControlClient
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sso_admin import SSOAdminClient
    from mypy_boto3_sts import STSClient


# What a later run may find mended by itself: throttles and faults of the service, as each service names them.
PASSING = {
    "InternalError",
    "InternalException",
    "InternalFailure",
    "InternalServerError",
    "InternalServerException",
    "InternalServiceFault",
    "OperationAborted",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}
# No answer, or not all of it: what was asked may have been done all the same.
UNANSWERED = (
    exceptions.HTTPClientError,
    exceptions.ConnectionError,
    exceptions.IncompleteReadError,
    exceptions.FlexibleChecksumError,
    ResponseParserError,  # half an answer in XML
)


class NotYet(RuntimeError):
    """AWS can not do this now and will be able to soon; the text says what is missing."""


class Overtaken(RuntimeError):
    """The lease has passed to another run, so nothing may be written any more; the other run reads everything afresh."""


def code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def message(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))


@contextmanager
def passing() -> Iterator[None]:
    """Turns what passes by itself, and an answer that never came, into NotYet; everything else goes through as it is."""
    try:
        yield
    except UNANSWERED as error:
        raise NotYet(str(error)) from error
    except ClientError as error:
        if code(error) not in PASSING:
            raise
        raise NotYet(f"{code(error)}: {message(error)}") from error


AT_ONCE = 8  # of a client's ten connections


def each[T, R](read: Callable[[T], R], things: Iterable[T]) -> list[R]:
    """What is read of each of the things, in their order, some of them at once. Raises as the first of them does that fails."""
    listed = list(things)
    if len(listed) < 2:
        return list(map(read, listed))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(read, listed))


# Throttled calls slow down by themselves; who does not answer is given up early enough for the run to say so.
CONFIG = Config(retries={"mode": "adaptive", "max_attempts": 8}, connect_timeout=3, read_timeout=20)
# A function that is about to run out of time can not wait for long; its queue can.
IMPATIENT = Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=3, read_timeout=10)


def moment(written: Any) -> datetime:
    """A time in an answer, as botocore would read it; ISO 8601 in a hundredth of the time, since each grant of a list has one.

    >>> moment("2026-11-24T09:00:00.5Z") == parse_timestamp("2026-11-24T09:00:00.5Z")
    True
    """
    if isinstance(written, str) and written[10:11] == "T":
        return datetime.fromisoformat(written)
    return parse_timestamp(written)


def whole(**event: Any) -> None:
    """IncompleteReadError for half an answer: botocore takes half a text of JSON for an answer that says nothing, so for an empty list.

    It handles botocore's event before-parse. An answer that is streamed is compared when it is read, by botocore; one to HEAD has no body.
    """
    body, told = event["response_dict"]["body"], event["response_dict"]["headers"].get("content-length")
    if told and isinstance(body, bytes) and len(body) != int(told) and event["operation_model"].http["method"] != "HEAD":
        raise IncompleteReadError(actual_bytes=len(body), expected_bytes=told)


def prepared(core: botocore.session.Session) -> botocore.session.Session:
    """The session, so that its clients read times fast and answers whole or not at all."""
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=moment)
    core.register("before-parse", whole)
    return core


class Clients:
    """One client a service, all of one session, which reads AWS's models from disk once. Making them needs no call."""

    def __init__(self, region: str | None = None) -> None:
        self._region = region

    @cached_property
    def session(self) -> boto3.Session:
        """The session of the environment: its credentials, and its Region unless another was told."""
        return boto3.Session(botocore_session=prepared(botocore.session.get_session()), region_name=self._region)

    @cached_property
    def cloudformation(self) -> "CloudFormationClient":
        return self.session.client("cloudformation", config=CONFIG)

    # Without stubs of their own; only leaving needs these three.
    @cached_property
    def ec2(self) -> Any:
        return self.session.client("ec2", config=CONFIG)

    @cached_property
    def efs(self) -> Any:
        return self.session.client("efs", config=CONFIG)

    @cached_property
    def functions(self) -> Any:
        return self.session.client("lambda", config=CONFIG)

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        return self.session.client("dynamodb", config=CONFIG)

    @cached_property
    def events(self) -> "EventBridgeClient":
        return self.session.client("events", config=CONFIG)

    @cached_property
    def identitystore(self) -> "IdentityStoreClient":
        return self.session.client("identitystore", config=CONFIG)

    @cached_property
    def s3(self) -> "S3Client":
        return self.session.client("s3", config=CONFIG)

    @cached_property
    def s3control(self) -> "S3ControlClient":
        return self.session.client("s3control", config=CONFIG)

    @cached_property
    def sagemaker(self) -> "SageMakerClient":
        return self.session.client("sagemaker", config=CONFIG)

    @cached_property
    def processing(self) -> "SageMakerClient":
        """SageMaker for whoever would rather come again than wait."""
        return self.session.client("sagemaker", config=IMPATIENT)

    @cached_property
    def sns(self) -> "SNSClient":
        return self.session.client("sns", config=CONFIG)

    @cached_property
    def sqs(self) -> "SQSClient":
        return self.session.client("sqs", config=CONFIG)

    @cached_property
    def sso_admin(self) -> "SSOAdminClient":
        return self.session.client("sso-admin", config=CONFIG)

    @cached_property
    def sts(self) -> "STSClient":
        return self.session.client("sts", config=CONFIG)
