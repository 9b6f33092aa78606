"""How each service words an error on the wire.

The code comes from its published model, the envelope from how the request was written.
"""

import json
import uuid
from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape

from sandbox import aws_models
from sandbox.aws_requests import RequestedOperation

Answer = tuple[int, dict[str, str], bytes]
# The errors that a model may list for an operation, the most specific first.
THROTTLES = (
    "ProvisionedThroughputExceededException",
    "RequestThrottled",
    "TooManyRequestsException",
    "ThrottledException",
    "ThrottlingException",
)
FAILURES = (
    "InternalServerError",
    "InternalServerException",
    "InternalErrorException",
    "InternalException",
    "InternalServiceFault",
    "ServiceException",
)
PLAIN_THROTTLES = {
    "query": (400, "Throttling"),
    "rest-json": (429, "ThrottlingException"),
    "s3": (503, "SlowDown"),
    "s3control": (503, "SlowDown"),
}
CAPACITY_EXCEEDED = (
    "The level of configured provisioned throughput for the table was exceeded. "
    "Consider increasing your provisioning level with the UpdateTable API."
)
CONDITION_FAILED = "The conditional request failed"


def throttle_error(asked: RequestedOperation) -> Answer:
    """Return the service's own error for too many calls."""
    status, code = _find_modelled_error(asked, THROTTLES) or PLAIN_THROTTLES.get(
        asked.form, (400, "ThrottlingException")
    )
    texts = {
        "SlowDown": "Please reduce your request rate.",
        "ProvisionedThroughputExceededException": CAPACITY_EXCEEDED,
    }
    return service_error(asked, code, status, texts.get(code, "Rate exceeded"))


def internal_error(asked: RequestedOperation) -> Answer:
    """Return the service's own error for a failure inside it."""
    _, code = _find_modelled_error(asked, FAILURES) or (
        500,
        "InternalError" if asked.form in ("s3", "s3control") else "InternalFailure",
    )
    return service_error(asked, code, 500, "We encountered an internal error. Please try again.")


def grantee_error(asked: RequestedOperation) -> Answer:
    """Return what CreateAccessGrant answers while S3 does not yet know of a new IAM role."""
    return service_error(asked, "InvalidRequest", 400, "Invalid Grantee in the request")


def condition_error(asked: RequestedOperation, body: bytes) -> Answer:
    """Return DynamoDB's error for an unmet condition; in a transaction, that of its first item."""
    if asked.operation != "TransactWriteItems":
        return service_error(asked, "ConditionalCheckFailedException", 400, CONDITION_FAILED)
    others = [{"Code": "None"} for _ in json.loads(body)["TransactItems"][1:]]
    reasons = [{"Code": "ConditionalCheckFailed", "Message": CONDITION_FAILED}, *others]
    codes = ", ".join(reason["Code"] for reason in reasons)
    text = (
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    )
    return _json_error(
        asked, "TransactionCanceledException", 400, text, CancellationReasons=reasons
    )


def service_error(asked: RequestedOperation, code: str, status: int, message: str) -> Answer:
    """Return any error, in the envelope that the caller reads."""
    named = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    match asked.form:
        case "s3":
            return _xml_error(status, "Error", named)
        case "s3control" | "rest-xml":
            return _xml_error(status, "ErrorResponse", f"<Error>{named}</Error>")
        case "query":
            who = "Sender" if status < 500 else "Receiver"
            return _xml_error(status, "ErrorResponse", f"<Error><Type>{who}</Type>{named}</Error>")
        case "cbor":
            headers = {
                "content-type": "application/cbor",
                "smithy-protocol": "rpc-v2-cbor",
            } | _query_compatible_header(asked, code, status)
            return status, headers, _encode_cbor({"__type": code, "message": message})
    return _json_error(asked, code, status, message)


def _find_modelled_error(
    asked: RequestedOperation, wanted: Iterable[str]
) -> tuple[int, str] | None:
    """Return HTTP status and code of the first wanted error that the model lists for the operation.

    The status is 400 where the model has none.
    """
    try:
        model = aws_models.read_service(asked.service)
        listed = {error["shape"] for error in model.operations[asked.operation].get("errors", [])}
    except (FileNotFoundError, KeyError):
        return None
    found = next((name for name in wanted if name in listed), None)
    if found is None:
        return None
    said = model.shapes[found].get("error") or {}
    return said.get("httpStatusCode", 400), said.get("code", found)


def _json_error(
    asked: RequestedOperation, code: str, status: int, message: str, **more: Any
) -> Answer:
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "x-amzn-requestid": str(uuid.uuid4()),
        "x-amzn-errortype": code,
    }
    body = json.dumps({"__type": code, "message": message, "Message": message} | more).encode()
    return status, headers | _query_compatible_header(asked, code, status), body


def _query_compatible_header(asked: RequestedOperation, code: str, status: int) -> dict[str, str]:
    """Return the header with the code of the query protocol.

    Services that once used that protocol send it, and clients read it.
    """
    try:
        once = "awsQueryCompatible" in aws_models.read_service(asked.service).metadata
    except FileNotFoundError:
        once = False
    return (
        {"x-amzn-query-error": f"{code};{'Sender' if status < 500 else 'Receiver'}"} if once else {}
    )


def _xml_error(status: int, root: str, inner: str) -> Answer:
    request_id = str(uuid.uuid4())
    body = (
        '<?xml version="1.0" '
        f'encoding="UTF-8"?>\n<{root}>{inner}<RequestId>{request_id}</RequestId></{root}>'
    )
    return (
        status,
        {"content-type": "application/xml", "x-amz-request-id": request_id},
        body.encode(),
    )


def _encode_cbor(texts: dict[str, str]) -> bytes:
    """Return a map of a few texts, each below 64 KiB (RFC 8949: major type 5 and 3)."""
    words = [word.encode() for pair in texts.items() for word in pair]
    return bytes([0xA0 + len(texts)]) + b"".join(
        b"\x79" + len(word).to_bytes(2, "big") + word for word in words
    )
