"""What a text of a rule is read with: the file's reader, and the variables that may stand in it."""

from dataclasses import dataclass, replace
from itertools import product

from grantor.core.policy.document import Reader, Text
from grantor.core.policy.reading.variables import BUCKET, Variables
from grantor.core.problem import Judge


@dataclass(frozen=True)
class Context:
    """Fills texts and judges them; `data_bucket` is the value of that variable."""

    reader: Reader
    variables: Variables
    data_bucket: str

    def text(self, given: Text, judge: Judge) -> str | None:
        """The text with the file's own variables filled in; None after saying what is wrong with it."""
        if self.variables.uses_broken(given.value):
            return None
        filled, faults = self.variables.fill(given.value)
        for fault in faults or tuple(judge(filled)):
            self.reader.refuse(given, *fault)
            faults = (fault,)
        return None if faults else filled

    def final(self, text: str) -> str:
        """`text` with the name of the data bucket: what goes into the rule."""
        return text.replace(f"{{{BUCKET}}}", self.data_bucket)


Contexts = dict[tuple[bool, bool], Context]  # by whether variables of a profile, and of a prefix, may stand in the text


def contexts(reader: Reader, variables: Variables, data_bucket: str, part: str = "rule") -> Contexts:
    """All contexts that the texts of a file's rules, or jobs, can have."""
    return {
        (profile, prefix): Context(reader, replace(variables, profile=profile, prefix=prefix, part=part), data_bucket)
        for profile, prefix in product((False, True), repeat=2)
    }
