"""The few shapes that a value in a policy file can have. language.py is written in them; shape.py and schema.py read them."""

import re
from dataclasses import dataclass, field
from functools import cached_property

from grantor.core.policy.reading.variables import bare
from grantor.core.problem import Fault, shown


@dataclass(frozen=True)
class Form:
    """A text. `name` is what it is, with its article; `says` is a sentence on its form; `pattern` is of all of it, in ASCII.

    With `variables`, {…} may stand in it, and only its meaning tells whether it has the form. With `unquoted`, it does not
    matter that YAML would take the word for something else than a text, and its meaning tells as well.
    """

    name: str
    says: str
    example: str
    pattern: str = ""
    longest: int = 0
    variables: bool = False
    may_be_empty: bool = False
    unquoted: bool = False

    def fits(self, text: str) -> bool:
        """Whether `text` has the form; a variable in it counts as a word."""
        word = bare(text) if self.variables else text
        short = not self.longest or len(word) <= self.longest
        return short and (not self.pattern or re.fullmatch(self.pattern, word, re.ASCII) is not None)

    @property
    def flow(self) -> str:
        """The example as it can stand in [] and {}."""
        return f'"{self.example}"' if "{" in self.example and '"' not in self.example else self.example

    def fault(self, text: str, lead: str = "") -> Fault:
        """That `text` has not the form; `lead` is what stands before it, like `name: `."""
        return Fault(f"{shown(text)} is not {self.name}", self.says, f"write for example {lead}{self.example}")


@dataclass(frozen=True)
class Choice:
    """One of a few words, each with what it means; `slips` are what people write instead, their letters only and small."""

    name: str
    words: dict[str, str]
    slips: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """The number of the language's version."""

    number: int


@dataclass(frozen=True)
class Number:
    """A whole number from `least` to `most`, without quotes; `usual` is the one to write where nothing better is known."""

    least: int
    most: int
    usual: int

    @property
    def name(self) -> str:
        """What it is."""
        return f"a whole number from {self.least:,} to {self.most:,}"


@dataclass(frozen=True)
class Flag:
    """true or false."""


@dataclass(frozen=True)
class Listing:
    """A list of one or more; `item` is what one is called. Equal texts in it are a mistake."""

    item: str
    of: "Form | Mapping"


@dataclass(frozen=True)
class Table:
    """A mapping whose keys are the author's own."""

    name: str
    key: Form
    value: Form


@dataclass(frozen=True)
class Reserved:
    """Nothing yet: the word is kept, and `says` is why."""

    says: str


@dataclass(frozen=True)
class Either:
    """A text, or something longer where the text does not say enough."""

    text: Form
    other: "Listing | Mapping"


@dataclass(frozen=True)
class Key:
    """A key of a mapping: its name, what it takes, a sentence on it, and words that people write for it by mistake."""

    name: str
    takes: "Kind"
    says: str
    example: str
    needed: bool = False
    slips: tuple[str, ...] = ()


@dataclass(frozen=True)
class Clash:
    """Two keys that can not stand together, why, and what to write instead."""

    first: str
    second: str
    why: str
    remedy: str


@dataclass(frozen=True)
class Idle:
    """A key that has no meaning where the mapping under `beside` has one of the keys `among`."""

    key: str
    beside: str
    among: tuple[str, ...]
    why: str
    remedy: str


@dataclass(frozen=True)
class Mapping:
    """A mapping with known keys, and an example of one. Of those in `one_of` at least one is needed; `only_one` says why there can not be two of them.

    `part` is what a list of them is made of, if it is one: a rule or a job. `never` says of keys that people write here why they can not.
    """

    name: str
    keys: tuple[Key, ...]
    example: str
    one_of: tuple[str, ...] = ()
    only_one: str = ""
    clashes: tuple[Clash, ...] = ()
    idle: tuple[Idle, ...] = ()
    part: str = ""
    never: dict[str, Fault] = field(default_factory=dict)

    @cached_property
    def known(self) -> dict[str, Key]:
        """The keys by name."""
        return {key.name: key for key in self.keys}

    @property
    def needed(self) -> list[str]:
        """The names of the keys that can not be left out."""
        return [key.name for key in self.keys if key.needed]

    @property
    def open(self) -> list[str]:
        """The names of the keys that can be written today."""
        return [key.name for key in self.keys if not isinstance(key.takes, Reserved)]


Kind = Form | Choice | Version | Number | Flag | Listing | Table | Reserved | Either | Mapping
