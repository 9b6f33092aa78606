"""The names of the server that we replace or call, each with the signature that we rely on.

ministack has no plug-in interface, so an upgrade may move any of these. Every name is therefore
declared when it is used. `python -m sandbox.server.seams` prints them all, and fails for one that
has changed; so do tests/server/test_seams.py and the server's start.
"""

import importlib
import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any


class SeamMoved(RuntimeError):
    """A name of the server is gone, or takes other arguments than we rely on."""


@dataclass(frozen=True)
class Seam:
    """One name of the server: a dotted place, and a callable's parameters as `inspect` prints."""

    module: str
    name: str
    parameters: str | None = None

    def find(self) -> Any:
        """Return the object. Raises SeamMoved if it is not there or its parameters differ."""
        try:
            found = _find_attribute(importlib.import_module(self.module), self.name)
        except (ImportError, AttributeError) as gone:
            raise SeamMoved(f"{self.module}.{self.name} is gone: {gone}") from gone
        actual = _format_parameters(found) if self.parameters is not None else None
        if actual != self.parameters:
            raise SeamMoved(
                f"{self.module}.{self.name} takes ({actual}), we rely on ({self.parameters})"
            )
        return found


DECLARED: list[Seam] = []


@cache
def use_seam(module: str, name: str, parameters: str | None = None) -> Any:
    """Return the named object of the server, checked.

    `parameters` is like "path, method, headers=None", or None for plain values.
    """
    seam = Seam(module, name, parameters)
    DECLARED.append(seam)
    return seam.find()


def wrap_seam(module: str, name: str, parameters: str, make: Callable[[Any], Any]) -> None:
    """Replace the named callable by `make(original)`."""
    original = Seam(module, name, parameters).find()
    DECLARED.append(Seam(module, name, parameters))
    owner, _, last = name.rpartition(".")
    home = importlib.import_module(module)
    setattr(_find_attribute(home, owner) if owner else home, last, make(original))


def run_before(module: str, name: str, action: Callable[[], None]) -> None:
    """Make a callable without parameters run `action` first."""

    def make(original: Callable[[], None]) -> Callable[[], None]:
        def run_both() -> None:
            action()
            original()

        return run_both

    wrap_seam(module, name, "", make)


def run_before_reset(action: Callable[[], None]) -> None:
    """Run `action` whenever the server forgets everything."""
    run_before("ministack.services.sts", "reset", action)


def _find_attribute(home: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        home = getattr(home, part)
    return home


def _format_parameters(found: Any) -> str:
    signature = inspect.signature(found)
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))[1:-1]


def main() -> None:
    """Install everything as the server does, then print each seam as JSON.

    Exits with 1 on SeamMoved.
    """
    # As a program, this file is a second module next to the one in which the extensions
    # declare their seams.
    from sandbox.server import seams  # noqa: PLW0406  -- see above
    from sandbox.server.__main__ import install

    try:
        install()
    except seams.SeamMoved as moved:
        sys.exit(str(moved))
    json.dump([vars(seam) for seam in seams.DECLARED], sys.stdout, indent=1)


if __name__ == "__main__":
    main()
