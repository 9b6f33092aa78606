"""The Lambda Runtime API of one execution environment, version 2018-06-01, on a loopback port of its own.

Source: AWS, "Using the Lambda runtime API for custom runtimes"; the client is AWS's own, awslambdaric.
"""

import json
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import Any, Literal

LARGEST = 6 * 1024 * 1024 + 100  # bytes of an answer; AWS, "Lambda quotas", and the text of its refusal
TOO_LARGE = {
    "errorType": "Function.ResponseSizeTooLarge",
    "errorMessage": f"Response payload size exceeded maximum allowed payload size ({LARGEST} bytes).",
}


@dataclass(frozen=True)
class Invocation:
    """What the runtime is given: the payload, and the headers that become the handler's context."""

    request_id: str
    payload: bytes
    arn: str
    deadline: float  # seconds since the epoch
    trace_id: str | None = None

    def headers(self) -> dict[str, str]:
        """The headers of `GET /runtime/invocation/next`."""
        told = {
            "Lambda-Runtime-Aws-Request-Id": self.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(self.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.arn,
            "Content-Type": "application/json",
        }
        return told | ({"Lambda-Runtime-Trace-Id": self.trace_id} if self.trace_id else {})


@dataclass(frozen=True)
class Word:
    """What was heard from the process: it waits for work, it answered, it failed, or it ended."""

    kind: Literal["next", "response", "error", "init", "exit"]
    request_id: str = ""
    body: bytes = b""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A process that is ended hangs up in the middle of a call, and whoever waits for it is told of its end otherwise."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class RuntimeApi:
    """One process's side: `give` it work, `hear` what it says."""

    def __init__(self) -> None:
        self._work: SimpleQueue[Invocation | None] = SimpleQueue()
        self._words: SimpleQueue[Word] = SimpleQueue()
        self._server = _Server(("127.0.0.1", 0), _handler(self._work, self._words))
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 60}, daemon=True).start()

    @property
    def address(self) -> str:
        """What AWS_LAMBDA_RUNTIME_API has."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def give(self, invocation: Invocation) -> None:
        self._work.put(invocation)

    def tell(self, word: Word) -> None:
        """Note what was heard in another way: the end of the process."""
        self._words.put(word)

    def hear(self, until: float) -> Word | None:
        """The next word; None if there is none before `until`, in seconds of `time.monotonic()`."""
        try:
            return self._words.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            return None

    def close(self) -> None:
        """Stop listening, without waiting for the listener's own pause."""
        self._work.put(None)
        threading.Thread(target=self._server.shutdown, daemon=True).start()
        self._server.server_close()


def _handler(work: SimpleQueue[Invocation | None], words: SimpleQueue[Word]) -> type[BaseHTTPRequestHandler]:
    return type("Handler", (_Handler,), {"work": work, "words": words})


class _Handler(BaseHTTPRequestHandler):
    work: SimpleQueue[Invocation | None]
    words: SimpleQueue[Word]
    protocol_version = "HTTP/1.1"
    # Header and body leave in one segment: apart, they cost the client 40 ms of delayed acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """/runtime/invocation/next"""
        self.words.put(Word("next"))
        invocation = self.work.get()
        if invocation is None:
            self.close_connection = True
        else:
            self._answer(200, invocation.headers(), invocation.payload)

    def do_POST(self) -> None:
        """/runtime/init/error, /runtime/invocation/ID/response, /runtime/invocation/ID/error"""
        body = self._body()
        what = self.path.split("/runtime/")[1].split("/")
        if what == ["init", "error"]:
            return self._take(Word("init", body=body))
        if what[2] == "response" and len(body) > LARGEST:
            self.words.put(Word("error", what[1], json.dumps(TOO_LARGE).encode()))
            return self._answer(413, {}, b"{}")
        return self._take(Word("response" if what[2] == "response" else "error", what[1], body))

    def _take(self, word: Word) -> None:
        self.words.put(word)
        self._answer(202, {"Content-Type": "application/json"}, b'{"status":"OK"}')

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            return b"".join(iter(self._chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().split(b";")[0], 16)
        chunk = self.rfile.read(size)
        self.rfile.readline()
        return chunk

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *values: Any) -> None:  # noqa: A002  -- the base class names it so
        """Say nothing: what passes here stands in the function's own log."""
