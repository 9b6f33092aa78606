"""How many modules of the layer a reader has to open to follow one event: those whose functions it
enters.

Each test prints the modules that it entered, with the functions in them; `pytest -s` shows the
list.
"""

import json
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from grantor.core.policy.parser import parse_policy
from grantor.reconcile import handler
from tests.conftest import ROOT, Sandbox
from tests.grantor_setup import ARTICLE_POLICY, set_up_grantor
from tests.jobs.launcher import set_up_launcher
from tests.structure.walks import read_walk

LAYER = str(ROOT / "layers/grantor/grantor") + "/"
MAX_MODULES = {"policy event to grants": 47, "parse of a two-rule file": 9, "upload to job": 30}
# The code flag of functions (inspect.CO_OPTIMIZED); module and class bodies lack it.
OPTIMIZED = 0x1
UNPARSED = ARTICLE_POLICY + "# traced\n"  # no cache of this process has parsed this text
UPLOADED = {
    "id": "1",
    "source": "aws.s3",
    "detail": {"bucket": {"name": "policies"}, "object": {"key": "policy/article.yaml"}},
}
BATCH = {
    "Records": [
        {"messageId": "m-1", "receiptHandle": "r-1", "body": json.dumps(UPLOADED), "attributes": {}}
    ]
}
Entered = dict[str, set[str]]  # module -> functions


@contextmanager
def trace_layer() -> Iterator[Entered]:
    """Collect the functions of the layer that are called inside, in every thread that starts
    inside, too.
    """
    entered: Entered = defaultdict(set)

    def note_call(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(LAYER) and code.co_flags & OPTIMIZED:
            module = code.co_filename.removeprefix(LAYER).removesuffix(".py").replace("/", ".")
            entered[module].add(code.co_qualname)

    threading.setprofile(note_call)
    sys.setprofile(note_call)
    try:
        yield entered
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def check_modules(name: str, entered: Entered) -> None:
    """Print what was entered, and compare the number of modules with its bound."""
    listed = [
        f"  {module}: {', '.join(sorted(functions))}"
        for module, functions in sorted(entered.items())
    ]
    functions = sum(map(len, entered.values()))
    text = "\n".join([f"{name}: {len(entered)} modules, {functions} functions", *listed])
    print(text)
    assert 1 < len(entered) <= MAX_MODULES[name], text


def check_walk(name: str, entered: Entered) -> None:
    """Compare what was entered with the walk that docs/architecture.md shows."""
    assert sorted(read_walk(name)) == sorted(entered)


def test_a_policy_event_becomes_grants(trace_sandbox: Sandbox, tmp_path: Path) -> None:
    setup = set_up_grantor(trace_sandbox, tmp_path)
    services = setup.build_services()
    setup.put_policy("article", UNPARSED)
    with trace_layer() as entered:
        handler.handle(services, BATCH, None)

    assert len(setup.describe_grants()) == 4
    check_modules("policy event to grants", entered)
    check_walk("policy event to grants", entered)


def test_a_file_of_two_rules_is_parsed() -> None:
    with trace_layer() as entered:
        policy = parse_policy("policy/article.yaml", UNPARSED.encode(), "data")

    assert len(getattr(policy, "rules", ())) == 2
    check_modules("parse of a two-rule file", entered)


def test_an_upload_starts_a_job(trace_sandbox: Sandbox, tmp_path: Path) -> None:
    launcher = set_up_launcher(trace_sandbox, tmp_path)
    event = launcher.upload("UserA/abalone.csv")
    jobs = launcher.build_jobs()
    with trace_layer() as entered:
        launcher.deliver(event, jobs=jobs)

    assert len(launcher.list_running()) == 1
    check_modules("upload to job", entered)
    check_walk("upload to job", entered)
