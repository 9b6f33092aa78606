"""Whom a policy sees: the ARN of a session's role, policy variables, and what denies even root.

The server gives aws:PrincipalArn of a role's session the session's own ARN; on AWS it is the
role's. It takes `${aws:PrincipalTag/team}` in a policy for these letters; AWS puts the value there.
It asks no bucket policy about the account's root; on AWS a Deny there applies to everybody.
"""

import json
import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from sandbox.server.control import current_switches
from sandbox.server.enforcement import (
    EVALUATOR,
    RESOURCE_POLICY_PARAMETERS,
    Enforce,
    EnforcedCall,
    Refusal,
    ask_evaluator,
    evaluate_resource_policy,
    wrap_enforcement,
)
from sandbox.server.seams import use_seam, wrap_seam
from sandbox.switches import AccountSwitches

VERSION = "2012-10-17"  # in a policy of the older version, or of none, `${` is two letters
VARIABLE = re.compile(r"\$\{\s*([^},]+?)\s*(?:,\s*'([^']*)'\s*)?\}")
# Stand for the letters * and ? in a pattern: a value that holds one matches that letter alone.
LETTERS = {"*": "\ue02a", "?": "\ue03f"}
PATTERNS = ("stringlike", "stringnotlike", "arn")  # operators whose operands are patterns
# AWS, "Bucket policies": the root of the bucket's account can always do this.
ALWAYS_ROOTS = {"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"}
# The version of the resource's policy that is evaluated; the server drops it before it parses.
_RESOURCE_VERSION: ContextVar[str] = ContextVar("sandbox_resource_version", default="")


class _NoValueError(Exception):
    """A variable has neither a value nor a default."""


def install() -> None:
    """Change the evaluator. Before `judgements`, which notes what it decides."""
    wrap_seam(EVALUATOR, "_resolve_condition_key", "key, ctx", _name_role)
    wrap_seam(EVALUATOR, "parse_policy_document", "doc", _mark_variables)
    wrap_seam(
        EVALUATOR,
        "evaluate_resource_policy",
        RESOURCE_POLICY_PARAMETERS,
        _keep_version,
    )
    wrap_seam(EVALUATOR, "_first_match", "ctx, stmts, effect", _fill_variables)
    wrap_seam(EVALUATOR, "_fnmatch_compile", "pattern, ignore_case", _compile_letters)
    wrap_enforcement(_deny_root)


def find_role_arn(session_arn: str) -> str:
    """Return the ARN of a session's role, with the role's path, which the session's ARN lacks."""
    account, role = session_arn.split(":")[4], session_arn.split("/")[1]
    record = use_seam("ministack.services.iam", "_roles").get_scoped(account, None, role) or {}
    return str(record.get("Arn") or f"arn:aws:iam::{account}:role/{role}")


def _name_role(original: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    def resolve(key: str, ctx: Any) -> Any:
        found = original(key, ctx)
        if key.lower() == "aws:principalarn" and ":assumed-role/" in str(found):
            return find_role_arn(found)
        return found

    return resolve


def _mark_variables(original: Callable[[Any], list[Any]]) -> Callable[[Any], list[Any]]:
    """Mark the statements of policies that have variables, which are few, once for each parse."""

    def parse(doc: Any) -> list[Any]:
        parsed = original(doc)
        text = doc if isinstance(doc, str) else json.dumps(doc, default=str)
        if "${" in text and VERSION in (_read_version(doc), _RESOURCE_VERSION.get()):
            for statement in parsed:
                statement.variables = True
        return parsed

    return parse


def _read_version(document: Any) -> str:
    try:
        read = json.loads(document) if isinstance(document, str) else document
    except ValueError:
        return ""
    return str(read.get("Version", "")) if isinstance(read, dict) else ""


def _keep_version(original: Callable[..., Any]) -> Callable[..., Any]:
    def evaluate(
        doc: Any,
        ctx: Any,
        service: str | None = None,
        named_only: bool = False,
        direct_only: bool = False,
    ) -> Any:
        token = _RESOURCE_VERSION.set(_read_version(doc))
        try:
            return original(doc, ctx, service, named_only, direct_only)
        finally:
            _RESOURCE_VERSION.reset(token)

    return evaluate


def _fill_variables(original: Callable[..., Any]) -> Callable[..., Any]:
    def first(ctx: Any, stmts: list[Any], effect: str) -> Any:
        if any(getattr(statement, "variables", False) for statement in stmts):
            filled = (_fill_statement(statement, ctx) for statement in stmts)
            stmts = [statement for statement in filled if statement is not None]
        return original(ctx, stmts, effect)

    return first


def _fill_statement(statement: Any, ctx: Any) -> Any:
    """Return the statement with its variables filled in; None if one of them has no value.

    Source: AWS, "IAM policy elements: Variables and tags": a statement with such a variable does
    not match, whether it allows or denies; and only operators of strings and ARNs take variables.
    """
    if not getattr(statement, "variables", False):
        return statement
    try:
        return replace(
            statement,
            resources=[_fill_text(text, ctx, True) for text in statement.resources],
            not_resources=[_fill_text(text, ctx, True) for text in statement.not_resources],
            conditions={
                operator: _fill_operands(operator, operands, ctx)
                for operator, operands in statement.conditions.items()
            },
        )
    except _NoValueError:
        return None


def _fill_operands(operator: str, operands: Any, ctx: Any) -> Any:
    plain = operator.lower().rpartition(":")[2]
    if not plain.startswith(("string", "arn")) or not isinstance(operands, dict):
        return operands
    is_pattern = plain.startswith(PATTERNS)
    return {
        key: [
            _fill_text(str(value), ctx, is_pattern)
            for value in (expected if isinstance(expected, list) else [expected])
        ]
        for key, expected in operands.items()
    }


def _fill_text(text: str, ctx: Any, is_pattern: bool) -> str:
    resolve = use_seam(EVALUATOR, "_resolve_condition_key", "key, ctx")

    def fill(found: re.Match[str]) -> str:
        name, default = found.groups()
        value = name if name in ("*", "?", "$") else resolve(name, ctx)
        if value is None or isinstance(value, list):
            value = default
        if value is None:
            raise _NoValueError
        return "".join(LETTERS.get(c, c) for c in str(value)) if is_pattern else str(value)

    return VARIABLE.sub(fill, text)


def _compile_letters(original: Callable[[str, bool], Any]) -> Callable[[str, bool], Any]:
    def compiled(pattern: str, ignore_case: bool) -> Any:
        if not any(mark in pattern for mark in LETTERS.values()):
            return original(pattern, ignore_case)
        parts = {"*": ".*", "?": "."} | {mark: re.escape(c) for c, mark in LETTERS.items()}
        regex = "".join(parts.get(letter) or re.escape(letter) for letter in pattern)
        return re.compile(f"^{regex}$", re.IGNORECASE if ignore_case else 0)

    return compiled


def _deny_root(call: EnforcedCall, decide: Enforce) -> Refusal:
    denied = decide(call)
    is_root = use_seam(EVALUATOR, "is_root_access_key", "access_key_id")(call.access_key_id)
    if (
        denied is not None
        or not (call.access_key_id and is_root)
        or call.action in ALWAYS_ROOTS
        or not current_switches(AccountSwitches).root_meets_denies
    ):
        return denied
    return _judge_root(call)


def _judge_root(call: EnforcedCall) -> Refusal:
    """Return the refusal if the resource's own policy denies this to the root of the account."""
    found = use_seam(EVALUATOR, "_resource_policy", "service, resource_arn")(call.service, call.arn)
    if not found or not found[0]:
        return None
    account = use_seam("ministack.core.responses", "get_account_id", "")()
    who, asked = ask_evaluator(call, account)
    result = evaluate_resource_policy(found[0], asked)
    if result.decision != "Deny":
        return None
    result.resource_policy_arn, result.principal_arn = call.arn, who.arn
    return result
