"""Deterministic simulation: Grantor's own code in worlds that nobody has thought of.

    python -m simulation 4711 --trace      one world, step by step
    make simulate SEEDS=1000               a thousand worlds with fresh seeds

A world is a seed. In it, stewards write policy files, profiles change, approvers approve, two or
three runs interleave at every call, and calls fail in every way; promises (sentences.py) are
checked after each call and at rest. The product's code is unchanged: its clients are doubles
(doubles/), and its threads, sleeps and random ids come from a scheduler (scheduler.py).
docs/verification.md says what is promised, how it is tested, and what is not.
"""
