"""Shared by the tests of the AWS adapters: a table per test, and answers that are counted, replaced
or lost.
"""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

from grantor.aws.dynamodb import DynamoDBTable
from grantor.aws.lease import Lease, LeaseStore
from sandbox.testing.helpers import make_table
from tests.conftest import Sandbox


@pytest.fixture
def table(server: Sandbox) -> DynamoDBTable:
    """A new table with the keys and the index that the template gives it."""
    client, name = server.client("dynamodb"), make_table(server)
    index = {
        "IndexName": "approvals",
        "KeySchema": [
            {"AttributeName": "approves", "KeyType": "HASH"},
            {"AttributeName": "pk", "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "ALL"},
    }
    client.update_table(
        TableName=name,
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": "S"}
            for attribute in ("pk", "sk", "approves")
        ],
        GlobalSecondaryIndexUpdates=[{"Create": index}],
    )
    return DynamoDBTable(client, name)


@pytest.fixture
def lease(table: DynamoDBTable) -> Lease:
    """A held lease of the table."""
    held = LeaseStore(table).acquire("holder", {}, 0, 60)
    assert held
    return held


def count_calls(client: Any) -> Counter[str]:
    """Count from now on how often each operation of this client is called."""
    calls: Counter[str] = Counter()
    client.meta.events.register("before-call.*", lambda model, **_: calls.update([model.name]))
    return calls


def replace_answers(
    client: Any, operation: str, *answers: Callable[[Any], AWSResponse | None]
) -> None:
    """Answer the next calls of the operation with these, one each.

    None sends the call to the server.
    """
    waiting = list(answers)

    def handle(request: Any, **_: Any) -> AWSResponse | None:
        return waiting.pop(0)(request) if waiting else None

    client.meta.events.register(
        f"before-send.{client.meta.service_model.service_id.hyphenize()}.{operation}", handle
    )


def refuse_with(code: str, status: int = 400, **more: Any) -> Callable[[Any], AWSResponse]:
    """Build an answer in JSON that refuses with this code."""

    def answer(request: Any) -> AWSResponse:
        body = json.dumps({"__type": code, "message": "said the test", **more}).encode()
        headers: Any = {"x-amzn-errortype": code}
        return AWSResponse(request.url, status, headers, RawBody(body))

    return answer


def lose_answer(request: Any, then: Callable[[], object] = lambda: None) -> AWSResponse:
    """Send the call, do something else, and lose the answer."""
    URLLib3Session().send(request)
    then()
    raise ConnectionClosedError(endpoint_url=request.url)


class RawBody:
    """A body as read from the wire."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Any:
        yield self._body

    def read(self, _: int | None = None) -> bytes:
        return self._body
