"""What CloudFormation refuses in a template: names that lead nowhere, and properties that AWS's own schemas do not have."""

from sandbox.stacks.properties import Schemas, unfit
from sandbox.stacks.references import dangling

__all__ = ["Schemas", "dangling", "unfit"]
