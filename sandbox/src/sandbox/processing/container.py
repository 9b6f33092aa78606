"""The container of one job: a folder instead of a file system, and the role's credentials.

A process cannot have an /opt/ml of its own without being root. So every string of the entrypoint
and of its arguments that begins with /opt/ml/ is mapped into the folder. What a program opens by
itself is not.

Sources: AWS, "How Amazon SageMaker Processing Configures Your Processing Container" (the two files
of settings), and AWS SDKs and Tools Reference Guide, "Container credential provider": an address on
loopback, an authorization token, a session that is renewed.
"""

import json
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sandbox.doors import refuse_intrusion
from sandbox.paths import find_spark
from sandbox.studio.sagemaker_requests import SageMakerRequest

SessionKeys = dict[str, str]  # AccessKeyId, SecretAccessKey, SessionToken
PROGRAMS = Path(__file__).parent
CONTAINER_ROOT = "/opt/ml/"


class RoleCredentials:
    """Serves sessions of the execution role.

    `make` starts one, of `seconds`. The last one is served as long as a third of its time is
    left.
    """

    def __init__(
        self,
        make: Callable[[float], SessionKeys],
        role: str,
        seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.token = secrets.token_urlsafe(24)
        self._make, self._role, self._seconds, self._clock = make, role, seconds, clock
        self._keys: SessionKeys = {}
        self._until = 0.0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _make_credentials_handler(self))
        self._server.daemon_threads = True
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/credentials"

    def current_keys(self) -> SessionKeys:
        """Return the keys of the session in force."""
        with self._lock:
            if self._clock() > self._until - self._seconds / 3:
                self._keys, self._until = self._make(self._seconds), self._clock() + self._seconds
            return self._keys

    def last_keys(self) -> SessionKeys:
        """Return the keys that were served last; none before the first."""
        return self._keys

    def describe_keys(self) -> dict[str, Any]:
        """Return the session as the credentials endpoint answers it."""
        keys = self.current_keys()
        until = datetime.fromtimestamp(self._until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        named = {
            "AccessKeyId": keys["AccessKeyId"],
            "SecretAccessKey": keys["SecretAccessKey"],
            "Token": keys["SessionToken"],
        }
        return named | {"Expiration": until, "RoleArn": self._role}

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


def _make_credentials_handler(of: RoleCredentials) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if refuse_intrusion(self):
                return
            known = secrets.compare_digest(self.headers.get("Authorization", ""), of.token)
            right = known and self.path == "/credentials"
            said = json.dumps(
                of.describe_keys()
                if right
                else {"code": "Forbidden", "message": "This is not the container's token."}
            ).encode()
            self.send_response(200 if right else 403)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Log nothing: the container's output is the job's."""

    return Handler


@dataclass(frozen=True)
class JobHost:
    """Where the job runs: Region, account, and the port of this AWS.

    `credentials` is the address of the role's credentials, `token` opens it.
    """

    region: str
    account: str
    port: int
    credentials: str
    token: str


@dataclass(frozen=True)
class Container:
    """The folder, and paths in it."""

    folder: Path

    def path_of(self, inside: str) -> Path:
        """Return the place of a path that the container knows, such as /opt/ml/output."""
        return self.folder / inside.lstrip("/")

    def map_path(self, word: str) -> str:
        """Return an argument of a command, with a path below /opt/ml/ mapped into the folder.

        A final slash stays.
        """
        return f"{self.folder}{word}" if word.startswith(CONTAINER_ROOT) else word

    def build_command(self, request: SageMakerRequest) -> list[str]:
        """Return the command: the entrypoint and its arguments."""
        asked = request["AppSpecification"]
        return [
            self.map_path(word)
            for word in (
                *(asked.get("ContainerEntrypoint") or ()),
                *(asked.get("ContainerArguments") or ()),
            )
        ]

    def create_files(self, request: SageMakerRequest, arn: str, place: JobHost) -> None:
        """Create the folders and files that exist before anything runs."""
        for inside in ("opt/ml/config", "opt/ml/output", "opt/ml/processing", "tmp", "root", "bin"):
            (self.folder / inside).mkdir(parents=True)
        for each in (request.get("ProcessingOutputConfig") or {}).get("Outputs") or ():
            self.path_of(each["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)
        config = {key: value for key, value in request.items() if key != "Tags"} | {
            "ProcessingJobArn": arn
        }
        self.path_of("/opt/ml/config/processingjobconfig.json").write_text(json.dumps(config))
        host = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}
        self.path_of("/opt/ml/config/resourceconfig.json").write_text(json.dumps(host))
        self.path_of("/etc-hosts").write_text(
            f"127.0.0.1 localhost algo-1 {socket.gethostname()} {place.account}.localhost\n"
        )
        program = self.path_of("/bin/smspark-submit")
        program.write_text(_write_submit_script(find_spark()))
        program.chmod(0o755)

    def build_variables(self, request: SageMakerRequest, place: JobHost) -> dict[str, str]:
        """Return the container's environment: the variables of the request and of SageMaker.

        And the endpoints of this AWS.

        The account before the host of S3 Control is a name that does not resolve. Java
        reads a hosts file that has it; every other client goes through this server as its
        proxy. Only AWS's SDK for Java understands that `*.localhost` needs no proxy.
        """
        here = f"http://127.0.0.1:{place.port}"
        scratch = self.path_of("tmp")
        return {
            **(request.get("Environment") or {}),
            "AWS_REGION": place.region,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": place.credentials,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": place.token,
            "AWS_ENDPOINT_URL_S3": here,
            "AWS_ENDPOINT_URL_STS": here,
            "AWS_ENDPOINT_URL_S3_CONTROL": f"http://localhost:{place.port}",
            "HTTP_PROXY": here,
            "http_proxy": here,
            "NO_PROXY": "127.0.0.1,*.localhost",
            "no_proxy": "127.0.0.1,*.localhost",
            "JAVA_TOOL_OPTIONS": f"-Djdk.net.hosts.file={self.path_of('/etc-hosts')} -Djava.io.tmpdir={scratch}",  # noqa: E501  -- one text
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_HOSTNAME": "localhost",
            "SANDBOX_CONTAINER": str(self.folder),
            "HOME": str(self.path_of("/root")),
            "TMPDIR": str(scratch),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PATH": os.pathsep.join(
                map(str, (self.path_of("/bin"), *_list_programs(), "/usr/bin", "/bin"))
            ),
        }

    def is_starved(self) -> bool:
        """Whether Spark in it waits for an executor that never starts."""
        return self.path_of("/starved").exists()

    def read_message(self) -> str:
        """Return what the container left for ExitMessage.

        Raises UnicodeDecodeError if it is not UTF-8, for which SageMaker fails the job.
        """
        left = self.path_of("/opt/ml/output/message")
        return left.read_bytes().decode() if left.is_file() else ""


def _write_submit_script(spark: Path | None) -> str:
    """Write the program that stands for the image's `smspark-submit`."""
    if spark is None:
        return (
            '#!/bin/sh\necho "the sandbox has no Spark: set SANDBOX_SPARK to a Python environment '
            'with pyspark" >&2\nexit 127\n'
        )
    start = (
        f"import runpy, sys; sys.path[0] = {str(PROGRAMS)!r}; "
        "runpy.run_module('smspark', run_name='__main__')"
    )
    return f'#!/bin/sh\nexec "{spark}/bin/python" -c "{start}" "$@"\n'


def _list_programs() -> list[Path]:
    """List folders of programs: those of Spark, and python3 with boto3."""
    spark = find_spark()
    return [*([spark / "bin"] if spark else []), Path(sys.prefix) / "bin"]
