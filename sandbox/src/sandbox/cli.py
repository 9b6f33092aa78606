"""A local AWS: `python -m sandbox COMMAND`."""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from sandbox.paths import SandboxError
from sandbox.process import Server, list_running
from sandbox.relay import start_relay
from sandbox.switches import set_switches

Arguments = argparse.Namespace


def main() -> int:
    """Run one command. Return 0 if it succeeds, else 1 after a message that says what to do."""
    arguments = _parse_arguments()
    try:
        COMMANDS[arguments.command](arguments)
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    return 0


def start_sandbox(arguments: Arguments) -> None:
    """start it in the background"""
    server = Server(arguments.port)
    already = server.find_pid() is not None
    if not already:
        server.start(_check_switches(arguments.switch))
    print(
        f"the sandbox {'runs already' if already else 'answers'}: {server.url} (log: {server.log})"
    )
    print(f'talk to it: eval "$(python -m sandbox env --port {arguments.port})"')


def _check_switches(settings: list[str]) -> list[str]:
    try:
        set_switches(settings)
    except ValueError as error:
        raise SandboxError(error) from error
    return settings


def print_variables(arguments: Arguments) -> None:
    """print the variables that make boto3, the AWS CLI and SAM CLI talk to it"""
    variables = Server(arguments.port).client_variables(arguments.profile, arguments.domain)
    if arguments.json:
        print(json.dumps(variables, indent=1))
    else:
        print("\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items()))


def run_in_notebook(arguments: Arguments) -> None:
    """run a program in a space's running app, with its owner's role and nothing else"""
    variables = Server(arguments.port).app_variables(arguments.domain, arguments.space)
    try:
        os.execvpe(arguments.program[0], arguments.program, variables)  # noqa: S606  -- the caller's own
    except OSError as error:
        raise SandboxError(f"{arguments.program[0]} cannot be run: {error}") from error


def open_relay(arguments: Arguments) -> None:
    """let the containers of `sam local` in, and print the options that lead them here"""
    print(" ".join(start_relay(Server(arguments.port))))


def show_events(arguments: Arguments) -> None:
    """show the events that the bus received, and what could not be delivered"""
    events = Server(arguments.port).request_json("/_sandbox/events")
    text = "\n".join(map(_format_event, events)) or "no event yet"
    print(json.dumps(events, indent=1) if arguments.json else text)


def fire_schedules(arguments: Arguments) -> None:
    """fire every schedule rule now, or the one named"""
    rule = f"?rule={quote(arguments.rule)}" if arguments.rule else ""
    fired = Server(arguments.port).request_json(f"/_sandbox/fire-schedules{rule}", "POST")
    print("\n".join(f"fired {name}" for name in fired["fired"]))


def show_faults(arguments: Arguments) -> None:
    """show the faults that are in force, and how often each has struck"""
    faults = Server(arguments.port).request_json("/_sandbox/faults")
    switches = (f"{name}={value}" for name, value in faults["switches"].items())
    text = "\n".join([*map(_format_rule, faults["rules"]), *switches]) or "no fault"
    print(json.dumps(faults, indent=1) if arguments.json else text)


def show_calls(arguments: Arguments) -> None:
    """show which operations were called, by whom, and how often"""
    counts = Server(arguments.port).request_json("/_sandbox/calls")
    text = _format_counts(counts) if counts else "no call yet"
    print(json.dumps(counts, indent=1) if arguments.json else text)


def reset_sandbox(arguments: Arguments) -> None:
    """forget everything"""
    Server(arguments.port).request_json("/_ministack/reset", "POST")
    print(f"the sandbox on port {arguments.port} is empty")


def stop_sandbox(arguments: Arguments) -> None:
    """stop it"""
    for server in list_running() if arguments.all else [Server(arguments.port)]:
        print(f"port {server.port}: {'stopped' if server.stop() else 'nothing was running'}")


COMMANDS: dict[str, Callable[[Arguments], None]] = {
    "up": start_sandbox,
    "env": print_variables,
    "notebook": run_in_notebook,
    "relay": open_relay,
    "events": show_events,
    "fire-schedules": fire_schedules,
    "faults": show_faults,
    "calls": show_calls,
    "reset": reset_sandbox,
    "down": stop_sandbox,
}


def _format_event(event: dict[str, Any]) -> str:
    detail = event["detail"]
    request = detail.get("requestParameters") or {}
    members = ("ProcessingJobName", "ProcessingJobStatus")
    job = " ".join(detail[name] for name in members if name in detail)
    key = detail.get("object", {}).get("key")
    subject = key or request.get("userProfileName") or request.get("processingJobName") or job
    name = detail.get("eventName") or event["detail-type"]
    undelivered = "".join(f"\n  NOT DELIVERED to {text}" for text in event["undelivered"])
    line = f"{event['time']}  {event['source']}  {name} {subject}".rstrip()
    return f"{line}  → {len(event['delivered'])} target(s){undelivered}"


def _format_rule(rule: dict[str, Any]) -> str:
    times = rule["times"] or "until it is forgotten"
    which = f"after {rule.get('after', 0)}, {times}"
    call = f"{rule['service']}/{rule['operation']} by {rule['principal']}"
    return f"{rule['number']}  {rule['kind']}: {call} ({which})  struck {rule['struck']}"


def _format_counts(counts: list[dict[str, Any]]) -> str:
    """Return one line for each operation and caller, in columns."""
    rows = [("answered", "refused", "operation", "by")]
    rows += [
        (
            str(row["answered"]),
            str(row["refused"]),
            f"{row['service']}/{row['operation']}",
            row["principal"],
        )
        for row in counts
    ]
    width = max(len(row[2]) for row in rows)
    return "\n".join(
        f"{answered:>8} {refused:>8}  {operation:<{width}}  {caller}"
        for answered, refused, operation, caller in rows
    )


def _parse_arguments() -> Arguments:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, run in COMMANDS.items():
        command = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        command.add_argument(
            "--port", type=int, default=4566, help="the port that it answers on (4566)"
        )
        command.set_defaults(all=False)
        if name == "up":
            command.add_argument(
                "--switch",
                action="append",
                default=[],
                metavar="NAME=VALUE",
                help="see docs/sandbox.md",
            )
        if name in ("env", "events", "faults", "calls"):
            command.add_argument("--json", action="store_true", help="as JSON")
        if name == "env":
            command.add_argument(
                "--as",
                dest="profile",
                metavar="PROFILE",
                help="as a Studio notebook of this user profile",
            )
            command.add_argument(
                "--domain", help="the profile's domain id, where several have one of that name"
            )
        if name == "notebook":
            command.add_argument("--domain", required=True, help="the id of the space's domain")
            command.add_argument("--space", required=True, help="the space's name")
            command.add_argument(
                "program", nargs=argparse.REMAINDER, help="the program and its arguments"
            )
        if name == "fire-schedules":
            command.add_argument("rule", nargs="?", help="part of the rule's name")
        if name == "down":
            command.add_argument(
                "--all", action="store_true", help="every sandbox that was started from this folder"
            )
    return parser.parse_args()
