"""Clients, one per service, and which of their errors are worth another attempt.

botocore makes the clients, as it does for boto3. boto3's own part is resources and transfers, which
Grantor does not use; to import it costs a cold start 16 ms (measured).
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import botocore
import botocore.session
from botocore import exceptions
from botocore.config import Config
from botocore.exceptions import ClientError, IncompleteReadError
from botocore.parsers import ResponseParserError
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker
from botocore.utils import parse_timestamp

from grantor.settings import (
    CALL_ATTEMPTS,
    CONCURRENT_CALLS,
    CONNECT_TIMEOUT_SECONDS,
    LAUNCH_CALL_ATTEMPTS,
    LAUNCH_READ_TIMEOUT_SECONDS,
    READ_TIMEOUT_SECONDS,
)

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


# Error codes after which the same call can succeed: throttling and faults of a service. botocore
# knows the codes that it retries itself; to add one that it does not know, add a line here.
TRANSIENT_CODES = {
    *vars(TransientRetryableChecker)["_TRANSIENT_ERROR_CODES"],
    *vars(ThrottledRetryableChecker)["_THROTTLED_ERROR_CODES"],
    "InternalError",
    "InternalException",
    "InternalFailure",
    "InternalServerError",
    "InternalServerException",
    "InternalServiceFault",
    "OperationAborted",
    "ServiceUnavailable",
    "ServiceUnavailableException",
}
# No answer, or half of one. The call may have had its effect.
CONNECTION_ERRORS = (
    exceptions.HTTPClientError,
    exceptions.ConnectionError,
    exceptions.IncompleteReadError,
    exceptions.FlexibleChecksumError,
    ResponseParserError,  # half an answer in XML
)


class RetryableError(RuntimeError):
    """AWS cannot do this now, but probably soon; the text says what is missing."""


class LeaseLost(RuntimeError):
    """Another run has the lease and reads everything afresh; this one must write nothing more."""


def error_code(error: ClientError) -> str:
    """The code of AWS's error.

    S3 Access Grants' errors are not in botocore's model, so there is nothing else to go by.
    """
    return str(error.response.get("Error", {}).get("Code", ""))


def error_status(error: ClientError) -> int:
    """The HTTP status of AWS's error; 0 if it is not known.

    S3 repeats the key in the body of its error. A control character in it makes the body invalid
    XML, so that botocore finds no code: the status is all that remains.
    """
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def error_message(error: ClientError) -> str:
    """The message of AWS's error."""
    return str(error.response.get("Error", {}).get("Message", ""))


@contextmanager
def retryable() -> Iterator[None]:
    """Raise RetryableError in place of transient errors and lost answers.

    All other errors pass unchanged.
    """
    try:
        yield
    except CONNECTION_ERRORS as error:
        raise RetryableError(str(error)) from error
    except ClientError as error:
        if error_code(error) not in TRANSIENT_CODES:
            raise
        raise RetryableError(f"{error_code(error)}: {error_message(error)}") from error


@contextmanager
def suppress_code(code: str) -> Iterator[None]:
    """Pass over one error of AWS, by its code."""
    try:
        yield
    except ClientError as error:
        if error_code(error) != code:
            raise


def map_concurrently[T, R](read: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Apply `read` to each item, some at the same time; results in the items' order.

    Raises the first item's error that fails.
    """
    listed = list(items)
    if len(listed) < 2:
        return list(map(read, listed))
    with ThreadPoolExecutor(CONCURRENT_CALLS) as pool:
        return list(pool.map(read, listed))


# CloudTrail shows it. botocore composes a text of its own for each call, twice, in a quarter of the
# time that a call costs here (measured).
USER_AGENT = f"Grantor Botocore/{botocore.__version__}"
# Adaptive mode slows down when throttled. The timeouts are short enough for a run to report a
# service that does not answer.
CLIENT_CONFIG = Config(
    user_agent=USER_AGENT,
    retries={"mode": "adaptive", "max_attempts": CALL_ATTEMPTS},
    connect_timeout=CONNECT_TIMEOUT_SECONDS,
    read_timeout=READ_TIMEOUT_SECONDS,
)
# A function that runs out of time cannot wait for long; its queue can.
LAUNCH_CONFIG = Config(
    user_agent=USER_AGENT,
    retries={"mode": "standard", "max_attempts": LAUNCH_CALL_ATTEMPTS},
    connect_timeout=CONNECT_TIMEOUT_SECONDS,
    read_timeout=LAUNCH_READ_TIMEOUT_SECONDS,
)


def parse_time(written: Any) -> datetime:
    """Parse a time as botocore does, but ISO 8601 in a hundredth of the time: each grant has one.

    >>> parse_time("2026-11-24T09:00:00.5Z") == parse_timestamp("2026-11-24T09:00:00.5Z")
    True
    """
    if isinstance(written, str) and written[10:11] == "T":
        return datetime.fromisoformat(written)
    return parse_timestamp(written)


def check_complete(**event: Any) -> None:
    """Raise IncompleteReadError for a truncated answer; botocore takes truncated JSON for an empty
    one.

    Handles botocore's event before-parse. botocore itself checks an answer that is streamed; one to
    HEAD has no body.
    """
    answer = event["response_dict"]
    body, announced = answer["body"], answer["headers"].get("content-length")
    if not announced or not isinstance(body, bytes) or len(body) == int(announced):
        return
    if event["operation_model"].http["method"] != "HEAD":
        raise IncompleteReadError(actual_bytes=len(body), expected_bytes=announced)


def prepare_session(session: botocore.session.Session) -> botocore.session.Session:
    """Make the clients of a session parse times fast and refuse truncated answers; return it."""
    factory = session.get_component("response_parser_factory")
    factory.set_parser_defaults(timestamp_parser=parse_time)
    session.register("before-parse", check_complete)
    return session


def _lazy_client(service: str, config: Config = CLIENT_CONFIG) -> Any:
    """A property of Clients: the client of a service, created at first use."""
    return cached_property(lambda clients: clients.create(service, config))


class Clients:
    """One client per service, all from one session, each created at first use without a call."""

    cloudformation: "CloudFormationClient" = _lazy_client("cloudformation")
    # These eight and ssm have no type stubs here; only teardown uses ec2 and efs.
    cloudtrail: Any = _lazy_client("cloudtrail")
    cloudwatch: Any = _lazy_client("cloudwatch")
    ec2: Any = _lazy_client("ec2")
    efs: Any = _lazy_client("efs")
    functions: Any = _lazy_client("lambda")
    iam: Any = _lazy_client("iam")
    lakeformation: Any = _lazy_client("lakeformation")
    quotas: Any = _lazy_client("service-quotas")
    dynamodb: "DynamoDBClient" = _lazy_client("dynamodb")
    events: "EventBridgeClient" = _lazy_client("events")
    identitystore: "IdentityStoreClient" = _lazy_client("identitystore")
    s3: "S3Client" = _lazy_client("s3")
    s3control: "S3ControlClient" = _lazy_client("s3control")
    sagemaker: "SageMakerClient" = _lazy_client("sagemaker")
    # For the launcher, which gives up early and tries again later.
    processing: "SageMakerClient" = _lazy_client("sagemaker", LAUNCH_CONFIG)
    sns: "SNSClient" = _lazy_client("sns")
    sqs: "SQSClient" = _lazy_client("sqs")
    ssm: Any = _lazy_client("ssm")
    sso_admin: "SSOAdminClient" = _lazy_client("sso-admin")
    sts: "STSClient" = _lazy_client("sts")

    def __init__(self, region: str | None = None, profile: str | None = None) -> None:
        self._region = region
        self._profile = profile

    @cached_property
    def session(self) -> botocore.session.Session:
        """A session with the environment's credentials, and its Region unless another was given.

        A profile comes before all else in the environment. With the profile "" the environment's
        own (AWS_PROFILE) is left out.
        """
        without = {"profile": (None, None, None, None)} if self._profile == "" else None
        session = botocore.session.Session(without)
        if self._profile:
            session.set_config_variable("profile", self._profile)
        if self._region:
            session.set_config_variable("region", self._region)
        return prepare_session(session)

    @property
    def region(self) -> str:
        """The Region of the clients; empty if none is configured."""
        return self.session.get_config_variable("region") or ""

    def create(self, service: str, config: Config) -> Any:
        """Create a client of a service without a call."""
        return self.session.create_client(service, config=config)
