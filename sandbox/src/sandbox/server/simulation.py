"""iam:SimulatePrincipalPolicy, judged by the same evaluator as every call.

The server's own simulation takes one resource, finds no role that has a path, knows the request's
condition keys although nobody named them, and passes over permissions boundaries. This one has
AWS's rules (API reference of SimulatePrincipalPolicy):

* every action is judged on every resource, and there may be no wildcard in an action's name;
* a condition key has a value only if ContextEntries name it; what is missing is reported. Whether
  AWS knows a role's tags by itself is the switch simulator_knows_tags;
* a resource's policy counts for users alone: "Simulation of resource-based policies isn't supported
  for IAM roles".
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from sandbox.server.account import find_role, request_scope
from sandbox.server.control import current_switches
from sandbox.server.enforcement import (
    EVALUATOR,
    AuthorizedRequest,
    FindResource,
    evaluate_resource_policy,
    wrap_resource,
)
from sandbox.server.seams import use_seam, wrap_seam
from sandbox.switches import AccountSwitches

IAM = "ministack.services.iam"
ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9]+")
DECISIONS = {"Allow": "allowed", "Deny": "explicitDeny", "ImplicitDeny": "implicitDeny"}
Parameters = Mapping[str, Any]
Answer = tuple[int, dict[str, str], bytes]


class SimulationRefused(Exception):
    """The request is refused, with the code of IAM and a message."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


@dataclass
class ContextKeys:
    """The condition keys that a simulation was given, in lower case, and those that it lacked."""

    given: dict[str, Any]
    missing: set[str] = field(default_factory=set)

    def find(self, key: str) -> Any:
        """Return a key's value; None, and a note, if the request has none."""
        value = self.given.get(key.lower())
        if value is None:
            self.missing.add(key)
        return value


@dataclass(frozen=True)
class SimulatedPrincipal:
    """Whose policies are simulated: statements by policy, and the permissions boundary's."""

    arn: str
    kind: str
    policies: dict[str, list[Any]]
    boundary: list[Any]  # one limit, or none
    tags: dict[str, str]  # by condition key, in lower case

    def known_keys(self) -> dict[str, Any]:
        """Return the condition keys that need not be named."""
        return self.tags if current_switches(AccountSwitches).simulator_knows_tags else {}


_SIMULATED: ContextVar[ContextKeys | None] = ContextVar("sandbox_simulated", default=None)


def install() -> None:
    """Answer for the operation, and authorize it by the entity that it is about."""
    use_seam(IAM, "_IAM_HANDLERS")["SimulatePrincipalPolicy"] = answer_simulation
    wrap_resource(_judge_by_entity)
    wrap_seam(EVALUATOR, "_resolve_condition_key", "key, ctx", _know_given_keys)


def answer_simulation(request: Parameters) -> Answer:
    """Answer one request of SimulatePrincipalPolicy, in the query protocol."""
    try:
        results = "".join(map(_write_result, _simulate(request)))
    except SimulationRefused as refusal:
        error = use_seam(IAM, "_error", "status, code, message, ns='iam'")
        answer: Answer = error(refusal.status, refusal.code, escape(str(refusal)))
        return answer
    body = (
        f"<SimulatePrincipalPolicyResult><EvaluationResults>{results}</EvaluationResults>"
        "<IsTruncated>false</IsTruncated></SimulatePrincipalPolicyResult>"
    )
    write = use_seam(IAM, "_xml", "status, root_tag, inner, ns='iam'")
    written: Answer = write(200, "SimulatePrincipalPolicyResponse", body)
    return written


def _simulate(request: Parameters) -> Iterator[dict[str, Any]]:
    principal = _find_principal(_read_one(request, "PolicySourceArn"))
    resource_policy = _read_resource_policy(request, principal)
    actions = list(_read_list(request, "ActionNames"))
    if wrong := [action for action in actions if not ACTION.fullmatch(action)]:
        raise SimulationRefused("InvalidInput", f"Invalid action name: {wrong[0]}")
    if not actions:
        raise SimulationRefused("ValidationError", "ActionNames must not be empty")
    for resource in list(_read_list(request, "ResourceArns")) or ["*"]:
        for action in actions:
            yield _evaluate(request, principal, action, resource, resource_policy)


def _find_principal(arn: str) -> SimulatedPrincipal:
    kind, _, path = arn.rpartition(":")[2].partition("/")
    if not arn.startswith("arn:aws:iam::") or kind not in ("user", "role"):
        raise SimulationRefused("InvalidInput", f"Invalid Entity Arn: {arn}")
    name = path.rpartition("/")[2]
    store = use_seam(IAM, "_roles" if kind == "role" else "_users")
    record = find_role(arn) if kind == "role" else store.get(name)
    if not record or record["Arn"] != arn:
        raise SimulationRefused("NoSuchEntity", f"The {kind} {arn} cannot be found.", 404)
    inline = record.get("InlinePolicies") or {}
    if kind == "user":
        inline = use_seam(IAM, "_user_inline_policies").get(name) or {}
    managed = use_seam(EVALUATOR, "_resolve_managed_policy_document", "policy_arn, account_id")
    attached = {one: managed(one, request_scope()[0]) for one in record.get("AttachedPolicies", [])}
    parse = use_seam(EVALUATOR, "parse_policy_document", "doc")
    documents = {name: parse(document) for name, document in (inline | attached).items()}
    limits = use_seam(EVALUATOR, "_permissions_boundary", "store, name, account_id")
    tags = {
        f"aws:principaltag/{one['Key']}".lower(): one["Value"] for one in record.get("Tags") or ()
    }
    return SimulatedPrincipal(arn, kind, documents, limits(store, name, request_scope()[0]), tags)


def _read_resource_policy(request: Parameters, principal: SimulatedPrincipal) -> str:
    text = _read_one(request, "ResourcePolicy")
    if text and principal.kind == "role":
        why = "Simulation of resource-based policies is not supported for IAM roles"
        raise SimulationRefused("InvalidInput", why)
    return text


def _evaluate(
    request: Parameters, principal: SimulatedPrincipal, action: str, resource: str, of_resource: str
) -> dict[str, Any]:
    account, region = request_scope()
    caller = _read_one(request, "CallerArn") or principal.arn
    kind = "User" if principal.kind == "user" else "AssumedRole"
    asked = use_seam(EVALUATOR, "EvalContext")(caller, kind, account, action, resource, region)
    keys = ContextKeys(principal.known_keys() | _read_context(request))
    token = _SIMULATED.set(keys)
    try:
        decision, matched = _decide(asked, principal, of_resource)
    finally:
        _SIMULATED.reset(token)
    return {
        "action": action,
        "resource": resource,
        "decision": DECISIONS[decision],
        "matched": matched,
        "missing": sorted(keys.missing),
    }


def _decide(asked: Any, principal: SimulatedPrincipal, of_resource: str) -> tuple[str, list[str]]:
    """Return the decision, and the names of the policies of the principal that decided."""
    evaluate = use_seam(EVALUATOR, "evaluate", "ctx, policies, *limits")
    policies = list(principal.policies.values())
    decision = str(evaluate(asked, policies, *principal.boundary).decision)
    if of_resource:
        about = evaluate_resource_policy(of_resource, asked).decision
        decision = next((one for one in ("Deny", "Allow") if one in (decision, about)), decision)
    find = use_seam(EVALUATOR, "_first_match", "ctx, stmts, effect")
    effect = "Deny" if decision == "Deny" else "Allow"
    matched = [name for name, parsed in principal.policies.items() if find(asked, parsed, effect)]
    return decision, matched if decision != "ImplicitDeny" else []


def _know_given_keys(original: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    def resolve(key: str, ctx: Any) -> Any:
        keys = _SIMULATED.get()
        return original(key, ctx) if keys is None else keys.find(key)

    return resolve


def _judge_by_entity(request: AuthorizedRequest, find: FindResource) -> str:
    is_iam, parameters = request.service == "iam", request.query_params or {}
    return (is_iam and _read_one(parameters, "PolicySourceArn")) or find(request)


def _read_context(request: Parameters) -> dict[str, Any]:
    """Return the values of ContextEntries by key, in lower case; several values are a list."""
    found: dict[str, Any] = {}
    number = 1
    while name := _read_one(request, f"ContextEntries.member.{number}.ContextKeyName"):
        values = list(_read_list(request, f"ContextEntries.member.{number}.ContextKeyValues"))
        kind = _read_one(request, f"ContextEntries.member.{number}.ContextKeyType")
        found[name.lower()] = values if kind.endswith("List") else "".join(values[:1])
        number += 1
    return found


def _read_list(request: Parameters, name: str) -> Iterator[str]:
    number = 1
    while value := _read_one(request, f"{name}.member.{number}"):
        yield value
        number += 1


def _read_one(request: Parameters, name: str) -> str:
    value = request.get(name, "")
    return str(value[0] if isinstance(value, list) else value)


def _write_result(result: dict[str, Any]) -> str:
    matched = "".join(
        f"<member><SourcePolicyId>{escape(name.rpartition('/')[2])}</SourcePolicyId>"
        f"<SourcePolicyType>IAM Policy</SourcePolicyType></member>"
        for name in result["matched"]
    )
    missing = "".join(f"<member>{escape(key)}</member>" for key in result["missing"])
    return (
        f"<member><EvalActionName>{escape(result['action'])}</EvalActionName>"
        f"<EvalResourceName>{escape(result['resource'])}"
        f"</EvalResourceName><EvalDecision>{result['decision']}</EvalDecision>"
        f"<MatchedStatements>{matched}</MatchedStatements>"
        f"<MissingContextValues>{missing}</MissingContextValues></member>"
    )
