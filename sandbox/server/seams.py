"""The names of the server that we replace or call, each with the signature that we rely on.

ministack has no plug-in interface, so an upgrade may move any of these. Every name is therefore declared here
at the moment it is used, and `python -m sandbox.server.seams` prints those that no longer are what we think:
tests/sandbox/test_seams.py fails on the first one, and so does the server's start.
"""

import importlib
import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any


class Moved(RuntimeError):
    """A name of the server is gone or takes other arguments than we rely on."""


@dataclass(frozen=True)
class Seam:
    """One name of the server: a dotted place and, for a callable, its parameters as `inspect` prints them."""

    module: str
    name: str
    parameters: str | None = None

    def find(self) -> Any:
        """The object itself; Moved if it is not there or its parameters differ."""
        try:
            found = _attribute(importlib.import_module(self.module), self.name)
        except (ImportError, AttributeError) as gone:
            raise Moved(f"{self.module}.{self.name} is gone: {gone}") from gone
        actual = _parameters(found) if self.parameters is not None else None
        if actual != self.parameters:
            raise Moved(f"{self.module}.{self.name} takes ({actual}), we rely on ({self.parameters})")
        return found


DECLARED: list[Seam] = []


@cache
def use(module: str, name: str, parameters: str | None = None) -> Any:
    """The named object of the server, checked. `parameters` as in "path, method, headers=None"; None for plain values."""
    seam = Seam(module, name, parameters)
    DECLARED.append(seam)
    return seam.find()


def wrap(module: str, name: str, parameters: str, make: Callable[[Any], Any]) -> None:
    """Put `make(original)` in the place of the named callable."""
    original = Seam(module, name, parameters).find()
    DECLARED.append(Seam(module, name, parameters))
    owner, _, last = name.rpartition(".")
    home = importlib.import_module(module)
    setattr(_attribute(home, owner) if owner else home, last, make(original))


def _attribute(home: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        home = getattr(home, part)
    return home


def _parameters(found: Any) -> str:
    signature = inspect.signature(found)
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))[1:-1]


def main() -> None:
    """Install everything as the server does, then print each seam as JSON; Moved ends with 1 and its text."""
    # Run as a program, this file is a second module beside the one that the extensions declare their seams in.
    from sandbox.server import seams  # noqa: PLW0406  -- see above
    from sandbox.server.__main__ import install

    try:
        install()
    except seams.Moved as moved:
        sys.exit(str(moved))
    json.dump([vars(seam) for seam in seams.DECLARED], sys.stdout, indent=1)


if __name__ == "__main__":
    main()
