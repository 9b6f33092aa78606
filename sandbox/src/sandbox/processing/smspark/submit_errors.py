"""What the container says if it ends with an error, and where its files are."""

import os
from pathlib import Path

CONTAINER = Path(os.environ.get("SANDBOX_CONTAINER", "/"))
MAX_MESSAGE_CHARACTERS = 1024  # of the container's message; it cuts the rest off


class SubmitError(Exception):
    """The container's own AlgorithmError: what failed, and the exception that caused it."""

    def __init__(self, what: str, cause: Exception, status: int = 1) -> None:
        text = f"Algorithm Error: (caused by {type(cause).__name__}): {what}: {cause}"
        super().__init__(text[:MAX_MESSAGE_CHARACTERS].strip())
        self.status = status


class MissingParameter(Exception):
    """An argument is missing. The classes and texts are those of click, which AWS uses."""


class NoSuchOption(Exception):
    """The program does not have this option."""


class BadOptionUsage(Exception):
    """An option lacks its value."""


def refuse_preparation(why: str) -> SubmitError:
    """Return the error for a file or folder that spark-submit cannot get."""
    return SubmitError("error preparing for spark submit", ValueError(why))


def show_argument(word: str) -> str:
    """Return an argument of a command as the container has it."""
    return word.replace(f"{CONTAINER}/opt/ml/", "/opt/ml/")
