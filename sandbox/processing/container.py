"""The container of one job: a folder that stands for its file system, and what SageMaker puts into it and around it.

A process can not have an /opt/ml of its own without being root, so that every string of the entrypoint and of its arguments
that begins with /opt/ml/ is led into the folder. What a program opens by itself is not.
Source of the two files of settings: AWS, "How Amazon SageMaker Processing Configures Your Processing Container".
"""

import json
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from sandbox.studio.requests import Request

ROOT = Path(__file__).parents[2]
SPARK = ROOT / ".tools" / "spark"
HERE = Path(__file__).parent
INSIDE = "/opt/ml/"


@dataclass(frozen=True)
class Place:
    """Where the job runs: its Region and account, the address of this AWS, and that of the role's credentials with its token."""

    region: str
    account: str
    port: int
    credentials: str
    token: str


@dataclass(frozen=True)
class Container:
    """The folder, and paths in it."""

    folder: Path

    def path(self, inside: str) -> Path:
        """The place of a path that the container knows, such as /opt/ml/output."""
        return self.folder / inside.lstrip("/")

    def led(self, word: str) -> str:
        """The word of a command, with a path below /opt/ml/ led into the folder; its slash at the end stays."""
        return f"{self.folder}{word}" if word.startswith(INSIDE) else word

    def command(self, request: Request) -> list[str]:
        """What is run: the entrypoint and its arguments."""
        asked = request["AppSpecification"]
        return [self.led(word) for word in (*(asked.get("ContainerEntrypoint") or ()), *(asked.get("ContainerArguments") or ()))]

    def make(self, request: Request, arn: str, place: Place) -> None:
        """The folders and files that are there before anything is run."""
        for inside in ("opt/ml/config", "opt/ml/output", "opt/ml/processing", "tmp", "root", "bin"):
            (self.folder / inside).mkdir(parents=True)
        for each in (request.get("ProcessingOutputConfig") or {}).get("Outputs") or ():
            self.path(each["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)
        config = {key: value for key, value in request.items() if key != "Tags"} | {"ProcessingJobArn": arn}
        self.path("/opt/ml/config/processingjobconfig.json").write_text(json.dumps(config))
        host = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}
        self.path("/opt/ml/config/resourceconfig.json").write_text(json.dumps(host))
        self.path("/etc-hosts").write_text(f"127.0.0.1 localhost algo-1 {socket.gethostname()} {place.account}.localhost\n")
        program = self.path("/bin/smspark-submit")
        program.write_text(f'#!/bin/sh\nexec "{SPARK}/bin/python" "{HERE}/smspark.py" "$@"\n')
        program.chmod(0o755)

    def variables(self, request: Request, place: Place) -> dict[str, str]:
        """What the container sees of the environment: the request's own variables, SageMaker's, and the way to this AWS.

        The account before the host of S3 Control is a name that does not resolve. Java is given a file of hosts that has it; every
        other client goes through this server as its proxy. That `*.localhost` needs none is understood by AWS's SDK for Java alone.
        """
        here = f"http://127.0.0.1:{place.port}"
        scratch = self.path("tmp")
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
            "JAVA_TOOL_OPTIONS": f"-Djdk.net.hosts.file={self.path('/etc-hosts')} -Djava.io.tmpdir={scratch}",
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_HOSTNAME": "localhost",
            "SANDBOX_CONTAINER": str(self.folder),
            "HOME": str(self.path("/root")),
            "TMPDIR": str(scratch),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PATH": os.pathsep.join(map(str, (self.path("/bin"), SPARK / "bin", Path(sys.prefix) / "bin", "/usr/bin", "/bin"))),
        }

    def message(self) -> str:
        """What the container left for ExitMessage; UnicodeDecodeError if it is not UTF-8, for which SageMaker fails the job."""
        left = self.path("/opt/ml/output/message")
        return left.read_bytes().decode() if left.is_file() else ""
