"""job.yaml is read twice: by the layer, where the stack is built and policy files are checked, and by
the framework, where a job runs. Both accept the same files and give the same names and values.
"""

from pathlib import Path
from typing import Any

import pytest

from framework import parameters
from framework.descriptor import ContractError
from framework.job_files import Job, read_job
from grantor.core.policy.job_types import SHARED_PARAMETERS, JobType
from grantor.core.policy.parse_job_types import parse_job_type
from grantor.core.rules import RESERVED_ARGUMENTS
from grantor.limits import MAX_CONTAINER_ARGUMENT_CHARACTERS
from tests.job_contracts.test_job_files import JOB, SCRIPT, write_job

SCRIPTED = f"{JOB}script: transform.py\n"


def with_parameter(parameter: str, name: str = "x") -> str:
    return f"{SCRIPTED}parameters:\n  {name}: {parameter}\n"


RIGHT = {
    "a contract": JOB,
    "a script": SCRIPTED,
    "a remedy": f"{JOB}input_remedy: upload a file with two columns\n",
    "a line of 200 characters": f"summary: {'x' * 200}\ncontract: contract.yaml\n",
    "a text in quotes": "summary: 'features: of wine'\ncontract: \"contract.yaml\"\n",
    "letters of another language": "summary: Größe der Weine\ncontract: contract.yaml\n",
    "a whole number": with_parameter("{type: integer}"),
    "a whole number in bounds": with_parameter("{type: integer, minimum: -5, maximum: 5, default: 5}"),
    "one value only": with_parameter("{type: integer, minimum: 5, maximum: 5}"),
    "a number": with_parameter("{type: number, default: 0.5, minimum: 0, maximum: 1.5}"),
    "true or false": with_parameter("{type: boolean, default: false}"),
    "words": with_parameter("{type: string, enum: [fast, safe], default: safe}"),
    "words in quotes": with_parameter('{type: string, enum: ["1", "2"], default: "1"}'),
    "a pattern": with_parameter('{type: string, pattern: "[A-Z]{2}", default: DE}'),
    "a description": with_parameter("{type: string, description: the country}"),
    "a name of 40 characters": with_parameter("{type: string}", "x" * 40),
}  # fmt: skip
WRONG = {
    "no parameter": f"{SCRIPTED}parameters: {{}}\n",
    "parameters without a value": f"{SCRIPTED}parameters:\n",
    "a script without a value": f"{JOB}script:\n",
    "a remedy without a value": f"{JOB}input_remedy:\n",
    **{f"no {key}": with_parameter(f"{{type: string, {key}: }}") for key in ("default", "enum", "pattern", "description")},
    "nothing": "",
    "a list": "- summary: x\n",
    "no YAML": "summary: [\n",
    "a key twice": f"{JOB}summary: y\n",
    "an unknown key": f"{JOB}title: x\n",
    "no summary": "contract: contract.yaml\n",
    "no contract": "summary: x\n",
    "an empty summary": "summary: ''\ncontract: contract.yaml\n",
    "a summary that is a number": "summary: 5\ncontract: contract.yaml\n",
    "a summary of 201 characters": f"summary: {'x' * 201}\ncontract: contract.yaml\n",
    "a summary of two lines": "summary: |\n  one\n  two\ncontract: contract.yaml\n",
    "a remedy of 201 characters": f"{JOB}input_remedy: {'x' * 201}\n",
    "another contract": "summary: x\ncontract: wine.yaml\n",
    "another script": f"{JOB}script: wine.py\n",
    "parameters without a script": f"{JOB}parameters: {{x: {{type: integer}}}}\n",
    "parameters in a list": f"{SCRIPTED}parameters: [x]\n",
    "a parameter without a type": with_parameter("{default: 1}"),
    "a parameter that is a word": with_parameter("integer"),
    "an unknown type": with_parameter("{type: int}"),
    "an unknown key of a parameter": with_parameter("{type: integer, least: 1}"),
    "a name with a capital": with_parameter("{type: integer}", "Days"),
    "a name of 41 characters": with_parameter("{type: integer}", "x" * 41),
    "bounds of a text": with_parameter("{type: string, minimum: 1}"),
    "bounds of a truth": with_parameter("{type: boolean, maximum: 1}"),
    "words of a number": with_parameter('{type: integer, enum: ["1"]}'),
    "a pattern of a number": with_parameter("{type: number, pattern: '1'}"),
    "a minimum above the maximum": with_parameter("{type: integer, minimum: 2, maximum: 1}"),
    "a bound that is a word": with_parameter("{type: integer, minimum: one}"),
    "words that are numbers": with_parameter("{type: string, enum: [1, 2]}"),
    "no words": with_parameter("{type: string, enum: []}"),
    "a default that is no number": with_parameter("{type: integer, default: one}"),
    "a default that is not whole": with_parameter("{type: integer, default: 1.5}"),
    "a default below the minimum": with_parameter("{type: integer, default: 1, minimum: 2}"),
    "a default above the maximum": with_parameter("{type: integer, default: 9, maximum: 5}"),
    "a default that is no word of the list": with_parameter("{type: string, enum: [a], default: b}"),
    "a default that does not match": with_parameter('{type: string, pattern: "[A-Z]", default: a}'),
    "a default that is too long": with_parameter(f"{{type: string, default: {'x' * 257}}}"),
    "a default of text in numbers": with_parameter("{type: string, default: 1.50}"),
    "a truth as a word": with_parameter("{type: boolean, default: maybe}"),
    "a pattern that is no expression": with_parameter('{type: string, pattern: "[A-Z"}'),
    "a pattern that looks ahead": with_parameter('{type: string, pattern: "(?=a)b"}'),
    "a pattern that refers back": with_parameter(r"{type: string, pattern: '(a)\1'}"),
    "a description of 201 characters": with_parameter(f"{{type: string, description: {'x' * 201}}}"),
    **{f"the argument {name}": with_parameter("{type: string}", name) for name in sorted(parameters.OWN_ARGUMENTS)},
}  # fmt: skip


def read_in_layer(text: str) -> JobType | str:
    found = parse_job_type("wine", "wine/job.yaml", text.encode())
    return found if isinstance(found, JobType) else "\n".join(map(str, found))


def read_in_framework(text: str, folder: Path) -> Job | str:
    script = SCRIPT if "script:" in text else ""
    try:
        return read_job("wine", write_job(folder, job=text or "\n", script=script))
    except ContractError as error:
        return str(error)


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_both_accept_a_right_file_and_read_the_same(text: str, tmp_path: Path) -> None:
    here, there = read_in_layer(text), read_in_framework(text, tmp_path)

    assert isinstance(here, JobType), here
    assert isinstance(there, Job), there
    assert (here.summary, bool(here.script)) == (there.summary, bool(there.script))
    assert [describe(one) for one in here.own_parameters] == [
        describe(one) for one in there.parameters
    ]


def describe(one: Any) -> tuple[str, ...]:
    """The parameter's name, type, words, pattern, and its default as a text."""
    default = getattr(one, "default", None)
    text = (
        ""
        if default is None
        else str(default).lower()
        if isinstance(default, bool)
        else str(default)
    )
    return (one.name, one.type, *one.enum, one.pattern, text)


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_both_refuse_a_wrong_file(text: str, tmp_path: Path) -> None:
    here, there = read_in_layer(text), read_in_framework(text, tmp_path)

    assert isinstance(here, str), "the layer accepts it"
    assert isinstance(there, str), "the framework accepts it"


def test_both_know_the_arguments_that_every_job_has() -> None:
    shared = {one.name for one in SHARED_PARAMETERS}

    assert {*RESERVED_ARGUMENTS, *shared} == parameters.OWN_ARGUMENTS
    assert parameters.MAX_VALUE_CHARS == MAX_CONTAINER_ARGUMENT_CHARACTERS
