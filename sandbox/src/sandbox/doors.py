"""Which requests no server of the sandbox answers: those that a web page causes.

Every page that a developer has open can send requests to loopback. Browsers say so: they send
Origin with every request that may change something, Sec-Fetch-* with all of them, and the page's
own name as Host if that name was made to resolve to loopback (DNS rebinding). Tools send neither.
"""

from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler

OWN_NAMES = ("localhost", "sandbox", "sandbox.internal")  # and all names below them
OWN_ADDRESSES = ("127.0.0.1", "[::1]", "::1")


def find_intrusion(headers: Mapping[str, str]) -> str:
    """Return why a request is refused; empty if it is not. Header names are in lower case."""
    browser = next(
        (name for name in headers if name == "origin" or name.startswith("sec-fetch-")), None
    )
    if browser:
        return (
            f"The sandbox answers no web page, and a browser sent this request: it has the header "
            f"{browser}. Use a tool that signs requests; `python -m sandbox env` prints its keys."
        )
    host = headers.get("host", "")
    if not is_own_host(host):
        return (
            f"The sandbox is not {host!r}: it answers as localhost, 127.0.0.1 and as names below "
            "localhost, sandbox and sandbox.internal. A name that was made to resolve to loopback "
            "is refused, because a web page may be behind it."
        )
    return ""


def refuse_intrusion(handler: BaseHTTPRequestHandler) -> bool:
    """Answer 403 to a request of a web page, and return True; else return False."""
    headers = {name.lower(): value for name, value in handler.headers.items()}
    if refusal := find_intrusion(headers):
        handler.close_connection = True  # the body stays unread
        handler.send_error(403, "Forbidden", refusal)
    return bool(refusal)


def is_own_host(host: str) -> bool:
    """Return whether a Host header names this machine, whatever the port.

    >>> is_own_host("data.localhost:4566"), is_own_host("127.0.0.1"), is_own_host("[::1]:80")
    (True, True, True)
    >>> is_own_host("localhost.attacker.example"), is_own_host("127.0.0.1.nip.io"), is_own_host("")
    (False, False, False)
    """
    name = host.lower()
    bare, _, port = name.rpartition(":")
    if port.isdigit():
        name = bare
    name = name.removesuffix(".")
    return name in OWN_ADDRESSES or any(
        name == own or name.endswith(f".{own}") for own in OWN_NAMES
    )
