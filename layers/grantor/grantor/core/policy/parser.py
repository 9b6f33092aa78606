"""A policy file as a value, or everything that is wrong with it; never half of one.

bytes → text → tree → what has the language's shape → rules and jobs. Each step says what is wrong and goes on with the rest, so that the
owner of a file hears of all mistakes at once. Whatever the bytes are, nothing is raised.
"""

from grantor.core.diagnostics import Problem, shown
from grantor.core.policy import parse_jobs, parse_rules
from grantor.core.policy.language import POLICY
from grantor.core.policy.parse_jobs import judge_together
from grantor.core.policy.validate import At, Shaper
from grantor.core.policy.variables import Contexts, contexts, own_variables
from grantor.core.policy.yaml_tree import Fields, Reader, Text, decoded
from grantor.core.rules import Job, Mode, Policy, Rule


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
    own, mode = own_variables(top, reader), top.text("mode")
    return Policy(
        reader.file,
        _rules(reader, top, contexts(reader, own, data_bucket)),
        Mode(mode.value) if mode else Mode.AUTHORITATIVE,
        _jobs(reader, top, contexts(reader, own, data_bucket, "job")),
    )


def _rules(reader: Reader, top: Fields, made: Contexts) -> tuple[Rule, ...]:
    given = [fields for fields in top.items("rules") if isinstance(fields, Fields)]
    found = tuple(rule for fields in given if (rule := parse_rules.meaning(fields, made)))
    _tell_apart(reader, given, "rule")
    return found


def _jobs(reader: Reader, top: Fields, made: Contexts) -> tuple[Job, ...]:
    given = [fields for fields in top.items("jobs") if isinstance(fields, Fields)]
    found = [(fields, job) for fields in given if (job := parse_jobs.meaning(fields, made))]
    _tell_apart(reader, given, "job")
    judge_together(found, reader)
    return tuple(job for _, job in found)


def _tell_apart(reader: Reader, parts: list[Fields], called: str) -> None:
    """Two of one name could not be told apart in any report."""
    seen: dict[str, Text] = {}
    for name in filter(None, (part.text("name") for part in parts)):
        first = seen.setdefault(name.value, name)
        if first is not name:
            why = f"the {called} in line {first.line} has that name"
            reader.refuse(name, f"a second {called} is called {shown(name.value)}", why, "give each its own")
