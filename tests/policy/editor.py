"""A policy file as an editor sees it: read by the rules of YAML 1.2, checked by the JSON Schema."""

import re

import jsonschema
import yaml

from grantor.core.policy.json_schema import build_schema
from harness.fast_yaml import FastLoader

SCHEMA = jsonschema.Draft202012Validator(build_schema())


class Editor(FastLoader):
    """YAML as editors read it, by core schema 1.2: `on` and dates are texts, and 0123 is 123."""


Editor.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", "~|null|Null|NULL|", "~nN"),
    ("int", "[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
):
    Editor.add_implicit_resolver(
        f"tag:yaml.org,2002:{tag}",
        re.compile(f"(?:{pattern})$"),
        [*first, ""] if tag == "null" else list(first),
    )


def is_allowed(text: str) -> bool:
    return SCHEMA.is_valid(yaml.load(text, Editor))
