"""Lambda functions as Lambda runs them: built code in a bare interpreter, spoken to through the Lambda Runtime API."""

from sandbox.functions.environment import Environment, Function, Outcome

__all__ = ["Environment", "Function", "Outcome"]
