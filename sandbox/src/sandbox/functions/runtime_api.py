"""The Lambda Runtime API of one execution environment, version 2018-06-01, on loopback.

Source: AWS, "Using the Lambda runtime API for custom runtimes". The client is AWS's own,
awslambdaric.
"""

import json
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import Any, Literal

from sandbox.doors import refuse_intrusion

MAX_RESPONSE = 6 * 1024 * 1024 + 100  # bytes; AWS, "Lambda quotas", and the text of the error
RESPONSE_TOO_LARGE = {
    "errorType": "Function.ResponseSizeTooLarge",
    "errorMessage": f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes).",  # noqa: E501  -- one text
}


@dataclass(frozen=True)
class Invocation:
    """What the runtime receives: the payload, and the headers that become the handler's context."""

    request_id: str
    payload: bytes
    arn: str
    deadline: float  # seconds since the epoch
    trace_id: str | None = None

    def build_headers(self) -> dict[str, str]:
        """Return the headers of `GET /runtime/invocation/next`."""
        headers = {
            "Lambda-Runtime-Aws-Request-Id": self.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(self.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.arn,
            "Content-Type": "application/json",
        }
        return headers | ({"Lambda-Runtime-Trace-Id": self.trace_id} if self.trace_id else {})


@dataclass(frozen=True)
class RuntimeMessage:
    """What the process reported: it waits for work, it answered, it failed, or it ended."""

    kind: Literal["next", "response", "error", "init", "exit"]
    request_id: str = ""
    body: bytes = b""


class _RuntimeServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a process that disconnects during a call: its end is reported in another way."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class RuntimeApi:
    """The server's side of one process: send it work, receive its messages."""

    def __init__(self) -> None:
        self._work: SimpleQueue[Invocation | None] = SimpleQueue()
        self._words: SimpleQueue[RuntimeMessage] = SimpleQueue()
        self._server = _RuntimeServer(("127.0.0.1", 0), _make_handler(self._work, self._words))
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 60}, daemon=True
        ).start()

    @property
    def address(self) -> str:
        """Return the value of AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def send_invocation(self, invocation: Invocation) -> None:
        self._work.put(invocation)

    def add_message(self, word: RuntimeMessage) -> None:
        """Add a message that did not come over HTTP: the end of the process."""
        self._words.put(word)

    def next_message(self, until: float) -> RuntimeMessage | None:
        """Return the next message; None if there is none before `until` (`time.monotonic()`)."""
        try:
            return self._words.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            return None

    def close(self) -> None:
        """Stop listening. This does not wait for the listener's poll interval."""
        self._work.put(None)
        threading.Thread(target=self._server.shutdown, daemon=True).start()
        self._server.server_close()


def _make_handler(
    work: SimpleQueue[Invocation | None], words: SimpleQueue[RuntimeMessage]
) -> type[BaseHTTPRequestHandler]:
    return type("Handler", (_RuntimeHandler,), {"work": work, "words": words})


class _RuntimeHandler(BaseHTTPRequestHandler):
    work: SimpleQueue[Invocation | None]
    words: SimpleQueue[RuntimeMessage]
    protocol_version = "HTTP/1.1"
    # Header and body leave in one segment. Apart, they cost the client 40 ms of delayed
    # acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """/runtime/invocation/next"""
        if refuse_intrusion(self):
            return
        self.words.put(RuntimeMessage("next"))
        invocation = self.work.get()
        if invocation is None:
            self.close_connection = True
        else:
            self._send_response(200, invocation.build_headers(), invocation.payload)

    def do_POST(self) -> None:
        """/runtime/init/error, /runtime/invocation/ID/response, /runtime/invocation/ID/error"""
        if refuse_intrusion(self):
            return None
        body = self._read_body()
        what = self.path.split("/runtime/")[1].split("/")
        if what == ["init", "error"]:
            return self._accept_message(RuntimeMessage("init", body=body))
        if what[2] == "response" and len(body) > MAX_RESPONSE:
            self.words.put(
                RuntimeMessage("error", what[1], json.dumps(RESPONSE_TOO_LARGE).encode())
            )
            return self._send_response(413, {}, b"{}")
        return self._accept_message(
            RuntimeMessage("response" if what[2] == "response" else "error", what[1], body)
        )

    def _accept_message(self, word: RuntimeMessage) -> None:
        self.words.put(word)
        self._send_response(202, {"Content-Type": "application/json"}, b'{"status":"OK"}')

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            return b"".join(iter(self._read_chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _read_chunk(self) -> bytes:
        size = int(self.rfile.readline().split(b";")[0], 16)
        chunk = self.rfile.read(size)
        self.rfile.readline()
        return chunk

    def _send_response(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *values: Any) -> None:  # noqa: A002  -- the base class names it so
        """Log nothing: what passes here is in the function's own log."""
