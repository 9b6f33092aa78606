"""Job types as values: what a job makes, and which parameters it takes.

A job type is a folder spark_jobs/NAME with a job.yaml, which parse_job_types.py reads. Only job
types that ship with the stack run. shipped_job_types.py lists them, and is generated when the stack
is built, so nobody keeps a list by hand.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from grantor.core.diagnostics import Fault, join_words, quote_text
from grantor.core.policy.shipped_job_types import JOB_TYPES_JSON
from grantor.core.policy.text_forms import (
    ACCESS,
    BOOLEAN_VALUE,
    INTEGER_VALUE,
    NUMBER_VALUE,
    QUARANTINE,
)
from grantor.core.policy.value_types import Form
from grantor.limits import MAX_CONTAINER_ARGUMENT_CHARACTERS

ENTRY = "preprocess.py"  # the script that spark-submit runs for every job type
# What a parameter's value can be, and how messages call it.
PARAMETER_TYPES: Mapping[str, Form | None] = {
    "string": None,
    "integer": INTEGER_VALUE,
    "number": NUMBER_VALUE,
    "boolean": BOOLEAN_VALUE,
}
BOUNDED_TYPES = ("integer", "number")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a job type: what a policy file can write below `arguments`.

    Numbers are texts as they were written; "" is none. A parameter without a default has to be
    given. `pattern` matches all of a text. The job applies the default.
    """

    name: str
    type: str = "string"  # of PARAMETER_TYPES
    description: str = ""
    default: str = ""
    minimum: str = ""
    maximum: str = ""
    enum: tuple[str, ...] = ()
    pattern: str = ""

    @property
    def is_required(self) -> bool:
        """Whether a policy file has to give it."""
        return not self.default

    @property
    def is_text(self) -> bool:
        """Whether its values are texts, so that a number has to be quoted."""
        return PARAMETER_TYPES[self.type] is None

    @property
    def form(self) -> str:
        """What a value is, as a noun with its article.

        >>> Parameter("days", "integer", minimum="1", maximum="365").form
        'a whole number from 1 to 365'
        >>> Parameter("mode", enum=("fast", "safe")).form, Parameter("rate", "number").form
        ('fast or safe', 'a number')
        """
        if self.enum:
            return join_words(self.enum)
        known = PARAMETER_TYPES[self.type]
        name = known.name if known else f"a text of up to {MAX_CONTAINER_ARGUMENT_CHARACTERS}"
        if known is None:
            return f"{name} characters" + (f" that matches {self.pattern}" if self.pattern else "")
        if self.minimum and self.maximum:
            return f"{name} from {self.minimum} to {self.maximum}"
        if self.minimum:
            return f"{name} of at least {self.minimum}"
        return f"{name} of at most {self.maximum}" if self.maximum else name

    @property
    def example(self) -> str:
        """A value that it accepts."""
        known = PARAMETER_TYPES[self.type]
        return (
            self.default
            or next(iter(self.enum), "")
            or self.minimum
            or self.maximum
            or (known.example if known else '"text"')
        )

    def explain_value(self, text: str) -> Fault | None:
        """What is wrong with a value; None if it fits.

        >>> print(Parameter("days", "integer", maximum="365").explain_value("400").why)
        days is a whole number of at most 365
        """
        known = PARAMETER_TYPES[self.type]
        remedy = f"write for example {self.name}: {self.example}"
        if known and not known.fits(text):
            return Fault(f"{quote_text(text)} is not {known.name}", self._reason, remedy)
        if len(text) > MAX_CONTAINER_ARGUMENT_CHARACTERS:
            return Fault(f"{quote_text(text)} is too long", self._reason, "shorten it")
        if (self.enum and text not in self.enum) or not self._matches(text):
            return Fault(f"{quote_text(text)} is not {self.form}", self._reason, remedy)
        if self.minimum and float(text) < float(self.minimum):
            remedy = f"write at least {self.name}: {self.minimum}"
            return Fault(f"{text} is too small", self._reason, remedy)
        if self.maximum and float(text) > float(self.maximum):
            return Fault(f"{text} is too large", self._reason, f"write at most {self.maximum}")
        return None

    def _matches(self, text: str) -> bool:
        return not self.pattern or re.fullmatch(self.pattern, text) is not None

    @property
    def _reason(self) -> str:
        return f"{self.name} is {self.form}"


@dataclass(frozen=True)
class FormParameter(Parameter):
    """A parameter of the framework, whose values have a form of their own."""

    value: Form = ACCESS

    @property
    def form(self) -> str:
        """What a value is, as a noun with its article."""
        return self.value.name

    def explain_value(self, text: str) -> Fault | None:
        """What is wrong with a value; None if it fits."""
        return None if self.value.fits(text) else self.value.describe_misfit(text, f"{self.name}: ")


ACCESS_PARAMETER = FormParameter(
    "access",
    description="`s3a`: Spark requests credentials for each request; `staged`: data is downloaded "
    "and uploaded with vended credentials; `auto`: the first that works",
    default="auto",
    value=ACCESS,
)
QUARANTINE_PARAMETER = FormParameter(
    "max_quarantine",
    description="how many invalid lines are too many: a number, or a share of all lines",
    default="10%",
    value=QUARANTINE,
)

SHARED_PARAMETERS = (QUARANTINE_PARAMETER, ACCESS_PARAMETER)  # of every job type


@dataclass(frozen=True)
class JobType:
    """One job type: the folder of its code, what it makes, and what policy files can pass to it.

    Its contract describes the table that it reads. With a script, the team's own code makes the
    output.
    """

    name: str  # `run` in a policy file, and the folder in spark_jobs/
    summary: str
    contract: str = "contract.yaml"  # a file in the folder
    script: str = ""  # a file in the folder
    input_remedy: str = ""  # what to do about an input that breaks the contract
    own_parameters: tuple[Parameter, ...] = ()
    # All parameters by name: those of the framework, then its own.
    parameters: Mapping[str, Parameter] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        every = (*SHARED_PARAMETERS, *self.own_parameters)
        object.__setattr__(self, "parameters", {one.name: one for one in every})


JobTypes = Mapping[str, JobType]  # by name


def dump_job_types(types: Sequence[JobType]) -> str:
    """Write job types as JSON, in the order of their names."""
    listed = [asdict(one) for one in sorted(types, key=lambda one: one.name)]
    for each in listed:
        del each["parameters"]
    return json.dumps(listed, indent=1, ensure_ascii=True)


def load_job_types(text: str) -> JobTypes:
    """Read what dump_job_types has written."""
    return {one["name"]: _load_job_type(one) for one in json.loads(text)}


def _load_job_type(given: Mapping[str, Any]) -> JobType:
    own = tuple(Parameter(**{**one, "enum": tuple(one["enum"])}) for one in given["own_parameters"])
    return JobType(**{**given, "own_parameters": own})


SHIPPED_JOB_TYPES = load_job_types(JOB_TYPES_JSON)
