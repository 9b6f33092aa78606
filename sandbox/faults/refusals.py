"""How each service words a refusal on the wire: its own codes from its published model, its own envelope from how it was asked."""

import json
import uuid
from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape

from sandbox import published
from sandbox.operations import Asked

Answer = tuple[int, dict[str, str], bytes]
# The errors that a model may list for an operation, the most particular first.
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
PLAIN = {
    "query": (400, "Throttling"),
    "rest-json": (429, "ThrottlingException"),
    "s3": (503, "SlowDown"),
    "s3control": (503, "SlowDown"),
}
CAPACITY = (
    "The level of configured provisioned throughput for the table was exceeded. "
    "Consider increasing your provisioning level with the UpdateTable API."
)
UNMET = "The conditional request failed"


def throttled(asked: Asked) -> Answer:
    """Too many calls, as this service says it."""
    status, code = _modelled(asked, THROTTLES) or PLAIN.get(asked.form, (400, "ThrottlingException"))
    texts = {"SlowDown": "Please reduce your request rate.", "ProvisionedThroughputExceededException": CAPACITY}
    return refused(asked, code, status, texts.get(code, "Rate exceeded"))


def failed(asked: Asked) -> Answer:
    """A failure inside the service."""
    _, code = _modelled(asked, FAILURES) or (500, "InternalError" if asked.form in ("s3", "s3control") else "InternalFailure")
    return refused(asked, code, 500, "We encountered an internal error. Please try again.")


def unknown_grantee(asked: Asked) -> Answer:
    """What CreateAccessGrant says while IAM has not yet told S3 of a role."""
    return refused(asked, "InvalidRequest", 400, "Invalid Grantee in the request")


def unmet(asked: Asked, body: bytes) -> Answer:
    """A condition of DynamoDB that does not hold; in a transaction that of its first item."""
    if asked.operation != "TransactWriteItems":
        return refused(asked, "ConditionalCheckFailedException", 400, UNMET)
    others = [{"Code": "None"} for _ in json.loads(body)["TransactItems"][1:]]
    reasons = [{"Code": "ConditionalCheckFailed", "Message": UNMET}, *others]
    codes = ", ".join(reason["Code"] for reason in reasons)
    text = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    return _json(asked, "TransactionCanceledException", 400, text, CancellationReasons=reasons)


def refused(asked: Asked, code: str, status: int, message: str) -> Answer:
    """Any refusal, in the envelope that the asker reads."""
    named = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    match asked.form:
        case "s3":
            return _xml(status, "Error", named)
        case "s3control" | "rest-xml":
            return _xml(status, "ErrorResponse", f"<Error>{named}</Error>")
        case "query":
            who = "Sender" if status < 500 else "Receiver"
            return _xml(status, "ErrorResponse", f"<Error><Type>{who}</Type>{named}</Error>")
        case "cbor":
            told = {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"} | _compatible(asked, code, status)
            return status, told, _cbor({"__type": code, "message": message})
    return _json(asked, code, status, message)


def _modelled(asked: Asked, wanted: Iterable[str]) -> tuple[int, str] | None:
    """The first of the wanted errors that the model lists for the operation: its HTTP status (400 where unsaid) and its code."""
    try:
        model = published.service(asked.service)
        listed = {error["shape"] for error in model.operations[asked.operation].get("errors", [])}
    except (FileNotFoundError, KeyError):
        return None
    found = next((name for name in wanted if name in listed), None)
    if found is None:
        return None
    said = model.shapes[found].get("error") or {}
    return said.get("httpStatusCode", 400), said.get("code", found)


def _json(asked: Asked, code: str, status: int, message: str, **more: Any) -> Answer:
    told = {"content-type": "application/x-amz-json-1.0", "x-amzn-requestid": str(uuid.uuid4()), "x-amzn-errortype": code}
    body = json.dumps({"__type": code, "message": message, "Message": message} | more).encode()
    return status, told | _compatible(asked, code, status), body


def _compatible(asked: Asked, code: str, status: int) -> dict[str, str]:
    """Services that once spoke the query protocol tell that protocol's code in a header, and clients go by it."""
    try:
        once = "awsQueryCompatible" in published.service(asked.service).metadata
    except FileNotFoundError:
        once = False
    return {"x-amzn-query-error": f"{code};{'Sender' if status < 500 else 'Receiver'}"} if once else {}


def _xml(status: int, root: str, inner: str) -> Answer:
    request_id = str(uuid.uuid4())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{inner}<RequestId>{request_id}</RequestId></{root}>'
    return status, {"content-type": "application/xml", "x-amz-request-id": request_id}, body.encode()


def _cbor(texts: dict[str, str]) -> bytes:
    """A map of a few texts, each below 64 KiB (RFC 8949: major type 5 and 3)."""
    words = [word.encode() for pair in texts.items() for word in pair]
    return bytes([0xA0 + len(texts)]) + b"".join(b"\x79" + len(word).to_bytes(2, "big") + word for word in words)
