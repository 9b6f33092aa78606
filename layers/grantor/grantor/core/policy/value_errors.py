"""What is wrong with a value that parser.py refuses, and what its author most likely meant.

Nothing here runs for a valid file.
"""

import re
from typing import NamedTuple

from grantor.core.diagnostics import Fault, find_nearest, is_invisible, join_words, quote_text
from grantor.core.policy.value_types import (
    Choice,
    Either,
    Form,
    IneffectiveKey,
    Listing,
    Mapping,
    Number,
    Table,
    Version,
)
from grantor.core.policy.yaml_errors import BRACE_READING
from grantor.core.policy.yaml_tree import Fields, Hole, Items, Text, Tree, unquoted_variable

TREE_NAMES = {Text: "a text", Items: "a list", Fields: "a mapping"}
JOINED_KEY = re.compile(r"(?P<key>[a-z_]+)(?P<by>:| )(?P<value>.+)")
DIGITS = re.compile("[0-9]{1,9}")
BOOLEANS = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}


class ValueContext(NamedTuple):
    """Where a value stands: what a message calls it and writes before it."""

    label: str
    lead: str
    required: bool = True
    part: str = "rule"  # or job: what the value is a part of
    several: str = ""  # what to write for several of these values


def explain_text(tree: Tree, form: Form, at: ValueContext) -> Fault:
    """Explain a value that should have been a text."""
    if name := unquoted_variable(tree):
        return Fault(f"{{{name}}} is not quoted", BRACE_READING, f'write "{{{name}}}"')
    why = f"expected {form.name}"
    if isinstance(tree, Items) and tree.values:
        only = _text_of(tree) if len(tree.values) == 1 else ""
        several = at.several or f"write one of them here, and a {at.part} for each of the others"
        return Fault(f"{at.label} is a list", why, f"write {at.lead}{only}" if only else several)
    values = list(tree.values.values()) if isinstance(tree, Fields) else []
    inside = values[0] if len(values) == 1 else None
    if isinstance(inside, Text) and form.pattern and form.fits(inside.value):
        return Fault(f"{at.label} is a mapping", why, f"write {at.lead}{inside.value}")
    return Fault(_describe_value(tree, at), why, f"write for example {at.lead}{form.example}")


def explain_hidden_character(value: str) -> Fault:
    """Explain a text that holds a character that no editor shows."""
    sign = next(one for one in value if not one.isprintable() or is_invisible(one))
    called = "a line break" if sign == "\n" else f"the character U+{ord(sign):04X}"
    why = "readers of the file cannot see it"
    return Fault(f"the text contains {called}", why, "write the text on one line, without it")


def explain_choice(tree: Tree, of: Choice, at: ValueContext) -> Fault:
    """Explain a value that is not one of a few words."""
    word = _text_of(tree)
    letters = "".join(filter(str.isalpha, word.casefold())) or word
    if letters in of.never:
        return of.never[letters]
    near = of.slips.get(letters) or find_nearest(letters, of.words) or join_words(of.words)
    is_word = word and isinstance(tree, Text)
    what = f"{quote_text(word)} is not {of.name}" if is_word else _describe_value(tree, at)
    if len(of.words) == 1:
        why = f"the only value of {at.label} is {near}"
    else:
        why = f"{at.label} must be {join_words(of.words)}"
    return Fault(what, why, f"write {at.lead}{near}")


def explain_flag(tree: Tree, at: ValueContext) -> Fault:
    """Explain a value that is neither true nor false."""
    word = _text_of(tree)
    near = BOOLEANS.get(word.casefold()) or find_nearest(word, ("true", "false")) or "true"
    why = f"{at.label} must be true or false, in lower case and without quotes"
    return Fault(_describe_value(tree, at), why, f"write {at.lead}{near}")


def explain_number(tree: Tree, of: Number, at: ValueContext) -> Fault:
    """Explain a value that is not a whole number within bounds."""
    digits = DIGITS.search(_text_of(tree))
    near = min(max(int(digits[0]), of.least), of.most) if digits else of.usual
    why = f"{at.label} must be {of.name}, without quotes"
    return Fault(_describe_value(tree, at), why, f"write {at.lead}{near}")


def explain_version(tree: Tree, of: Version, at: ValueContext) -> Fault:
    """Explain a version of the language that is not known here."""
    why = f"this version of Grantor reads version {of.number}, a number without quotes"
    return Fault(_describe_value(tree, at), why, f"write {at.lead}{of.number}")


def explain_list(tree: Tree, listing: Listing, at: ValueContext) -> Fault:
    """Explain a value that should have been a list of one or more items."""
    what = f"{at.label} is {_describe_tree(tree)}"
    why = f"expected a list in which each item is {listing.item}"
    if isinstance(tree, Text) and tree.value and not isinstance(listing.of, Mapping):
        return Fault(what, why, f"write {at.lead}[{_to_flow(tree.value)}]")
    if isinstance(tree, Fields) and tree.values and isinstance(listing.of, Mapping):
        remedy = "write - before the first key of each item, and indent its other keys to match"
        return Fault(what, why, remedy)
    of = listing.of.text if isinstance(listing.of, Either) else listing.of
    example = of.flow_example if isinstance(of, Form) else of.example
    return Fault(what, why, f"write for example {at.lead}[{example}]{_or_omit(at)}")


def explain_table(tree: Tree, table: Table, at: ValueContext) -> Fault:
    """Explain a value that should have been a mapping whose keys are the author's own."""
    why = f"expected a mapping from {table.key.name} to {table.value.name}"
    value = table.value.flow_example if isinstance(table.value, Form) else table.value.example
    example = f"{at.lead}{{{table.key.example}: {value}}}"
    what = f"{at.label} is {_describe_tree(tree)}"
    return Fault(what, why, f"write for example {example}{_or_omit(at)}")


def explain_mapping(tree: Tree, mapping: Mapping, at: ValueContext) -> Fault:
    """Explain a value that should have been a mapping with known keys."""
    what = f"{at.label} is {_describe_tree(tree)}"
    why = f"expected a mapping with {_list_keys(mapping)}"
    if isinstance(tree, Items) and tree.values:
        return Fault(what, why, f"write {at.lead}{mapping.example}, without - or [ ]")
    word = _text_of(tree)
    for key in mapping.keys if len(mapping.required_names) < 2 else ():
        form = key.takes.text if isinstance(key.takes, Either) else key.takes
        if isinstance(form, Form) and form.pattern and form.fits(word):
            return Fault(what, why, f"write {at.lead}{{{key.name}: {_to_flow(word)}}}")
    return Fault(what, why, f"write for example {at.lead}{mapping.example}")


def explain_key(name: str, mapping: Mapping) -> tuple[Fault, str]:
    """Explain an unknown key, and give the name of the one that was meant, "" if unknown."""
    if name in mapping.never:
        return mapping.never[name], mapping.never_means
    if name.casefold() == "true" and "on" in mapping.keys_by_name:
        why = "YAML 1.1 reads on as true, and a tool that has rewritten the file wrote that"
        return Fault(f"unknown key {quote_text(name)}", why, 'write "on", in quotes'), "on"
    joined = JOINED_KEY.match(name)
    if joined and joined["key"] in mapping.keys_by_name:
        what = "missing space after the colon" if joined["by"] == ":" else "missing colon"
        remedy = f"write {joined['key']}: {joined['value'].rstrip()}"
        return Fault(what, f"YAML reads {quote_text(name)} as a key", remedy), joined["key"]
    slip = next((key.name for key in mapping.keys if name.casefold() in key.slips), "")
    near = slip or find_nearest(name, mapping.keys_by_name)
    remedy = f"did you mean {near}?" if near else "remove it, or write one of these"
    why = f"{mapping.name} accepts {_list_keys(mapping)}"
    fault = Fault(f"unknown key {quote_text(name)}", why, f"write {slip}" if slip else remedy)
    return fault, near


def explain_missing_key(name: str, mapping: Mapping) -> Fault:
    """Explain that a required key is missing."""
    needed = join_words(mapping.required_names, "and")
    one_of = f", and {join_words(mapping.one_of)}" if mapping.one_of else ""
    remedy = f"write {name}: {mapping.keys_by_name[name].example}"
    return Fault(
        f"missing key {quote_text(name)}", f"{mapping.name} needs {needed}{one_of}", remedy
    )


def explain_incomplete(mapping: Mapping) -> Fault:
    """Explain that a mapping has none of the keys of which it needs one."""
    first = mapping.keys_by_name[mapping.one_of[0]]
    remedy = f"write for example {first.name}: {first.example}"
    return Fault(f"{mapping.name} is incomplete", f"it needs {join_words(mapping.one_of)}", remedy)


def explain_repeated(value: str) -> Fault:
    """Explain an item that a list contains already."""
    why = "the list already contains it"
    return Fault(f"{quote_text(value)} is repeated", why, "remove one of them")


def explain_ineffective(key: IneffectiveKey, name: str) -> Fault:
    """Explain a key that has no meaning beside the key `name`."""
    what = f"{key.key} cannot be combined with {key.beside}: {{{name}: …}}"
    return Fault(what, key.why, key.remedy)


def _list_keys(mapping: Mapping) -> str:
    return join_words(mapping.keys_by_name, "or" if mapping.only_one else "and")


def _to_flow(text: str) -> str:
    """`text` as it can stand in [] and {}."""
    return f'"{text}"' if set("{}[],") & set(text) else text


def _or_omit(at: ValueContext) -> str:
    return "" if at.required else f", or omit {at.label}"


def _describe_value(tree: Tree, at: ValueContext) -> str:
    word = tree.value if isinstance(tree, Text) else ""
    return f"{at.label} is {quote_text(word) if word else _describe_tree(tree)}"


def _describe_tree(tree: Tree) -> str:
    if isinstance(tree, Text):
        return TREE_NAMES[Text] if tree.value else "empty"
    return TREE_NAMES[type(tree)] if isinstance(tree, Hole) or tree.values else "empty"


def _text_of(tree: Tree) -> str:
    """A text, or a list of them, as its author may have meant it as one word."""
    if isinstance(tree, Items):
        return ", ".join(item.value for item in tree.values if isinstance(item, Text))
    return tree.value if isinstance(tree, Text) else ""
