"""The types of value that a policy file can contain.

language.py and job_language.py describe the language in these types; parser.py and
json_schema.py interpret them.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property

from grantor.core.diagnostics import Fault, quote_text
from grantor.core.scope import replace_variables


@dataclass(frozen=True)
class Form:
    """A text of a certain form. `pattern` matches all of it, in ASCII."""

    name: str  # with its article
    description: str  # a sentence on the form
    example: str
    pattern: str = ""
    longest: int = 0  # characters; 0 is no limit
    variables: bool = False  # {…} may stand in it, so only parsing shows whether it has the form
    may_be_empty: bool = False
    unquoted: bool = False  # may be a word that YAML does not take for a text, such as a date
    scalar: bool = False  # may be a number, true or false as well, in YAML's sense

    def fits(self, text: str) -> bool:
        """Whether `text` has the form; a variable in it counts as a word."""
        word = replace_variables(text) if self.variables else text
        if self.longest and len(word) > self.longest:
            return False
        return not self.pattern or re.fullmatch(self.pattern, word, re.ASCII) is not None

    @property
    def flow_example(self) -> str:
        """The example as it can stand in [] and {}."""
        bare = "{" in self.example and '"' not in self.example
        return f'"{self.example}"' if bare else self.example

    def describe_misfit(self, text: str, lead: str = "") -> Fault:
        """Explain that `text` does not have the form; `lead` stands before it, like `name: `."""
        remedy = f"write for example {lead}{self.example}"
        return Fault(f"{quote_text(text)} is not {self.name}", self.description, remedy)


@dataclass(frozen=True)
class Choice:
    """One of a few words, each with its meaning.

    `slips` are what people write instead, in lower case and letters only.
    """

    name: str  # with its article
    words: dict[str, str]
    slips: dict[str, str] = field(default_factory=dict)
    # What people write, in the same spelling, although there is nothing like it, and why not
    never: dict[str, Fault] = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """The version of the language."""

    number: int


@dataclass(frozen=True)
class Number:
    """A whole number from `least` to `most`, without quotes; messages suggest `usual`."""

    least: int
    most: int
    usual: int

    @property
    def name(self) -> str:
        """What it is, with its article."""
        return f"a whole number from {self.least:,} to {self.most:,}"


@dataclass(frozen=True)
class Flag:
    """true or false."""


@dataclass(frozen=True)
class Listing:
    """A list of one or more items, none of them twice."""

    item: str  # what one is called, with its article
    of: "Form | Mapping | Either"
    may_be_empty: bool = False


@dataclass(frozen=True)
class OneOrMore:
    """A value, or a list of one or more such values."""

    item: str  # what one is called, with its article
    of: "Form | Mapping | Either"

    @property
    def listing(self) -> Listing:
        """The list."""
        return Listing(self.item, self.of)


@dataclass(frozen=True)
class Table:
    """A mapping whose keys are the author's own."""

    name: str
    key: Form
    value: "Form | Mapping"


@dataclass(frozen=True)
class Either:
    """A text, or something longer where a text does not say enough."""

    text: Form
    other: "Listing | Mapping"
    takes_lists: bool = True  # a list stands for several texts


@dataclass(frozen=True)
class Key:
    """A key of a mapping; `slips` are what people write by mistake."""

    name: str
    takes: "Kind"
    description: str
    example: str
    required: bool = False
    slips: tuple[str, ...] = ()


def version_key(language: str) -> Key:
    """The key that names the version of a language; there is one version so far."""
    what = f"The version of {language}."
    slips = ("apiversion", "api_version", "schema")
    return Key("version", Version(1), what, "1", required=True, slips=slips)


@dataclass(frozen=True)
class Clash:
    """Two keys that cannot stand together, why, and what to write instead."""

    first: str
    second: str
    why: str
    remedy: str


@dataclass(frozen=True)
class DependentKey:
    """A key that has a meaning only beside another one, and why."""

    key: str
    beside: str
    why: str


@dataclass(frozen=True)
class IneffectiveKey:
    """A key that has no effect where the mapping under `beside` has one of the keys `among`."""

    key: str
    beside: str
    among: tuple[str, ...]
    why: str
    remedy: str


@dataclass(frozen=True)
class Mapping:
    """A mapping with known keys."""

    name: str
    keys: tuple[Key, ...]
    example: str
    one_of: tuple[str, ...] = ()  # keys of which it needs at least one
    only_one: str = ""  # why there cannot be two of them, if there cannot
    clashes: tuple[Clash, ...] = ()
    ineffective: tuple[IneffectiveKey, ...] = ()
    part: str = ""  # rule or job, if a list is made of such mappings
    never: dict[str, Fault] = field(default_factory=dict)  # keys that people write, and why not
    never_means: str = ""  # the key that such a key stands in place of
    dependent: tuple[DependentKey, ...] = ()
    several: str = ""  # what to write for several values of a key, which stands for KEY

    @cached_property
    def keys_by_name(self) -> dict[str, Key]:
        """The keys by name."""
        return {key.name: key for key in self.keys}

    @cached_property
    def required_names(self) -> list[str]:
        """The names of the keys that cannot be omitted."""
        return [key.name for key in self.keys if key.required]


Scalar = Form | Choice | Version | Number | Flag
Kind = Scalar | Listing | OneOrMore | Table | Either | Mapping
