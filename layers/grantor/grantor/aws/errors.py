"""Errors of AWS by their code: none of the Access Grants errors is modelled in botocore, so the code is all there is."""

from botocore.exceptions import ClientError

# What a later run may find mended by itself: throttles and faults of the service.
PASSING = {
    "SlowDown",
    "ThrottlingException",
    "TooManyRequestsException",
    "InternalError",
    "ServiceUnavailable",
    "InternalFailure",
}


class NotYet(RuntimeError):
    """AWS can not do this now and will be able to soon; the text says what is missing."""


def code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def message(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))
