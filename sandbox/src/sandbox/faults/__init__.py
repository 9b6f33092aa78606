"""Faults on request, as plain values.

`rules` says which calls are struck and how, `responses` how each service words its errors.
sandbox/server/fault_injection.py strikes with them.
"""

from sandbox.faults.rules import FaultRule, FaultRules, InvalidRule

__all__ = ["FaultRule", "FaultRules", "InvalidRule"]
