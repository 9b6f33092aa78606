"""The policy language as JSON Schema, so that editors complete and check; made from language.py.

It allows all that Grantor allows, and refuses much of what Grantor refuses: whether a scope is sound or a variable known, only
Grantor can tell. It is published as docs/policy.schema.json (docs/policy_page.py).
"""

from collections.abc import Callable
from typing import Any

from grantor.core.policy.language import POLICY
from grantor.core.policy.value_types import (
    Choice,
    Either,
    Flag,
    Form,
    Idle,
    Key,
    Kind,
    Listing,
    Mapping,
    Number,
    Reserved,
    Table,
    Version,
)

Schema = dict[str, Any]


def schema() -> Schema:
    """The language as a JSON Schema, draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Grantor policy file",
        "description": "Who may do what where in S3, and until when; and which jobs uploads start.",
        **_mapping(POLICY),
    }


def _of(kind: Kind) -> Schema:
    return WRITERS[type(kind)](kind)


def _form(form: Form) -> Schema:
    found: Schema = {"type": "string"} | ({} if form.may_be_empty else {"minLength": 1})
    if form.pattern:
        # A text with a variable in it has its form only when the variable has a value.
        found["pattern"] = f"^(?:{form.pattern})$" + (r"|\{" if form.variables else "")
    if form.longest and not form.variables:
        found["maxLength"] = form.longest
    return found


def _choice(choice: Choice) -> Schema:
    return {"oneOf": [{"const": word, "description": meaning} for word, meaning in choice.words.items()]}


def _listing(listing: Listing) -> Schema:
    unique = {"uniqueItems": True} if isinstance(listing.of, Form) else {}
    return {"type": "array", "minItems": 1, "items": _of(listing.of), **unique}


def _table(table: Table) -> Schema:
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": _of(table.key),
        "additionalProperties": _of(table.value),
    }


def _mapping(mapping: Mapping) -> Schema:
    found: Schema = {
        "type": "object",
        "properties": {key.name: _key(key) for key in mapping.keys},
        "required": mapping.needed,
        "additionalProperties": False,
    }
    if mapping.only_one:
        found |= {"minProperties": 1, "maxProperties": 1}
    elif mapping.one_of:
        found["anyOf"] = [{"required": [name]} for name in mapping.one_of]
    never = [{"required": [clash.first, clash.second]} for clash in mapping.clashes] + [_idle(idle) for idle in mapping.idle]
    return found | ({"not": {"anyOf": never}} if never else {})


def _key(key: Key) -> Schema:
    return {"description": key.says, **_of(key.takes)}


def _idle(idle: Idle) -> Schema:
    among = {"type": "object", "anyOf": [{"required": [name]} for name in idle.among]}
    return {"required": [idle.key, idle.beside], "properties": {idle.beside: among}}


WRITERS: dict[type, Callable[[Any], Schema]] = {
    Form: _form,
    Choice: _choice,
    Flag: lambda _: {"type": "boolean"},
    Version: lambda version: {"const": version.number},
    Number: lambda number: {"type": "integer", "minimum": number.least, "maximum": number.most},
    Either: lambda either: {"anyOf": [_of(either.text), _of(either.other)]},
    Listing: _listing,
    Table: _table,
    Mapping: _mapping,
    Reserved: lambda _: {"not": {}},
}
