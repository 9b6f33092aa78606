"""How long changes in Studio take: seconds instead of the twenty minutes that an app may need on AWS, or as long as is asked for."""

import json
from typing import Any

from sandbox.server import studio
from sandbox.server.control import ANSWERS


def install() -> None:
    """Answer below /_sandbox/."""
    ANSWERS["settle"] = settle


def settle(method: str, _: dict[str, str], sent: bytes) -> tuple[int, Any]:
    """POST {"App": 40}: from now on a change of an app takes 40 s. Kinds are Domain, UserProfile, Space and App; reset forgets it."""
    if method == "POST":
        studio.SETTLES.update({str(kind): float(seconds) for kind, seconds in json.loads(sent).items()})
    return 200, {"settle": studio.SETTLE} | studio.SETTLES
