"""What Grantor decides, as pure functions over values: no network, no clock, no environment.

tests/core/test_purity.py enforces it.
"""
