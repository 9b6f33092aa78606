"""Lambda functions as Lambda runs them: built code in a bare interpreter, and the Runtime API."""

from sandbox.functions.environment import Environment, Function, InvocationResult

__all__ = ["Environment", "Function", "InvocationResult"]
