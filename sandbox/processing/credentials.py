"""The execution role's credentials as a container finds them: an address on loopback, an authorization token, a session that is renewed.

Source: AWS SDKs and Tools Reference Guide, "Container credential provider".
"""

import json
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Keys = dict[str, str]  # AccessKeyId, SecretAccessKey, SessionToken


class Credentials:
    """Serves the sessions that `make` starts, of `seconds` each; the last one as long as a third of its time is left."""

    def __init__(self, make: Callable[[float], Keys], role: str, seconds: float, clock: Callable[[], float] = time.time) -> None:
        self.token = secrets.token_urlsafe(24)
        self._make, self._role, self._seconds, self._clock = make, role, seconds, clock
        self._keys: Keys = {}
        self._until = 0.0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/credentials"

    def keys(self) -> Keys:
        """The session in force."""
        with self._lock:
            if self._clock() > self._until - self._seconds / 3:
                self._keys, self._until = self._make(self._seconds), self._clock() + self._seconds
            return self._keys

    def answer(self) -> dict[str, Any]:
        """The session in the words of the endpoint."""
        keys = self.keys()
        until = datetime.fromtimestamp(self._until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        named = {"AccessKeyId": keys["AccessKeyId"], "SecretAccessKey": keys["SecretAccessKey"], "Token": keys["SessionToken"]}
        return named | {"Expiration": until, "RoleArn": self._role}

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()


def _handler(of: Credentials) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = secrets.compare_digest(self.headers.get("Authorization", ""), of.token)
            right = known and self.path == "/credentials"
            said = json.dumps(
                of.answer() if right else {"code": "Forbidden", "message": "This is not the container's token."}
            ).encode()
            self.send_response(200 if right else 403)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Say nothing: the container's output is the job's."""

    return Handler
