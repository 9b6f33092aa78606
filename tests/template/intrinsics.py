"""The templates with CloudFormation's functions as JSON writes them: `!Ref X` is `{"Ref": "X"}`."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.fast_yaml import FastLoader
from tests.conftest import ROOT

FILES = ("template.yaml", "stacks/studio.yaml", "stacks/operations.yaml", "stacks/buckets.yaml")
UNPREFIXED = ("Ref", "Condition")
PLACEHOLDER = re.compile(r"\$\{([^}]+)\}")


class Intrinsics(FastLoader):
    """Reads the short forms as the long ones."""


def read_function(loader: yaml.SafeLoader, name: str, node: Any) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = node.value
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in UNPREFIXED else f"Fn::{name}": value}


Intrinsics.add_multi_constructor("!", read_function)


def parse_template(text: str) -> dict[str, Any]:
    return dict(yaml.load(text, Intrinsics))


def read_template(file: str) -> dict[str, Any]:
    return parse_template(Path(ROOT / file).read_text())


def walk(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every value below a node with its path."""
    yield path, node
    members = (
        node.items()
        if isinstance(node, Mapping)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    for key, value in members:
        yield from walk(value, (*path, str(key)))


def fill(node: Any, values: Mapping[str, str]) -> str | None:
    """The text of a Ref or Sub whose names are all in `values`; None for anything else."""
    match node:
        case str():
            return node
        case {"Ref": str(name)}:
            return values.get(name)
        case {"Fn::Sub": str(text)} if all(it in values for it in PLACEHOLDER.findall(text)):
            return PLACEHOLDER.sub(lambda found: values[found[1]], text)
    return None
