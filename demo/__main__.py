"""`make demo`: the whole story on a sandbox of its own; ends with 0, or with 1 and the expectation that did not hold."""

import argparse
import json
import socket
import sys
from pathlib import Path

from demo.article import drop_jobs, drop_policy
from demo.cast import Cast
from demo.desk import ROOT, Desk
from demo.stack import deploy, event, functions
from demo.stage import Unmet, end, say, step
from demo.story import tell


def main() -> int:
    said = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    said.add_argument("--data", type=Path, help="a CSV file to load instead of the small synthetic one")
    said.add_argument("--stay", action="store_true", help="stop after the policy is dropped and leave the sandbox running")
    said.add_argument("--port", type=int, help="where the sandbox answers; a free port unless told")
    asked = said.parse_args()
    if asked.data and not asked.data.is_file():
        said.error(f"{asked.data}: no such file; DATA wants the path of a CSV file")
    port = asked.port or free_port()
    return end(lambda: _stay(port, asked.data)) if asked.stay else end(lambda: _play(port, asked.data))


def _play(port: int, data: Path | None) -> None:
    desk = _up(port)
    try:
        tell(desk, data)
    finally:
        desk.down()


def _stay(port: int, data: Path | None) -> None:
    desk = _up(port)
    cast = deploy(desk, data)
    drop_policy(cast)
    drop_jobs(cast)
    _for_containers(cast)
    say(HOW_TO_TALK.format(port=port))


def _for_containers(cast: Cast) -> None:
    """What `sam local invoke` is handed: the deployed functions' own variables, and the sample events about this stack's buckets."""
    (FOLDER / "events").mkdir(parents=True, exist_ok=True)
    (FOLDER / "functions.json").write_text(json.dumps(functions(cast.desk), indent=1))
    for sample in (ROOT / "events").glob("*.json"):
        (FOLDER / "events" / sample.name).write_text(event(sample, cast))


def _up(port: int) -> Desk:
    with step("A small AWS on the desk starts"):
        desk = Desk.up(port)
        say(f"it answers from {desk.url}")
        return desk


def free_port() -> int:
    """A port of the loopback that nobody answers from just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


FOLDER = ROOT / "build/sandbox"
HOW_TO_TALK = """
The sandbox runs. To talk to it from this shell:

  eval "$(python3.12 -m sandbox env --port {port})"
  aws s3control list-access-grants --account-id 000000000000
  python3.12 -m sandbox events --port {port}    what passed the bus
  python3.12 -m sandbox ring --port {port}      the clock, now
  python3.12 -m sandbox down --port {port}      stop it

And to its functions, in containers, about its own buckets:

  sam local invoke StartSparkJob -e build/sandbox/events/abalone_uploaded.json --skip-pull-image $(python3.12 -m sandbox relay --port {port})
"""

if __name__ == "__main__":
    try:
        sys.exit(main())
    except Unmet as unmet:
        sys.exit(str(unmet))
