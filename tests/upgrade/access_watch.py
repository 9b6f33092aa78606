"""Someone asks for access over and over, and every refusal is kept."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from harness.deployment import Deployment

PAUSE_SECONDS = 0.05
ACCESS = [
    ("userA", "UserA"),
    ("userA", "Product"),
    ("userB", "UserB"),
    ("userB", "Product"),
]  # profile and folder


@dataclass
class AccessWatch:
    """How often access was asked for, and whatever was not given, as profile, folder and why."""

    asked: int = 0
    refused: list[tuple[str, str, str]] = field(default_factory=list)

    def ask(self, client: Any, profile: str, folder: str, request: dict[str, str]) -> None:
        """Ask once."""
        self.asked += 1
        try:
            client.get_data_access(**request)
        except ClientError as error:
            self.refused.append((profile, folder, str(error)))


@contextmanager
def watch_access(
    deployment: Deployment, access: Sequence[tuple[str, str]] = ACCESS
) -> Iterator[AccessWatch]:
    """Ask for each access in turn until the end of the block."""
    seen, stop = AccessWatch(), threading.Event()
    clients = {profile: _make_client(deployment, profile) for profile, _ in access}

    def ask_in_turn() -> None:
        while not stop.wait(PAUSE_SECONDS):
            for profile, folder in access:
                seen.ask(clients[profile], profile, folder, _make_request(deployment, folder))

    thread = threading.Thread(target=ask_in_turn)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _make_client(deployment: Deployment, profile: str) -> Any:
    return deployment.session.as_profile(profile).client("s3control")


def _make_request(deployment: Deployment, folder: str) -> dict[str, str]:
    target = f"s3://{deployment.data_bucket}/{folder}/*"
    return {
        "AccountId": deployment.session.account,
        "Target": target,
        "Permission": "READWRITE",
    }
