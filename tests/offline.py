"""`pytest -p tests.offline`: with the network off, whoever opens it fails. The core's tests run so."""

import sys
from typing import Any

CLOSED = {"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"}


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in CLOSED:
        raise PermissionError(f"the network is off here: {event}{arguments}")


sys.addaudithook(refuse)
