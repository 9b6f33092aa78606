"""What YAML takes a word for that stands without quotes, where its author means a text.

YAML 1.1 (which most programs read) has more such words than 1.2 (which most editors check): whoever is surprised by either
is told to write quotes. https://yaml.org/type/ lists those of 1.1.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from grantor.core.diagnostics import LONGEST_SHOWN, Fault, listed, nearest, shown
from grantor.core.policy.value_types import (
    Choice,
    Either,
    Flag,
    Form,
    Idle,
    Kind,
    Listing,
    Mapping,
    Number,
    Reserved,
    Table,
    Version,
)
from grantor.core.policy.yaml_tree import Fields, Hole, Items, Reader, Text, Tree

KINDS = tuple(
    (re.compile(pattern, re.ASCII | re.IGNORECASE), reader, kind)
    for pattern, reader, kind in (
        ("y|yes|on", "YAML 1.1", "true"),
        ("n|no|off", "YAML 1.1", "false"),
        ("true|false", "YAML", "a truth value"),
        ("~|null", "YAML", "nothing at all"),
        ("0[0-7_]+", "YAML 1.1", "an octal number"),
        (r"\d{4}-\d\d?-\d\d?([t\s].*)?", "YAML 1.1", "a date"),
        (r"[-+]?\d[\d_]*(:[0-5]?\d)+(\.\d*)?", "YAML 1.1", "a number in base 60"),
        (r"[-+]?(\.\d[\d_]*|\d[\d_]*(\.[\d_]*)?)(e[-+]?\d+)?|0[box][\da-f_]+|[-+]?\.inf|\.nan", "YAML", "a number"),
        ("<<|=", "YAML 1.1", "a sign of its own"),
    )
)
SUSPICIOUS = frozenset("0123456789+-.~<=yYnNoOtTfF")


def misread(word: str) -> Fault | None:
    """What goes wrong if `word` stands without quotes; None if every YAML reads the text that is written.

    >>> print(misread("no").why)
    YAML 1.1 takes it for false, and a text is wanted here
    >>> print(misread("0123").remedy, misread("user*"))
    write "0123" None
    """
    if word[:1] not in SUSPICIOUS:
        return None
    for pattern, reader, kind in KINDS:
        if pattern.fullmatch(word):
            why = f"{reader} takes it for {kind}, and a text is wanted here"
            return Fault(f"{shown(word)} stands without quotes", why, f'write "{word}"')
    return None


CALLED = {Text: "a text", Items: "a list", Fields: "a mapping"}
VARIABLE = re.compile(r"[a-z_]+(\.[\w.]+)?")
JOINED = re.compile(r"(?P<key>[a-z_]+)(?P<by>:| )(?P<value>.+)")
DIGITS = re.compile("[0-9]{1,9}")
TRUTH = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}


class At(NamedTuple):
    """Where a value stands: what a message calls it, what is written before it, whether it can be left out, and what it is a part of."""

    label: str
    lead: str
    needed: bool = True
    part: str = "rule"


@lru_cache(256)
def under(key: str, needed: bool = True, part: str = "rule") -> At:
    """The value of a key."""
    name = key if len(key) <= LONGEST_SHOWN else f"{key[:LONGEST_SHOWN]}…"
    return At(name, f"{name}: ", needed, part)


def text(tree: Tree, form: Form, at: At) -> Text | Fault:
    """A text that every reader of YAML reads alike, and that has its form if that can be told already."""
    if not isinstance(tree, Text):
        return _no_text(tree, form, at)
    value = tree.value
    if not value:
        return tree if form.may_be_empty and not tree.plain else _no_text(tree, form, at)
    if tree.plain and not form.unquoted and (fault := misread(value)) and form.fits(value):
        return fault
    if not value.isprintable():
        return _unseen(value)
    return tree if form.variables or form.unquoted or form.fits(value) else form.fault(value, at.lead)


def choice(tree: Tree, of: Choice, at: At) -> Text | Fault:
    """One of the words."""
    if isinstance(tree, Text) and tree.value in of.words:
        return tree
    word = _written(tree)
    letters = "".join(filter(str.isalpha, word.casefold())) or word
    near = of.slips.get(letters) or nearest(letters, of.words) or listed(of.words)
    what = f"{shown(word)} is no {of.name}" if word and isinstance(tree, Text) else f"{at.label} is {_called(tree)}"
    return Fault(what, f"{at.label} is {listed(of.words)}", f"write {at.lead}{near}")


def flag(tree: Tree, _: Flag, at: At) -> Text | Fault:
    """true or false, and no other word for them."""
    word = _written(tree)
    if isinstance(tree, Text) and tree.plain and word in TRUTH.values():
        return tree
    near = TRUTH.get(word.casefold()) or nearest(word, ("true", "false")) or "true"
    what = f"{shown(word)} for {at.label}" if word and isinstance(tree, Text) else f"{at.label} is {_called(tree)}"
    why = f"{at.label} is true or false, in small letters and without quotes"
    return Fault(what, why, f"write {at.lead}{near}")


def number(tree: Tree, of: Number, at: At) -> Text | Fault:
    """A whole number that lies within bounds."""
    word = _written(tree)
    digits = DIGITS.search(word)
    near = min(max(int(digits[0]), of.least), of.most) if digits else of.usual
    if isinstance(tree, Text) and tree.plain and tree.value == str(near):
        return tree
    what = f"{shown(word)} for {at.label}" if word and isinstance(tree, Text) else f"{at.label} is {_called(tree)}"
    return Fault(what, f"{at.label} is {of.name}, without quotes", f"write {at.lead}{near}")


def version(tree: Tree, of: Version, at: At) -> Text | Fault:
    """The version of the language that is known here."""
    if isinstance(tree, Text) and tree.plain and tree.value == str(of.number):
        return tree
    word = _written(tree)
    what = f"{shown(word)} for {at.label}" if word and isinstance(tree, Text) else f"{at.label} is {_called(tree)}"
    why = f"this Grantor reads version {of.number}, a number without quotes"
    return Fault(what, why, f"write {at.lead}{of.number}")


def reserved(_: Tree, of: Reserved, at: At) -> Fault:
    """A word that is kept for later."""
    return Fault(f"{at.label} has no meaning yet", of.says, f"take {at.label} out")


def no_list(tree: Tree, listing: Listing, at: At) -> Fault:
    """Something that should have been a list of one or more."""
    what, why = f"{at.label} is {_called(tree)}", f"a list is wanted here, each item of it {listing.item}"
    if isinstance(tree, Text) and tree.value and isinstance(listing.of, Form):
        return Fault(what, why, f"write {at.lead}[{_flow(tree.value)}]")
    if isinstance(tree, Fields) and tree.values and isinstance(listing.of, Mapping):
        return Fault(what, why, "write - before the first key of each item, and indent the others as that key")
    example = listing.of.flow if isinstance(listing.of, Form) else listing.of.example
    return Fault(what, why, f"write for example {at.lead}[{example}]{_or_nothing(at)}")


def no_table(tree: Tree, table: Table, at: At) -> Fault:
    """Something that should have been a mapping with keys of the author's own."""
    why = f"it gives {table.value.name} to each {table.key.name.partition(' ')[2]}"
    example = f"{at.lead}{{{table.key.example}: {table.value.flow}}}"
    return Fault(f"{at.label} is {_called(tree)}", why, f"write for example {example}{_or_nothing(at)}")


def no_mapping(tree: Tree, mapping: Mapping, at: At) -> Fault:
    """Something that should have been a mapping with known keys."""
    what, why = f"{at.label} is {_called(tree)}", f"a mapping is wanted here, with {listed(mapping.open, 'and')}"
    if isinstance(tree, Items) and tree.values:
        return Fault(what, why, f"write {at.lead}{mapping.example}, without - or [ ]")
    word = _written(tree)
    for key in mapping.keys if len(mapping.needed) < 2 else ():
        if isinstance(key.takes, Form) and key.takes.pattern and key.takes.fits(word):
            return Fault(what, why, f"write {at.lead}{{{key.name}: {_flow(word)}}}")
    return Fault(what, why, f"write for example {at.lead}{mapping.example}")


def unknown(name: str, mapping: Mapping) -> tuple[Fault, str]:
    """A key that is not known, and the name of the one that was meant if that can be told."""
    if name in mapping.never:
        return mapping.never[name], ""
    joined = JOINED.match(name)
    if joined and joined["key"] in mapping.known:
        what = "no space after the colon" if joined["by"] == ":" else "no colon"
        why = f"YAML takes {shown(name)} for a key"
        return Fault(what, why, f"write {joined['key']}: {joined['value'].rstrip()}"), joined["key"]
    slip = next((key.name for key in mapping.keys if name.casefold() in key.slips), "")
    near = slip or nearest(name, mapping.open)
    remedy = f"write {slip}" if slip else f"did you mean {near}?" if near else "take it out, or write one of these"
    return Fault(f"unknown key {shown(name)}", f"{mapping.name} has {listed(mapping.open, 'and')}", remedy), near


def like_text(tree: Tree, either: Either) -> bool:
    """Whether the text was meant, of a text and something longer."""
    if isinstance(either.other, Mapping) and isinstance(tree, Items):
        return True
    known = either.other.known if isinstance(either.other, Mapping) else {}
    return isinstance(tree, Text) or (bool(name := variable(tree)) and name not in known)


def variable(tree: Tree) -> str:
    """The variable that an unquoted {name} was meant to be; to YAML it is a mapping."""
    if isinstance(tree, Fields) and len(tree.values) == 1:
        ((name, value),) = tree.values.items()
        if isinstance(value, Text) and value.plain and not value.value and VARIABLE.fullmatch(name):
            return name
    return ""


def _no_text(tree: Tree, form: Form, at: At) -> Fault:
    if name := variable(tree):
        return Fault(f"{{{name}}} stands without quotes", "YAML takes { for the beginning of a mapping", f'write "{{{name}}}"')
    why = f"{form.name} is wanted here"
    if isinstance(tree, Items) and tree.values:
        only = _written(tree) if len(tree.values) == 1 else ""
        remedy = f"write {at.lead}{only}" if only else f"write one, and a {at.part} for each of the others"
        return Fault(f"{at.label} is a list", why, remedy)
    inside = next(iter(tree.values.values())) if isinstance(tree, Fields) and len(tree.values) == 1 else None
    if isinstance(inside, Text) and form.pattern and form.fits(inside.value):
        return Fault(f"{at.label} is a mapping", why, f"write {at.lead}{inside.value}")
    return Fault(f"{at.label} is {_called(tree)}", why, f"write for example {at.lead}{form.example}")


def _unseen(value: str) -> Fault:
    sign = next(letter for letter in value if not letter.isprintable())
    what = "a line break in a text" if sign == "\n" else f"the character U+{ord(sign):04X} in a text"
    return Fault(what, "nobody can see that it is there", "write the text in one line and without it")


def _flow(text: str) -> str:
    """`text` as it can stand in [] and {}."""
    return f'"{text}"' if set("{}[],") & set(text) else text


def _or_nothing(at: At) -> str:
    return "" if at.needed else f", or leave {at.label} out"


def _called(tree: Tree) -> str:
    empty = not tree.value if isinstance(tree, Text) else not isinstance(tree, Hole) and not tree.values
    return "empty" if empty else CALLED[type(tree)]


def _written(tree: Tree) -> str:
    """A text, or a list of them, as its author may have meant it as one word."""
    if isinstance(tree, Items):
        return ", ".join(item.value for item in tree.values if isinstance(item, Text))
    return tree.value if isinstance(tree, Text) else ""


Check = Callable[[Tree, Any, At], Tree | Fault]


class Shaper:
    """Checks the trees of one file against the language."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.checks: dict[type, Check] = {
            Form: text,
            Choice: choice,
            Flag: flag,
            Version: version,
            Number: number,
            Either: self._either,
            Listing: self._listing,
            Table: self._table,
            Mapping: self._mapping,
            Reserved: reserved,
        }

    def shaped(self, tree: Tree, kind: Kind, at: At) -> Tree | None:
        """`tree` without all that has not the shape of `kind`; None if nothing of it has. What is left out has been said."""
        if isinstance(tree, Hole) or self.reader.full:
            return None
        found = self.checks[type(kind)](tree, kind, at)
        if isinstance(found, Fault):
            self.reader.refuse(tree, *found)
            return None
        return found

    def _either(self, tree: Tree, either: Either, at: At) -> Tree | Fault:
        kind: Kind = either.text if like_text(tree, either) else either.other
        return self.checks[type(kind)](tree, kind, at)

    def _listing(self, tree: Tree, listing: Listing, at: At) -> Tree | Fault:
        if not isinstance(tree, Items) or not tree.values:
            return no_list(tree, listing, at)
        item = At(f"an item of {at.label}", "- ", part=at.part)
        kept = [good for given in tree.values if (good := self.shaped(given, listing.of, item)) is not None]
        self._apart(kept, at)
        return Items(tuple(kept), tree.line, tree.column)

    def _apart(self, kept: list[Tree], at: At) -> None:
        seen: set[str] = set()
        for item in kept:
            if isinstance(item, Text):
                if item.value in seen:
                    self.reader.refuse(item, f"{shown(item.value)} stands twice", f"{at.label} has it already", "take one out")
                seen.add(item.value)

    def _table(self, tree: Tree, table: Table, at: At) -> Tree | Fault:
        if not isinstance(tree, Fields) or not tree.values:
            return no_table(tree, table, at)
        kept = Fields({}, tree.keys, tree.line, tree.column)
        for name, value in tree.values.items():
            key = self.shaped(tree.keys[name], table.key, At("a key", ""))
            good = self.shaped(value, table.value, under(name, True, at.part))
            if key is not None and good is not None:
                kept.values[name] = good
        return kept

    def _mapping(self, tree: Tree, mapping: Mapping, at: At) -> Tree | Fault:
        if not isinstance(tree, Fields):
            return no_mapping(tree, mapping, at)
        kept = Fields({}, tree.keys, tree.line, tree.column)
        part = mapping.part or at.part
        meant = {self._unknown(key, mapping) for key in tree.keys.values() if key.value not in mapping.known}
        for name, value in tree.values.items():
            if key := mapping.known.get(name):
                place = tree.keys[name] if isinstance(key.takes, Reserved) else value
                if (good := self.shaped(place, key.takes, under(name, key.needed or name in mapping.one_of, part))) is not None:
                    kept.values[name] = good
        self._missing(tree, mapping, meant | tree.keys.keys())
        self._together(tree, mapping, part)
        return kept

    def _unknown(self, key: Text, mapping: Mapping) -> str:
        """Say that a key is unknown; the name of the one that was meant, if that can be told."""
        if self.reader.full:
            return ""
        fault, meant = unknown(key.value, mapping)
        self.reader.refuse(key, *fault)
        return meant

    def _missing(self, tree: Fields, mapping: Mapping, there: set[str]) -> None:
        for name in mapping.needed:
            if name not in there:
                why = f"{mapping.name} needs {listed(mapping.needed, 'and')}{_and_one(mapping)}"
                self.reader.refuse(tree, f"{mapping.name} has no {name}", why, f"write {name}: {mapping.known[name].example}")
        if mapping.one_of and there.isdisjoint(mapping.one_of) and there <= mapping.known.keys():
            first = mapping.known[mapping.one_of[0]]
            why = f"it needs {listed(mapping.one_of)}"
            self.reader.refuse(tree, f"{mapping.name} says nothing", why, f"write for example {first.name}: {first.example}")

    def _together(self, tree: Fields, mapping: Mapping, part: str) -> None:
        """What stands there, and can not stand with what else stands there."""
        chosen = [name for name in tree.keys if name in mapping.one_of]
        if mapping.only_one and len(chosen) > 1:
            what = f"{mapping.name} has {listed(chosen, 'and')}"
            self.reader.refuse(tree.keys[chosen[1]], what, mapping.only_one, f"write a {part} for each")
        for clash in mapping.clashes:
            if clash.first in tree.keys and clash.second in tree.keys:
                later = max(tree.keys[clash.first], tree.keys[clash.second], key=lambda key: (key.line, key.column))
                self.reader.refuse(later, f"{clash.first} and {clash.second} together", clash.why, clash.remedy)
        for idle in mapping.idle:
            self._idle(tree, idle)

    def _idle(self, tree: Fields, idle: Idle) -> None:
        beside = tree.fields(idle.beside)
        there = [name for name in beside.keys if name in idle.among] if beside else []
        if there and (key := tree.keys.get(idle.key)):
            what = f"{idle.key} beside {idle.beside}: {{{there[0]}: …}}"
            self.reader.refuse(key, what, idle.why, idle.remedy)


def _and_one(mapping: Mapping) -> str:
    return f", and {listed(mapping.one_of)}" if mapping.one_of else ""
