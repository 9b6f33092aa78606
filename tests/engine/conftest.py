"""Every test of the engine has an estate of its own, on a sandbox that its worker keeps for them.

What users of other reconcilers suffered, and where a test shows that Grantor spares them it:

* external-dns #3997, #3841; Argo CD #15058: a failed read, or one wrong object, deleted.
  test_failing_reads, test_files, test_people
* external-dns #5703: what was not done was reported to nobody.
  test_failing_changes, test_guarded
* ssosync #236, #159, #194: a part was read, the rest was taken for gone.
  test_failing_reads, test_focus, test_guarded
* ssosync #105, #179: what others made was deleted.
  test_reasons, unmanaged grants everywhere
* ssosync #286: a word that reaches further than it says.
  test_people
* IAM Identity Center TEAM #279, #541: an end took away what another still needed.
  test_reasons, test_people
* IAM Identity Center TEAM #149, #255, #419: a timer never revoked.
  test_ends
* ldap2pg #422: a failure in between left what nobody managed.
  test_failing_ledger, test_failing_changes, test_stale_lists,
  test_lease_lost, tests/crash
* ldap2pg #674: two runs were needed.
  at_rest, at the end of nearly every test
* safe-settings #350, #317, #251, #310: strict for some, additive for others.
  test_modes
* Argo CD #3465: heal what was approved, gate what is new.
  test_guarded, test_reasons
* octodns #61, #785, #808; octodns-sync #98: a threshold that nobody knew how to pass.
  test_guarded
* terraform #7388, #31094: a read for each grant; lost to a throttle.
  test_focus, test_passing_faults
* cloud-custodian #3592: a count instead of the objects.
  test_guarded
* cloud-platform #1810, #4608: at the quota, and nobody knew.
  test_failing_changes
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, Sandbox
from tests.engine.change import begin, change
from tests.engine.other_process import Process
from tests.engine.watch import rules
from tests.estate import Estate, lay


@pytest.fixture(scope="session")
def engine_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


@pytest.fixture
def estate(engine_sandbox: Sandbox, tmp_path: Path) -> Estate:
    return lay(engine_sandbox, tmp_path)


@pytest.fixture
def thirty(estate: Estate) -> Estate:
    """Thirty grants of one file, and one of another."""
    estate.role("auditor")
    estate.policy("many", rules(30))
    estate.policy("else", rules(1).replace("READ", "WRITE"))
    estate.run()
    return estate


@pytest.fixture
def changing(estate: Estate) -> Estate:
    """A change has happened, of which no run knows yet."""
    begin(estate)
    change(estate)
    return estate


@pytest.fixture
def elsewhere(estate: Estate) -> Iterator[Callable[[], Process]]:
    """Starts runs in processes of their own, and ends them."""
    running: list[subprocess.Popen[str]] = []

    def start() -> Process:
        command = [
            sys.executable,
            "-m",
            "tests.engine.other_process",
            str(estate.sandbox.port),
            str(estate.config),
        ]
        paths = os.pathsep.join((str(ROOT), str(ROOT / "layers/grantor")))
        running.append(
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": paths},
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return Process(running[-1])

    yield start
    for process in running:
        process.kill()
        process.communicate()
