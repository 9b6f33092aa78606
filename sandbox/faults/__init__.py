"""Faults on request, as plain values: which calls are struck and how (rules), and how each service words its refusals (refusals).

sandbox/server/faults.py strikes with them.
"""

from sandbox.faults.rules import Misfit, Rule, Rules

__all__ = ["Misfit", "Rule", "Rules"]
