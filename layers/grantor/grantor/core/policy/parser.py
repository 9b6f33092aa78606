"""Parse a policy file: its value, or everything that is wrong with it, never half of it.

The steps: bytes, text, tree, a tree that fits the language, rules and jobs. Each step reports what
is wrong and goes on with the rest, so that the file's owner sees all mistakes at once. No input
raises an exception.
"""

from grantor.core.diagnostics import Problem, quote_text
from grantor.core.policy.language import POLICY
from grantor.core.policy.parse_jobs import parse_job, refuse_conflicts
from grantor.core.policy.parse_rules import parse_rule
from grantor.core.policy.validate import Validator
from grantor.core.policy.value_errors import ValueContext
from grantor.core.policy.variables import Contexts, build_contexts, read_variables
from grantor.core.policy.yaml_tree import Fields, PolicyReader, Text, decode_body
from grantor.core.rules import Job, Mode, Policy, Rule


def parse_policy(
    file: str, body: bytes, data_bucket: str = "data-bucket"
) -> Policy | tuple[Problem, ...]:
    """The file's rules and jobs, or all that is wrong with it, in the file's order.

    `file` is its key in the policy bucket.
    """
    reader = PolicyReader(file)
    top = _read_top(reader, body)
    policy = _build_policy(reader, top, data_bucket) if top else Policy(file, ())
    return reader.sorted_problems() or policy


def _read_top(reader: PolicyReader, body: bytes) -> Fields | None:
    text = decode_body(body, reader)
    tree = reader.parse_tree(text) if text is not None else None
    if tree is None:
        return None
    checked = Validator(reader).check_tree(tree, POLICY, ValueContext("a policy file", ""))
    return checked if isinstance(checked, Fields) else None


def _build_policy(reader: PolicyReader, top: Fields, data_bucket: str) -> Policy:
    own, mode = read_variables(top, reader), top.text("mode")
    return Policy(
        reader.file,
        _parse_rules(reader, top, build_contexts(reader, own, data_bucket)),
        Mode(mode.value) if mode else Mode.AUTHORITATIVE,
        _parse_jobs(reader, top, build_contexts(reader, own, data_bucket, "job")),
    )


def _parse_rules(reader: PolicyReader, top: Fields, contexts: Contexts) -> tuple[Rule, ...]:
    given = [fields for fields in top.items("rules") if isinstance(fields, Fields)]
    found = tuple(rule for fields in given if (rule := parse_rule(fields, contexts)))
    _refuse_same_names(reader, given, "rule")
    return found


def _parse_jobs(reader: PolicyReader, top: Fields, contexts: Contexts) -> tuple[Job, ...]:
    given = [fields for fields in top.items("jobs") if isinstance(fields, Fields)]
    found = [(fields, job) for fields in given if (job := parse_job(fields, contexts))]
    _refuse_same_names(reader, given, "job")
    if found:
        refuse_conflicts(found, reader)
    return tuple(job for _, job in found)


def _refuse_same_names(reader: PolicyReader, parts: list[Fields], called: str) -> None:
    """Report two rules or jobs of one name: no report could distinguish them."""
    seen: dict[str, Text] = {}
    for name in filter(None, (part.text("name") for part in parts)):
        first = seen.setdefault(name.value, name)
        if first is not name:
            what = f"a second {called} is named {quote_text(name.value)}"
            why = f"the {called} on line {first.line} has that name"
            reader.add(name, what, why, "give each its own name")
