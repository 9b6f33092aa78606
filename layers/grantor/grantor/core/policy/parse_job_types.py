"""Parse job.yaml, which describes a job type, with the reader of policy files.

The contract and the script beside it are the framework's: it checks them when the code is packed.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

import yaml

from grantor.core.diagnostics import Fault, Problem, quote_text
from grantor.core.policy.job_types import (
    BOUNDED_TYPES,
    PARAMETER_TYPES,
    SHARED_PARAMETERS,
    JobType,
    Parameter,
)
from grantor.core.policy.parser import read_top
from grantor.core.policy.text_forms import (
    ARGUMENT,
    JOB_TYPE_NAME,
    NUMBER_VALUE,
)
from grantor.core.policy.value_types import Choice, Form, Key, Listing, Mapping, Table
from grantor.core.policy.yaml_tree import Fields, PolicyReader, Text, explain_misread
from grantor.core.rules import RESERVED_ARGUMENTS

JOB_FILE, CONTRACT_FILE = "job.yaml", "contract.yaml"
SENTENCE = Form(
    "a line", "say it in a line of up to 200 characters", "features of the data", longest=200
)
CONTRACT = Form(
    "the contract's name", "the contract is contract.yaml, beside job.yaml", CONTRACT_FILE,
    r"contract\.yaml",
)  # fmt: skip
SCRIPT = Form(
    "the script's name", "the script is transform.py, beside job.yaml", "transform.py",
    r"transform\.py",
)  # fmt: skip
# What the parts of a pattern can be, as in spark_jobs/framework/value_forms.py.
PATTERN_PART = re.compile(
    r"\\[dws.\\/+*?()\[\]{}|^$-]"  # an escape, in ASCII alone
    r"|\[\^?(?:\\[dws.\\/+*?()\[\]{}|^$-]|[^\\\[\]&~])+\]"  # a class
    r"|\(\?:|\((?!\?)|\)|\||[?*+]|\{[0-9]{1,4}(?:,(?:[0-9]{1,4})?)?\}"
    r"|[^\\\[\]{}()|?*+^$]"
)
PARAMETER_NAME = Form(
    "a parameter's name",
    "a name has up to 40 lower-case letters, digits and underscores, and starts with a letter",
    "min_tenure",
    r"[a-z][a-z0-9_]{0,39}",
)
VALUE = Form(
    "a value", ARGUMENT.description, "10", longest=ARGUMENT.longest, unquoted=True, scalar=True
)
PARAMETER = Mapping(
    "a parameter",
    (
        Key(
            "type",
            Choice(
                "a type",
                {
                    "string": "a text",
                    "integer": "a whole number",
                    "number": "a number",
                    "boolean": "true or false",
                },
                {"str": "string", "text": "string", "int": "integer", "float": "number"}
                | {"double": "number", "decimal": "number", "bool": "boolean"},
            ),
            "What a value is.",
            "integer",
            required=True,
            slips=("kind", "format"),
        ),
        Key("default", VALUE, "The value if none is given. Without it, one has to be given.", "0"),
        Key("minimum", NUMBER_VALUE, "The smallest number.", "0", slips=("min", "least", "from")),
        Key("maximum", NUMBER_VALUE, "The largest number.", "120", slips=("max", "most", "to")),
        Key(
            "enum",
            Listing("a value", replace(VALUE, unquoted=False, scalar=False)),
            "The values of a text.",
            "[fast, safe]",
            slips=("values", "choices", "options", "one_of"),
        ),
        Key(
            "pattern",
            Form("a regular expression", "it matches all of a text", '"[A-Z]{2}"', longest=500),
            "A regular expression that matches all of a text.",
            '"[A-Z]{2}"',
            slips=("regex", "matches"),
        ),
        Key(
            "description",
            SENTENCE,
            "What it is for.",
            "months that a customer has stayed",
            slips=("summary", "help", "doc"),
        ),
    ),
    "{type: integer, default: 0, description: …}",
)
JOB_TYPE = Mapping(
    "a job type",
    (
        Key(
            "summary",
            SENTENCE,
            "What it makes, in one line.",
            "features of customers for training",
            required=True,
            slips=("title", "description", "name"),
        ),
        Key(
            "contract",
            CONTRACT,
            "The file that describes the table that the job reads.",
            CONTRACT.example,
            required=True,
            slips=("schema", "table", "columns"),
        ),
        Key(
            "script",
            SCRIPT,
            "The file with the team's own `transform`, in place of the features of the contract.",
            SCRIPT.example,
            slips=("code", "entry", "entrypoint", "program", "transform"),
        ),
        Key(
            "parameters",
            Table("parameters", PARAMETER_NAME, PARAMETER),
            "What a policy file can pass below `arguments`.",
            f"{{min_tenure: {PARAMETER.example}}}",
            slips=("arguments", "args", "params", "options"),
        ),
        Key(
            "input_remedy",
            SENTENCE,
            "What to do about an input that breaks the contract.",
            "upload a file with the nine columns",
            slips=("remedy", "hint"),
        ),
    ),
    "summary: …, and contract: …",
)


def parse_job_type(name: str, file: str, body: bytes) -> JobType | tuple[Problem, ...]:
    """The job type of the folder `name`, or all that is wrong with its job.yaml, in its order."""
    reader = PolicyReader(file)
    reader.main_key = "summary"
    top = read_top(reader, body, JOB_TYPE)
    if not JOB_TYPE_NAME.fits(name):
        fault = JOB_TYPE_NAME.describe_misfit(name)
        reader.add(Text(name, 1, 1), *fault._replace(remedy="rename the folder"))
    given = (top.fields("parameters") if top else None) or Fields({}, {}, 1, 1)
    parameters = tuple(
        _parse_parameter(name, values, given.keys[name], reader)
        for name, values in given.values.items()
        if isinstance(values, Fields)
    )
    if top and parameters and not top.text("script"):
        why = "the features of a contract use none"
        remedy = "remove it, or add script: transform.py"
        reader.add(top.keys["parameters"], "parameters without a script", why, remedy)
    if problems := reader.sorted_problems():
        return problems
    return JobType(name, own_parameters=parameters, **_read_texts(top, JOB_TYPE))


def derive_job_type(name: str, contract: bytes) -> JobType:
    """The job type of a folder without a job.yaml: its contract's title says what it makes.

    What is wrong with a contract is the packer's to say.
    """
    try:
        found = yaml.safe_load(contract)
    except yaml.YAMLError:
        found = None
    title = found.get("title") if isinstance(found, dict) else None
    return JobType(name, str(title or name))


def _read_texts(given: Fields | None, mapping: Mapping) -> dict[str, str]:
    """The texts of a mapping by key."""
    found = ((key.name, given.text(key.name)) for key in mapping.keys) if given else ()
    return {name: text.value for name, text in found if text}


def _parse_parameter(name: str, given: Fields, key: Text, reader: PolicyReader) -> Parameter:
    """The parameter; what is wrong with it is reported."""
    texts = _read_texts(given, PARAMETER)
    enum = tuple(one.value for one in given.items("enum") if isinstance(one, Text))
    found = Parameter(name, enum=enum, **texts)
    known = texts.get("type") in PARAMETER_TYPES
    for place, fault in (
        (*_find_name_faults(name, key), *_find_faults(found, given)) if known else ()
    ):
        reader.add(place, *fault)
    return found


def _find_name_faults(name: str, key: Text) -> Iterator[tuple[Text, Fault]]:
    if name in RESERVED_ARGUMENTS:
        why = "Grantor passes an argument of this name itself"
        yield key, Fault(f"parameter {name}", why, "choose another name")
    if name in (one.name for one in SHARED_PARAMETERS):
        why = "every job type has it"
        yield key, Fault(f"parameter {name}", why, "remove it, or choose another name")


def _find_faults(found: Parameter, given: Fields) -> Iterator[tuple[Text, Fault]]:
    bounds = () if found.type in BOUNDED_TYPES else ("minimum", "maximum")
    misplaced = (*bounds, *(() if found.type == "string" else ("enum", "pattern")))
    for key in (wrong := [key for key in misplaced if key in given.keys]):
        why = f"{found.name} is of type {found.type}, which has none"
        yield given.keys[key], Fault(f"{key} of {found.name}", why, f"remove {key}")
    numbers = [(key, given.text(key)) for key in ("minimum", "maximum")]
    for key, text in (bad := [(k, t) for k, t in numbers if t and not NUMBER_VALUE.fits(t.value)]):
        yield text, NUMBER_VALUE.describe_misfit(text.value, f"{key}: ")
    if fault := _find_pattern_fault(found.pattern):
        yield given.keys["pattern"], fault
    if wrong or bad or fault:
        return
    if found.minimum and found.maximum and float(found.minimum) > float(found.maximum):
        what, why = f"the minimum of {found.name} is {found.minimum}", "its maximum is less"
        yield given.keys["minimum"], Fault(what, why, "swap the two")
        return
    if default := given.text("default"):
        yield from _find_default_faults(found, default)


def _find_pattern_fault(pattern: str) -> Fault | None:
    """Why a job may read a pattern differently from the launcher; None if both read it alike."""
    what, remedy = f"{quote_text(pattern)} is not supported", "write a simpler one"
    at = 0
    while at < len(pattern):
        part = PATTERN_PART.match(pattern, at)
        if part is None:
            unknown = f"Java and Python may read {quote_text(pattern[at : at + 8])} differently"
            return Fault(what, unknown, remedy)
        at = part.end()
    try:
        re.compile(pattern)
    except re.error as error:
        return Fault(what, f"it is no regular expression: {error}", remedy)
    return None


def _find_default_faults(found: Parameter, default: Text) -> Iterator[tuple[Text, Fault]]:
    if found.is_text and default.plain and (misread := explain_misread(default.value)):
        yield default, misread
    elif fault := found.explain_value(default.value):
        yield default, fault._replace(what=f"the default of {found.name}: {fault.what}")
