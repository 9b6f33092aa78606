"""The way here counts as encrypted, though it is plain HTTP: it never leaves the machine. So aws:SecureTransport is true for every call."""

from collections.abc import Callable

from sandbox.server.seams import wrap


def install() -> None:
    """Say so wherever the server tells its evaluator how a request came."""
    wrap("ministack.app", "pin_request_origin", "source_ip, secure_transport", _as_encrypted)


def _as_encrypted(original: Callable[[str, bool], None]) -> Callable[[str, bool], None]:
    def pin(source_ip: str, _: bool) -> None:
        original(source_ip, True)

    return pin
