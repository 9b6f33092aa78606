"""Faults that are put back into the product, one by one, to see whether the worlds find them.

Each changes one place of one module. `like` names what it stands for: an incident of another tool
(the table in tests/engine/conftest.py), or a hole that an attack has found (docs/threat-model.md).
"""

from simulation.wrong_decisions import WRONG_DECISIONS
from simulation.wrong_runs import WRONG_RUNS

MUTANTS = (*WRONG_DECISIONS, *WRONG_RUNS)
