"""Whatever IAM judged of a role, one JSON line each, for another judge: SANDBOX_JUDGEMENTS names a folder, where each server writes a file.

A line says what was asked (role, session, action, resource, condition keys), what the answer was, and by which policies: those that
the role had just then, named by a digest that stands in a line of its own before. What services do in a role's name is among it:
polling a queue, writing logs, pulling an image. The account itself is not: nothing is judged of it.
"""

import hashlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from sandbox.server.seams import use, wrap

EVALUATOR = "ministack.core.iam_evaluator"
GLOBAL = ("aws:PrincipalArn", "aws:PrincipalAccount", "aws:ResourceAccount", "aws:RequestedRegion", "aws:SecureTransport")


def install() -> None:
    """Write where the variable says; without it, nothing."""
    if folder := os.environ.get("SANDBOX_JUDGEMENTS"):
        kept = Kept(Path(folder))
        wrap(EVALUATOR, "evaluate", "ctx, policies, *limits", lambda original: _keeping(original, kept.note))


class Kept:
    """The file of this server, which begins with its first judgement."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: TextIO | None = None
        self._told: set[str] = set()
        self._alone = threading.Lock()  # jobs and pollers have threads of their own

    def note(self, judgement: dict[str, Any], documents: dict[str, Any]) -> None:
        """One judgement, and the role's policies if they are new."""
        told = json.dumps(documents, sort_keys=True)
        digest = hashlib.sha256(told.encode()).hexdigest()[:16]
        with self._alone:
            if digest not in self._told:
                self._told.add(digest)
                self._write({"digest": digest, "role": judgement["role"], "documents": documents})
            self._write(judgement | {"policies": digest})

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            # Open until the server ends, which may be a kill: each line is whole when it is written.
            self._file = (self._folder / f"{os.getpid()}.jsonl").open("a", buffering=1)
        self._file.write(json.dumps(line) + "\n")


def _keeping(original: Callable[..., Any], keep: Callable[[dict[str, Any], dict[str, Any]], None]) -> Callable[..., Any]:
    gather = use(EVALUATOR, "_gather_role_policies", "role_name, account_id")

    # The parameters are the server's own.
    def evaluate(ctx: Any, policies: Any, *limits: Any) -> Any:
        result = original(ctx, policies, *limits)
        if ":assumed-role/" in ctx.principal_arn:
            _, role, session = ctx.principal_arn.split("/", 2)
            # A resource's own policy is evaluated here as well, and is none of the role's.
            if policies == gather(role, ctx.principal_account):
                told = {"role": role, "session": session, "action": ctx.action, "resource": str(ctx.resource_arn)}
                told |= {"keys": _keys(ctx), "limits": [_session_policy(layer) for layer in limits]}
                keep(told | {"allowed": result.decision == "Allow"}, _documents(role, ctx.principal_account))
        return result

    return evaluate


def _keys(ctx: Any) -> dict[str, Any]:
    """The condition keys that the request has, as far as the server knows them."""
    resolve = use(EVALUATOR, "_resolve_condition_key", "key, ctx")
    known = {name: resolve(name, ctx) for name in GLOBAL} | ctx.principal_keys | ctx.service_context
    return {name: value for name, value in known.items() if value is not None and not name.startswith("sandbox:")}


def _documents(role: str, account: str) -> dict[str, Any]:
    """A role's policies by name: its own as they stand in the role, managed ones by their ARN."""
    record = use("ministack.services.iam", "_roles").get_scoped(account, None, role) or {}
    managed = use(EVALUATOR, "_resolve_managed_policy_document", "policy_arn, account_id")
    found = dict(record.get("InlinePolicies") or {})
    found |= {arn: managed(arn, account) for arn in record.get("AttachedPolicies", [])}
    return {name: json.loads(text) if isinstance(text, str) else text for name, text in found.items()}


def _session_policy(layer: Any) -> list[dict[str, Any]]:
    """The statements of a session's own policy, which limits the role's, from the server's form of them."""
    return [_statement(parsed) for document in layer for parsed in document]


def _statement(parsed: Any) -> dict[str, Any]:
    parts = {
        "Sid": parsed.sid,
        "Effect": parsed.effect,
        "Action": parsed.actions,
        "NotAction": parsed.not_actions,
        "Resource": parsed.resources,
        "NotResource": parsed.not_resources,
        "Condition": parsed.conditions,
    }
    return {name: value for name, value in parts.items() if value}
