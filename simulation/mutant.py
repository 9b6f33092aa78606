"""A wrong change of the product, which the worlds must find."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One wrong change of the product."""

    name: str
    module: str  # below grantor/
    old: str
    new: str
    like: str = ""
