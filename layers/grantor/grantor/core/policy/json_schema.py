"""Build the policy language as a JSON Schema, so that editors complete and check policy files.

The schema allows everything that Grantor accepts, and refuses much of what Grantor refuses: only
Grantor knows whether a scope is sound or a variable has a value. docs/policy_page.py publishes it
as docs/policy.schema.json.
"""

from collections.abc import Callable
from typing import Any

from grantor.core.policy.language import POLICY
from grantor.core.policy.value_types import (
    Choice,
    Either,
    Flag,
    Form,
    IneffectiveKey,
    Key,
    Kind,
    Listing,
    Mapping,
    Number,
    OneOrMore,
    Table,
    Version,
)

Schema = dict[str, Any]


def build_schema(
    language: Mapping = POLICY,
    title: str = "Grantor policy file",
    description: str = "Who may do what where in S3, and until when; and which jobs uploads start.",
) -> Schema:
    """The language as a JSON Schema, draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": description,
        **_mapping_schema(language),
    }


def _to_schema(kind: Kind) -> Schema:
    return WRITERS[type(kind)](kind)


def _form_schema(form: Form) -> Schema:
    types = ["string", "number", "boolean"] if form.scalar else "string"
    found: Schema = {"type": types} | ({} if form.may_be_empty else {"minLength": 1})
    if form.pattern:
        # A text with a variable in it has its form only when the variable has a value.
        found["pattern"] = f"^(?:{form.pattern})$" + (r"|\{" if form.variables else "")
    if form.longest and not form.variables:
        found["maxLength"] = form.longest
    return found


def _choice_schema(choice: Choice) -> Schema:
    return {
        "oneOf": [{"const": word, "description": meaning} for word, meaning in choice.words.items()]
    }


def _list_schema(listing: Listing) -> Schema:
    unique = {} if isinstance(listing.of, Mapping) else {"uniqueItems": True}
    least = {} if listing.may_be_empty else {"minItems": 1}
    return {"type": "array", **least, "items": _to_schema(listing.of), **unique}


def _several_schema(several: OneOrMore) -> Schema:
    listed = _list_schema(several.listing) | {"uniqueItems": True}
    return {"anyOf": [_to_schema(several.of), listed]}


def _table_schema(table: Table) -> Schema:
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": _to_schema(table.key),
        "additionalProperties": _to_schema(table.value),
    }


def _mapping_schema(mapping: Mapping) -> Schema:
    found: Schema = {
        "type": "object",
        "properties": {key.name: _key_schema(key) for key in mapping.keys},
        "required": mapping.required_names,
        "additionalProperties": False,
    }
    if mapping.dependent:
        found["dependentRequired"] = {one.key: [one.beside] for one in mapping.dependent}
    if mapping.one_of:
        found["oneOf" if mapping.only_one else "anyOf"] = [
            {"required": [name]} for name in mapping.one_of
        ]
    never = [{"required": [clash.first, clash.second]} for clash in mapping.clashes] + [
        _idle_schema(idle) for idle in mapping.ineffective
    ]
    return found | ({"not": {"anyOf": never}} if never else {})


def _key_schema(key: Key) -> Schema:
    return {"description": key.description, **_to_schema(key.takes)}


def _idle_schema(idle: IneffectiveKey) -> Schema:
    among = {"type": "object", "anyOf": [{"required": [name]} for name in idle.among]}
    listed = {"anyOf": [among, {"type": "array", "contains": among}]}
    return {"required": [idle.key, idle.beside], "properties": {idle.beside: listed}}


WRITERS: dict[type, Callable[[Any], Schema]] = {
    Form: _form_schema,
    Choice: _choice_schema,
    Flag: lambda _: {"type": "boolean"},
    Version: lambda version: {"const": version.number},
    Number: lambda number: {"type": "integer", "minimum": number.least, "maximum": number.most},
    Either: lambda either: {"anyOf": [_to_schema(either.text), _to_schema(either.other)]},
    Listing: _list_schema,
    OneOrMore: _several_schema,
    Table: _table_schema,
    Mapping: _mapping_schema,
}
