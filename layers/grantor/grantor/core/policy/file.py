"""A policy file as a value, or everything that is wrong with it; never half of one.

bytes → text → tree → what has the language's shape → rules. Each step says what is wrong and goes on with the rest, so that the
owner of a file hears of all mistakes at once. Whatever the bytes are, nothing is raised.
"""

from grantor.core.policy.document import Fields, Reader, Text
from grantor.core.policy.language import POLICY
from grantor.core.policy.reading.characters import decoded
from grantor.core.policy.reading.context import contexts
from grantor.core.policy.reading.meaning import meaning
from grantor.core.policy.reading.misshapen import At
from grantor.core.policy.reading.own import own_variables
from grantor.core.policy.reading.shape import Shaper
from grantor.core.problem import Problem, shown
from grantor.core.rule import Mode, Policy


def read(file: str, body: bytes, data_bucket: str = "data-bucket") -> Policy | tuple[Problem, ...]:
    """What the file says, or all that is wrong with it, in the file's order. `file` is its key in the policy bucket."""
    reader = Reader(file)
    top = _top(reader, body)
    policy = _policy(reader, top, data_bucket) if top else Policy(file, ())
    return reader.report() or policy


def _top(reader: Reader, body: bytes) -> Fields | None:
    text = decoded(body, reader)
    tree = reader.tree(text) if text is not None else None
    shaped = Shaper(reader).shaped(tree, POLICY, At("a policy file", "")) if tree else None
    return shaped if isinstance(shaped, Fields) else None


def _policy(reader: Reader, top: Fields, data_bucket: str) -> Policy:
    made, mode = contexts(reader, own_variables(top, reader), data_bucket), top.text("mode")
    given = [rule for rule in top.items("rules") if isinstance(rule, Fields)]
    rules = tuple(rule for fields in given if (rule := meaning(fields, made)))
    _tell_apart(reader, given)
    return Policy(reader.file, rules, Mode(mode.value) if mode else Mode.AUTHORITATIVE)


def _tell_apart(reader: Reader, rules: list[Fields]) -> None:
    """Two rules of one name could not be told apart in any report."""
    seen: dict[str, Text] = {}
    for name in filter(None, (rule.text("name") for rule in rules)):
        first = seen.setdefault(name.value, name)
        if first is not name:
            why = f"the rule in line {first.line} has that name"
            reader.refuse(name, f"a second rule is called {shown(name.value)}", why, "give each its own")
