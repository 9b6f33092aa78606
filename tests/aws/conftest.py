"""What the tests of the room that talks to AWS share: a table of their own, and answers that are counted, replaced or lost."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

from grantor.aws.dynamodb import Table
from grantor.aws.lease import Lease, Leases
from tests.conftest import Sandbox
from tests.sandbox.desk import make_table


@pytest.fixture
def table(server: Sandbox) -> Table:
    """A table with the keys that the template gives it; nobody else's."""
    return Table(server.client("dynamodb"), make_table(server))


@pytest.fixture
def lease(table: Table) -> Lease:
    """The lease of the table, held."""
    held = Leases(table).ring("holder", {}, 0, 60)
    assert held
    return held


def counted(client: Any) -> Counter[str]:
    """From now on, how often each operation of this client is called."""
    calls: Counter[str] = Counter()
    client.meta.events.register("before-call.*", lambda model, **_: calls.update([model.name]))
    return calls


def answering(client: Any, operation: str, *answers: Callable[[Any], AWSResponse | None]) -> None:
    """The next calls of the operation are answered by these, one each; None sends the call on."""
    waiting = list(answers)

    def handle(request: Any, **_: Any) -> AWSResponse | None:
        return waiting.pop(0)(request) if waiting else None

    client.meta.events.register(f"before-send.{client.meta.service_model.service_id.hyphenize()}.{operation}", handle)


def refusing(code: str, status: int = 400, **more: Any) -> Callable[[Any], AWSResponse]:
    """An answer in JSON that refuses with this code."""

    def answer(request: Any) -> AWSResponse:
        body = json.dumps({"__type": code, "message": "said the test", **more}).encode()
        return AWSResponse(request.url, status, {"x-amzn-errortype": code}, Raw(body))

    return answer


def lost(request: Any, then: Callable[[], object] = lambda: None) -> AWSResponse:
    """The call arrives and is done, then something else happens, and its answer does not come back."""
    URLLib3Session().send(request)
    then()
    raise ConnectionClosedError(endpoint_url=request.url)


class Raw:
    """A body that was read from the wire."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Any:
        yield self._body

    def read(self, _: int | None = None) -> bytes:
        return self._body
