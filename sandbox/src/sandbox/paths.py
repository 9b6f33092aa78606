"""Where the sandbox finds what it needs, in a checkout of its repository and when installed.

In a checkout `make setup` puts the server's environment, Lambda's runtime and Spark below .tools/,
and state is kept in build/sandbox. An installed sandbox has its dependencies in its own environment
and keeps its state in the user's state directory (XDG Base Directory Specification).
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

PACKAGE = Path(__file__).parent
SOURCES = PACKAGE.parent  # what PYTHONPATH must contain for `python -m sandbox.server`
RUNTIME_PACKAGES = ("awslambdaric", "boto3")  # what Lambda's Python runtime brings


class SandboxError(RuntimeError):
    """What went wrong, where, and what to do about it: a sentence for the user."""


def _find_checkout() -> Path | None:
    """Return the root of the repository that this package belongs to; None if it is installed."""
    root = PACKAGE.parents[2]
    return root if (root / "sandbox" / "pyproject.toml").is_file() else None


CHECKOUT = _find_checkout()


def find_state_folder() -> Path:
    """Return the folder that holds one folder for each running server, named after its port."""
    if CHECKOUT:
        return CHECKOUT / "build" / "sandbox"
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "grantor-sandbox"


def find_server_python() -> Path:
    """Return the interpreter that has the server's dependencies.

    This is the running interpreter if ministack is installed for it, else the environment that
    a checkout keeps for the server. Raises SandboxError if there is neither.
    """
    if find_spec("ministack"):
        return Path(sys.executable)
    if CHECKOUT is None:
        raise SandboxError(
            "ministack is missing: install the sandbox with its dependencies, `pip install "
            "./sandbox`"
        )
    python = CHECKOUT / ".tools" / "server" / "bin" / "python"
    if not python.exists():
        raise SandboxError(
            f"{python.relative_to(CHECKOUT)} is missing: the sandbox is not set up; run `make "
            "setup` first"
        )
    return python


@cache
def find_models() -> Path:
    """Return the folder of AWS's service models, as botocore publishes them.

    The Lambda runtime's botocore is the newest, so it comes first.
    """
    if CHECKOUT and (models := CHECKOUT / ".tools" / "runtime" / "botocore" / "data").is_dir():
        return models
    return find_package("botocore") / "data"


def find_package(name: str) -> Path:
    """Return the folder of an installed package; raises SandboxError if it is not installed."""
    found = find_spec(name)
    if found is None or found.origin is None:
        raise SandboxError(f"{name} is missing: install the sandbox with its dependencies")
    return Path(found.origin).parent


def find_spark() -> Path | None:
    """Return the Python environment whose Spark runs processing jobs; None if there is none.

    SANDBOX_SPARK names one; a checkout has its own.
    """
    if named := os.environ.get("SANDBOX_SPARK"):
        return Path(named)
    return CHECKOUT / ".tools" / "spark" if CHECKOUT else None


def find_lambda_runtime(scratch: Path) -> Path:
    """Return a folder with the libraries that Lambda's runtime brings, and with nothing else.

    A checkout has one. Otherwise the packages are linked from this environment into a folder
    below `scratch`, because a function must not see the sandbox's own dependencies.
    """
    if CHECKOUT and (runtime := CHECKOUT / ".tools" / "runtime").is_dir():
        return runtime
    folder = scratch / "runtime"
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(_list_requirements(RUNTIME_PACKAGES)):
        package = metadata.distribution(name)
        for top in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
            with suppress(FileExistsError):
                (folder / top).symlink_to(Path(str(package.locate_file(top))))
    return folder


def _list_requirements(names: tuple[str, ...]) -> set[str]:
    """List these distributions and all that they need, without their extras."""
    known: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in known:
            known.add(name)
            pending += _read_requirements(name)
    return known


def _read_requirements(name: str) -> Iterator[str]:
    for requirement in metadata.requires(name) or ():
        if "extra ==" not in requirement and (found := re.match(r"[\w.-]+", requirement)):
            yield re.sub(r"[-_.]+", "-", found[0]).lower()
