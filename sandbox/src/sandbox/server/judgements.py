"""What IAM decided: noted for the request under way, and written to a file for a second judge.

For a request this is each action and resource that a policy had to allow, and whether one did.
Condition keys that AWS has and the server lacks are added to what is judged.

SANDBOX_JUDGEMENTS names a folder, where each server writes a file with one JSON line for each
decision about a role. A line has the request (role, session, action, resource, condition keys), the
answer, and the policies that the role had just then, by a digest that an earlier line defines. What
services do in a role's name is included: polling a queue, writing logs, pulling an image. The
account itself is not judged, so it is not included.
"""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from sandbox.server.enforcement import EVALUATOR, Enforce, EnforcedCall, Refusal, wrap_enforcement
from sandbox.server.seams import use_seam, wrap_seam

Judgement = tuple[str, str, bool]
KEY_SOURCES: list[Callable[[Any], Mapping[str, Any]]] = []
_JUDGED: ContextVar[list[Judgement] | None] = ContextVar("sandbox_judged", default=None)
GLOBAL_KEYS = (
    "aws:PrincipalArn",
    "aws:PrincipalAccount",
    "aws:ResourceAccount",
    "aws:RequestedRegion",
    "aws:SecureTransport",
)


def _install_judgements() -> None:
    """Note decisions where the server makes them. Our own services call `note_judgement`."""
    wrap_enforcement(_note_decision)


def begin_judgements() -> list[Judgement]:
    """Return the list of the request that begins now. It fills while the request is served."""
    judged: list[Judgement] = []
    _JUDGED.set(judged)
    return judged


def note_judgement(action: str, resource: str, allowed: bool) -> None:
    """Note one decision about the current request."""
    judged = _JUDGED.get()
    if judged is not None:
        judged.append((action, resource, allowed))


def add_condition_keys(keys: Callable[[Any], Mapping[str, Any]]) -> None:
    """Make the evaluator know these condition keys of the ARN that a call is judged on."""
    KEY_SOURCES.append(keys)


def _note_decision(call: EnforcedCall, decide: Enforce) -> Refusal:
    known = (call.known or {}) | {
        name: value for keys in KEY_SOURCES for name, value in keys(call.arn).items()
    }
    arn = str(call.arn)
    denied = decide(replace(call, arn=arn, known=known or None))
    # An unknown caller is not judged.
    if not isinstance(denied, use_seam(EVALUATOR, "AuthError")):
        note_judgement(call.action, arn, denied is None)
    return denied


def _install_record() -> None:
    """Write the record where the variable says; without it, write nothing."""
    if folder := os.environ.get("SANDBOX_JUDGEMENTS"):
        kept = JudgementFile(Path(folder))
        wrap_seam(
            EVALUATOR,
            "evaluate",
            "ctx, policies, *limits",
            lambda original: _keep_judgements(original, kept.note),
        )


class JudgementFile:
    """The file of this server, which begins with its first decision."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: TextIO | None = None
        self._told: set[str] = set()
        self._alone = threading.Lock()  # jobs and pollers have their own threads

    def note(self, judgement: dict[str, Any], documents: dict[str, Any]) -> None:
        """Write one decision, and before it the role's policies if they are new."""
        text = json.dumps(documents, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        with self._alone:
            if digest not in self._told:
                self._told.add(digest)
                self._write_line(
                    {"digest": digest, "role": judgement["role"], "documents": documents}
                )
            self._write_line(judgement | {"policies": digest})

    def _write_line(self, line: dict[str, Any]) -> None:
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            # Open until the server ends, perhaps by a kill: each line is complete
            # when it is written.
            self._file = (self._folder / f"{os.getpid()}.jsonl").open("a", buffering=1)
        self._file.write(json.dumps(line) + "\n")


def _keep_judgements(
    original: Callable[..., Any], keep: Callable[[dict[str, Any], dict[str, Any]], None]
) -> Callable[..., Any]:
    gather = use_seam(EVALUATOR, "_gather_role_policies", "role_name, account_id")

    # The parameters are the server's own.
    def evaluate(ctx: Any, policies: Any, *limits: Any) -> Any:
        result = original(ctx, policies, *limits)
        if ":assumed-role/" in ctx.principal_arn:
            _, role, session = ctx.principal_arn.split("/", 2)
            # A resource's own policy is evaluated here, too, and is not one of the
            # role's.
            if policies == gather(role, ctx.principal_account):
                decision = {
                    "role": role,
                    "session": session,
                    "action": ctx.action,
                    "resource": str(ctx.resource_arn),
                }
                decision |= {
                    "keys": _list_keys(ctx),
                    "limits": [_format_session_policy(layer) for layer in limits],
                }
                keep(
                    decision | {"allowed": result.decision == "Allow"},
                    _read_documents(role, ctx.principal_account),
                )
        return result

    return evaluate


def _list_keys(ctx: Any) -> dict[str, Any]:
    """Return the condition keys that the request has, as far as the server knows them."""
    resolve = use_seam(EVALUATOR, "_resolve_condition_key", "key, ctx")
    known = (
        {name: resolve(name, ctx) for name in GLOBAL_KEYS}
        | ctx.principal_keys
        | ctx.service_context
    )
    return {
        name: value
        for name, value in known.items()
        if value is not None and not name.startswith("sandbox:")
    }


def _read_documents(role: str, account: str) -> dict[str, Any]:
    """Return a role's policies by name. Managed ones have their ARN as the name."""
    record = use_seam("ministack.services.iam", "_roles").get_scoped(account, None, role) or {}
    managed = use_seam(EVALUATOR, "_resolve_managed_policy_document", "policy_arn, account_id")
    found = dict(record.get("InlinePolicies") or {})
    found |= {arn: managed(arn, account) for arn in record.get("AttachedPolicies", [])}
    return {
        name: json.loads(text) if isinstance(text, str) else text for name, text in found.items()
    }


def _format_session_policy(layer: Any) -> list[dict[str, Any]]:
    """Return the statements of a session policy, from the server's form of them."""
    return [_format_statement(parsed) for document in layer for parsed in document]


def _format_statement(parsed: Any) -> dict[str, Any]:
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


def install() -> None:
    """Note what IAM decides, for the request under way and for the record.

    Installed before all others, because they keep the evaluator that they find.
    """
    _install_record()
    _install_judgements()
