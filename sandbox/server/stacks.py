"""Placeholder until its owner writes it."""


def install() -> None:
    pass
