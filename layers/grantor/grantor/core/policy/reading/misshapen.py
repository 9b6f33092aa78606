"""What is said of a value that has not the shape it should have. Where it has it, the value itself is the answer."""

import re
from functools import lru_cache
from typing import NamedTuple

from grantor.core.policy.document import Fields, Hole, Items, Text, Tree
from grantor.core.policy.kinds import Choice, Either, Flag, Form, Listing, Mapping, Number, Reserved, Table, Version
from grantor.core.policy.reading.plain import misread
from grantor.core.problem import LONGEST_SHOWN, Fault, listed, nearest, shown

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
