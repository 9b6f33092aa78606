"""A small AWS on the desk: `python -m sandbox VERB`. Needs nothing but the standard library and `make setup`."""

import argparse
import json
import shlex
import sys
from collections.abc import Callable
from typing import Any

import sandbox.relay
from sandbox.process import Server, Trouble, running
from sandbox.switches import all_switched

REGION = "us-east-1"


def main() -> int:
    """0 when the verb did what it says; 1 after saying what went wrong and what to do."""
    asked = _arguments().parse_args()
    try:
        VERBS[asked.verb](asked)
    except Trouble as trouble:
        print(f"sandbox: {trouble}", file=sys.stderr)
        return 1
    return 0


def up(asked: argparse.Namespace) -> None:
    """start it in the background"""
    server = Server(asked.port)
    already = server.running() is not None
    if not already:
        server.up(_switches(asked.switch))
    print(f"the sandbox {'runs already' if already else 'answers'}: {server.url} (log: {server.log})")
    print(f'talk to it: eval "$(python -m sandbox env --port {asked.port})"')


def _switches(words: list[str]) -> list[str]:
    try:
        all_switched(words)
    except ValueError as wrong:
        raise Trouble(wrong) from wrong
    return words


def env(asked: argparse.Namespace) -> None:
    """print what makes boto3, the AWS CLI and SAM talk to it"""
    variables = variables_of(Server(asked.port), asked.profile, asked.domain)
    if asked.json:
        print(json.dumps(variables, indent=1))
    else:
        print("\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items()))


def variables_of(server: Server, profile: str | None, domain: str | None) -> dict[str, str]:
    """The variables for the administrator, or for a notebook of the Studio profile."""
    server.ask("/_ministack/health")
    keys = {"AccessKeyId": "test", "SecretAccessKey": "test", "SessionToken": ""}
    if profile:
        keys = server.ask(f"/_sandbox/notebook?profile={profile}" + (f"&domain={domain}" if domain else ""))
    return {
        "AWS_ENDPOINT_URL": server.url,
        # AWS's tools put the account before the host of S3 Control, a name that does not resolve here: that service goes through the
        # server as its proxy, which needs no name to resolve.
        "AWS_ENDPOINT_URL_S3_CONTROL": "http://s3-control.sandbox",
        "HTTP_PROXY": server.url,
        "http_proxy": server.url,
        "NO_PROXY": "localhost,127.0.0.1",
        "no_proxy": "localhost,127.0.0.1",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAM_CLI_TELEMETRY": "0",
    }


def relay(asked: argparse.Namespace) -> None:
    """let the containers of `sam local` in, and print the options that lead them here"""
    print(" ".join(sandbox.relay.start(Server(asked.port))))


def events(asked: argparse.Namespace) -> None:
    """show what passed the bus, and what could not be delivered"""
    seen = Server(asked.port).ask("/_sandbox/events")
    print(json.dumps(seen, indent=1) if asked.json else "\n".join(map(_line, seen)) or "no event yet")


def ring(asked: argparse.Namespace) -> None:
    """ring the clock now: every schedule rule, or the one named"""
    rung = Server(asked.port).ask("/_sandbox/ring" + (f"?rule={asked.rule}" if asked.rule else ""))
    print("\n".join(f"rang {name}" for name in rung["rung"]))


def faults(asked: argparse.Namespace) -> None:
    """show the faults that are in force, and how often each has struck"""
    told = Server(asked.port).ask("/_sandbox/faults")
    lines = [*map(_rule, told["rules"]), *(f"{name}={value}" for name, value in told["switches"].items())]
    print(json.dumps(told, indent=1) if asked.json else "\n".join(lines) or "no fault")


def calls(asked: argparse.Namespace) -> None:
    """show which operations were called, by whom, and how often"""
    counted = Server(asked.port).ask("/_sandbox/calls")
    print(json.dumps(counted, indent=1) if asked.json else _table(counted) if counted else "no call yet")


def reset(asked: argparse.Namespace) -> None:
    """forget everything"""
    Server(asked.port).ask("/_ministack/reset", "POST")
    print(f"the sandbox on port {asked.port} is empty")


def down(asked: argparse.Namespace) -> None:
    """stop it"""
    for server in running() if asked.all else [Server(asked.port)]:
        print(f"port {server.port}: {'stopped' if server.down() else 'nothing was running'}")


VERBS: dict[str, Callable[[argparse.Namespace], None]] = {
    verb.__name__: verb for verb in (up, env, relay, events, ring, faults, calls, reset, down)
}  # fmt: skip


def _line(seen: dict[str, Any]) -> str:
    detail = seen["detail"]
    asked = detail.get("requestParameters") or {}
    job = " ".join(detail[name] for name in ("ProcessingJobName", "ProcessingJobStatus") if name in detail)
    what = detail.get("object", {}).get("key") or asked.get("userProfileName") or asked.get("processingJobName") or job
    name = detail.get("eventName") or seen["detail-type"]
    late = "".join(f"\n  NOT DELIVERED to {text}" for text in seen["undelivered"])
    return f"{seen['time']}  {seen['source']}  {name} {what}".rstrip() + f"  → {len(seen['delivered'])} target(s){late}"


def _rule(rule: dict[str, Any]) -> str:
    times = rule["times"] or "until it is forgotten"
    which = f"after {rule.get('after', 0)}, {times}"
    return f"{rule['number']}  {rule['kind']}: {rule['service']}/{rule['operation']} by {rule['principal']} ({which})  struck {rule['struck']}"


def _table(counted: list[dict[str, Any]]) -> str:
    """What was counted, one line an operation and caller, in columns."""
    rows = [("answered", "refused", "operation", "by")]
    rows += [
        (str(each["answered"]), str(each["refused"]), f"{each['service']}/{each['operation']}", each["principal"])
        for each in counted
    ]
    wide = max(len(row[2]) for row in rows)
    return "\n".join(f"{answered:>8} {refused:>8}  {what:<{wide}}  {who}" for answered, refused, what, who in rows)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, verb in VERBS.items():
        said = verbs.add_parser(name, help=verb.__doc__, description=verb.__doc__)
        said.add_argument("--port", type=int, default=4566, help="where it answers (4566)")
        said.set_defaults(all=False)
        if name == "up":
            said.add_argument("--switch", action="append", default=[], metavar="NAME=VALUE", help="see docs/sandbox.md")
        if name in ("env", "events", "faults", "calls"):
            said.add_argument("--json", action="store_true", help="as JSON")
        if name == "env":
            said.add_argument("--as", dest="profile", metavar="PROFILE", help="as a Studio notebook of this user profile")
            said.add_argument("--domain", help="the profile's domain id, where several have one of that name")
        if name == "ring":
            said.add_argument("rule", nargs="?", help="part of the rule's name")
        if name == "down":
            said.add_argument("--all", action="store_true", help="every sandbox that was started from this folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())
