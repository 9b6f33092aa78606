"""SageMaker Studio as plain rules: requests and answers are values, the clock is handed in."""

from sandbox.studio import apps, spaces  # noqa: F401  -- they register their operations
from sandbox.studio.requests import Refused
from sandbox.studio.service import OPERATIONS, Studio

__all__ = ["OPERATIONS", "Refused", "Studio"]
