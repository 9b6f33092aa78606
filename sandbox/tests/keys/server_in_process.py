"""The sandbox's server in this process: bytes of a request in, bytes of an answer out, no socket.

The bytes go through the parsers that the server uses: h11, hypercorn's HTTP stream, and the whole
chain of the sandbox's and ministack's applications.
"""

import asyncio
import os
from collections.abc import Callable, Container
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

# Before anything of the server is imported.
os.environ |= {"AUTH": "true", "MINISTACK_HOST": "localhost", "IOT_MTLS_ENABLED": "0", "LOG_LEVEL": "ERROR"}  # fmt: skip

import boto3
import botocore.session
import h11
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials
from hypercorn.config import Config as ServerConfig
from hypercorn.protocol.events import Body, EndBody, Request
from hypercorn.protocol.http_stream import HTTPStream

from sandbox.server.__main__ import install

ENDPOINT = "http://localhost:4566"
Handler = Callable[[dict[str, Any], Any, Any], Any]


class RawBody:
    """The body of an answer, as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Any:
        yield self._body

    def read(self, *_: Any) -> bytes:
        body, self._body = self._body, b""
        return body


class ServerInProcess:
    """The server, with boto3 clients whose requests it gets."""

    def __init__(self) -> None:
        install()
        import ministack.app

        from sandbox.server.sign_in import START_KEYS

        self._app: Handler = ministack.app.app
        self._loop = asyncio.new_event_loop()
        self._config = ServerConfig()
        self.root = START_KEYS.credentials
        self._caller = Credentials("nobody", "none")

    def client(self, service: str, **options: Any) -> Any:
        """Return a boto3 client of the account's root. It sends what it would send to a socket."""
        return self._make_client(Credentials(*list_keys(self.root)), service, **options)

    def caller_client(self, service: str, **options: Any) -> Any:
        """Return a boto3 client of whoever is the caller at each call."""
        return self._make_client(self._caller, service, **options)

    def set_caller(self, keys: dict[str, str]) -> None:
        caller = self._caller
        caller.access_key, caller.secret_key, caller.token = list_keys(keys)

    def _make_client(self, credentials: Credentials, service: str, **options: Any) -> Any:
        core = botocore.session.Session()
        core._credentials = credentials
        config = Config(retries={"total_max_attempts": 1}, inject_host_prefix=False, **options)
        made = boto3.Session(botocore_session=core, region_name="us-east-1").client(
            service, endpoint_url=ENDPOINT, config=config
        )
        made.meta.events.register("before-send", self._answer)
        return made

    def list_judged(self) -> set[tuple[str, str]]:
        """Return the actions and ARNs that IAM was asked about for the last call."""
        from sandbox.server.gateway import CALL_RECORD

        return {(action, arn) for action, arn, _ in CALL_RECORD[-1].judged}

    def forget_objects(self, kept: Container[str]) -> None:
        """Forget all objects but these, and every upload: lists get long otherwise."""
        from ministack.services import s3

        s3._multipart_uploads.clear()
        for bucket in s3._buckets.values():
            for key in [it for it in bucket["objects"] if it not in kept]:
                del bucket["objects"][key]

    def get(self, url: str) -> int:
        """Get a presigned address; return the status."""
        host = urlsplit(url).netloc
        return self.send(f"GET {url.split(host, 1)[1]} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())[
            0
        ]

    def _answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        status, headers, body = self.send(write_request(request))
        return AWSResponse(request.url, status, dict(headers), RawBody(body))

    def send(self, sent: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """Send the bytes of one request."""
        return self._loop.run_until_complete(self._serve(sent))

    async def _serve(self, sent: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        scope, received = await self._read(sent)
        answers: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return received.pop(0) if received else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            answers.append(message)

        await self._app(scope, receive, send)
        headers = [(name.decode(), value.decode()) for name, value in answers[0]["headers"]]
        return answers[0]["status"], headers, b"".join(it.get("body", b"") for it in answers[1:])

    async def _read(self, sent: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Parse a request as the server's HTTP stream does: its scope, and its messages."""
        scope: dict[str, Any] = {}
        messages: list[dict[str, Any]] = []

        async def put(message: dict[str, Any]) -> None:
            messages.append(message)

        async def spawn_app(_: Any, __: Any, parsed: dict[str, Any], ___: Any) -> Any:
            scope.update(parsed)
            return put

        group: Any = SimpleNamespace(spawn_app=spawn_app)
        nothing: Any = None
        stream = HTTPStream(nothing, self._config, nothing, group, False, ("127.0.0.1", 1), None, put, 1)  # fmt: skip
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(sent)
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Request):
                await stream.handle(
                    Request(1, list(event.headers), "1.1", event.method.decode(), event.target, {})
                )
            elif isinstance(event, h11.Data):
                await stream.handle(Body(1, bytes(event.data)))
        await stream.handle(EndBody(1))
        return scope, messages


def list_keys(keys: dict[str, str]) -> tuple[str, str, str | None]:
    return keys["AccessKeyId"], keys["SecretAccessKey"], keys.get("SessionToken")


def write_request(request: AWSPreparedRequest) -> bytes:
    """Return the bytes that http.client writes for a prepared request."""
    url = urlsplit(request.url)
    target = request.url.split(url.netloc, 1)[1] or "/"
    body = request.body or b""
    content = body.read() if hasattr(body, "read") else body
    content = content.encode() if isinstance(content, str) else bytes(content)
    headers = {"Host": url.netloc} | {
        name: value.decode() if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
        if name.lower() not in ("content-length", "transfer-encoding", "expect")
    }
    lines = [f"{request.method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(content)}", "", ""]
    return "\r\n".join(lines).encode() + content
