"""Reads that need not wait for each other."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

AT_ONCE = 8  # of a client's ten connections


def each[T, R](read: Callable[[T], R], things: Iterable[T]) -> list[R]:
    """What is read of each of the things, in their order, some of them at once. Raises as the first of them does that fails."""
    listed = list(things)
    if len(listed) < 2:
        return list(map(read, listed))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(read, listed))
