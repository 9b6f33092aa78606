"""The switches in force: as they were at the start, until someone sets others."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sandbox.switches import KINDS, all_switched

START = all_switched(os.environ.get("SANDBOX_SWITCHES", "").split())
IN_FORCE = [START]


def of(kind: type) -> Any:
    """The switches of one kind, as they are in force."""
    return IN_FORCE[0][KINDS.index(kind)]


def switch(wanted: Mapping[str, Any]) -> None:
    """Set switches by name, over those in force; ValueError for a name or a value that is none."""
    words = (f"{name}={json.dumps(value).strip(chr(34))}" for name, value in wanted.items())
    IN_FORCE[0] = all_switched(words, IN_FORCE[0])


def switch_back() -> None:
    """The switches as they were at the start."""
    IN_FORCE[0] = START


def switched_since_start() -> dict[str, Any]:
    """The switches in force that were others at the start."""
    pairs = zip(IN_FORCE[0], START, strict=True)
    return {name: value for now, then in pairs for name, value in asdict(now).items() - asdict(then).items()}
