"""Every test has a Grantor setup of its own, on a sandbox that its worker keeps.

Bugs that users of other reconcilers reported, and the tests that Grantor does not have them:

* external-dns #3997, #3841; Argo CD #15058: a failed read, or one wrong object, deleted.
  test_failing_reads, test_files, test_profiles
* external-dns #5703: what was not done was reported to nobody.
  test_failing_changes, test_approvals
* ssosync #236, #159, #194: a part was read, the rest was taken for gone.
  test_failing_reads, test_focus, test_approvals
* ssosync #105, #179: what others made was deleted.
  test_reasons, unmanaged grants everywhere
* ssosync #286: a word that reaches further than it says.
  test_profiles
* IAM Identity Center TEAM #279, #541: an end took away what another still needed.
  test_reasons, test_profiles
* IAM Identity Center TEAM #149, #255, #419: a timer never revoked.
  test_expiry
* ldap2pg #422: a failure in between left what nobody managed.
  test_failing_ledger, test_failing_changes, test_stale_lists,
  test_lease_lost, tests/crash
* ldap2pg #674: two runs were needed.
  assert_settled, at the end of nearly every test
* safe-settings #350, #317, #251, #310: strict for some, additive for others.
  test_modes
* Argo CD #3465: heal what was approved, gate what is new.
  test_approvals, test_reasons
* octodns #61, #785, #808; octodns-sync #98: a threshold that nobody knew how to pass.
  test_approvals
* terraform #7388, #31094: a read for each grant; lost to a throttle.
  test_focus, test_transient_faults
* cloud-custodian #3592: a count instead of the objects.
  test_approvals
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
from tests.engine.helpers import build_rules
from tests.engine.other_process import OtherProcess
from tests.engine.policy_change import make_change, set_up_before_change
from tests.grantor_setup import GrantorSetup, set_up_grantor


@pytest.fixture(scope="session")
def engine_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


@pytest.fixture
def setup(engine_sandbox: Sandbox, tmp_path: Path) -> GrantorSetup:
    return set_up_grantor(engine_sandbox, tmp_path)


@pytest.fixture
def thirty_grants(setup: GrantorSetup) -> GrantorSetup:
    """A setup with thirty grants of one policy file and one grant of another."""
    setup.create_role("auditor")
    setup.put_policy("many", build_rules(30))
    setup.put_policy("else", build_rules(1).replace("READ", "WRITE"))
    setup.reconcile()
    return setup


@pytest.fixture
def changed_setup(setup: GrantorSetup) -> GrantorSetup:
    """A setup with a change that no run has seen yet."""
    set_up_before_change(setup)
    make_change(setup)
    return setup


@pytest.fixture
def start_process(setup: GrantorSetup) -> Iterator[Callable[[], OtherProcess]]:
    """A function that starts a run in a process of its own; all are killed at the end."""
    running: list[subprocess.Popen[str]] = []

    def start() -> OtherProcess:
        command = [
            sys.executable,
            "-m",
            "tests.engine.other_process",
            str(setup.sandbox.port),
            str(setup.config),
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
        return OtherProcess(running[-1])

    yield start
    for process in running:
        process.kill()
        process.communicate()
