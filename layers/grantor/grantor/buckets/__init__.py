"""Existing buckets: what connects them to the stack, and what takes that back."""
