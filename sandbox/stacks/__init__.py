"""What CloudFormation refuses in a template, read from AWS's own schemas of the resource types."""

from sandbox.stacks.template import Schemas, problems

__all__ = ["Schemas", "problems"]
