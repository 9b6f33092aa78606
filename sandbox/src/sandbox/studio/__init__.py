"""SageMaker Studio as plain rules: requests and answers are values; the clock is passed in."""

# The first two register operations.
from sandbox.studio import presigned_urls, spaces_and_apps  # noqa: F401
from sandbox.studio.domains import STUDIO_OPERATIONS, Studio
from sandbox.studio.sagemaker_requests import SageMakerError

__all__ = ["STUDIO_OPERATIONS", "SageMakerError", "Studio"]
