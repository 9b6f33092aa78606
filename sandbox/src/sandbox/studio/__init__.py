"""SageMaker Studio as plain rules: requests and answers are values; the clock is passed in."""

from sandbox.studio import spaces_and_apps  # noqa: F401  -- it registers operations
from sandbox.studio.domains import STUDIO_OPERATIONS, Studio
from sandbox.studio.sagemaker_requests import SageMakerError

__all__ = ["STUDIO_OPERATIONS", "SageMakerError", "Studio"]
