"""The whole walk-through in a sandbox, by its people: platform engineer, steward, data scientists.

It sees Grantor only from outside, through `harness`. Nothing here imports grantor.
"""
