"""Errors of AWS by their code: none of the Access Grants errors is modelled in botocore, so the code is all there is."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

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
