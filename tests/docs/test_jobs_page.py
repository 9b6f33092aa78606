"""What docs/jobs.md shows of reading a run is a program that does so, in a notebook of the profile
that the folder belongs to.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from grantor.core.machines import read_memory, read_vcpus, starts_executor
from sandbox.process import Server
from sandbox.processing.smspark.machine_sizes import (
    MACHINES,
    Machine,
    explain_starvation,
    size_spark,
)
from sandbox.testing.helpers import policy_document
from tests.conftest import ACCOUNT, ROOT, Sandbox
from tests.grantor_setup import ARTICLE_POLICY, DATA, set_up_grantor

PAGE = ROOT / "docs/jobs.md"
RUN = "0123456789abcdef0123"
FILES = {
    "train/part-00000": b"15,1,0,0.455\n",
    "train/part-00001": b"7,1,0,0.35\n",
    "validation/part-00000": b"9,0,0,0.53\n",
}


def test_the_reader_of_the_page_finds_all_that_is_for_training(
    start_sandbox: Callable[..., Sandbox], tmp_path: Path
):
    setup = set_up_grantor(start_sandbox(), tmp_path)
    everything = policy_document(
        {"Action": "s3:*", "Resource": [f"arn:aws:s3:::{DATA}", f"arn:aws:s3:::{DATA}/*"]}
    )
    asking = policy_document({"Action": "s3:GetDataAccess", "Resource": "*"})
    setup.client("iam").put_role_policy(
        RoleName="location", PolicyName="data", PolicyDocument=everything
    )
    setup.client("iam").put_role_policy(
        RoleName="role-userA", PolicyName="ask", PolicyDocument=asking
    )
    setup.put_policy("article", ARTICLE_POLICY)
    setup.reconcile()
    files = [{"path": path, "split": path.partition("/")[0]} for path in FILES]
    there = {f"runs/{RUN}/{path}": body for path, body in FILES.items()}
    there |= {
        "LATEST.json": json.dumps({"run_id": RUN}).encode(),
        f"runs/{RUN}/_manifest.json": json.dumps({"files": files}).encode(),
    }
    for key, body in there.items():
        setup.client("s3").put_object(Bucket=DATA, Key=f"UserA/output/{key}", Body=body)

    (shown,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/jobs.md").read_text(), re.DOTALL)
    program = (
        shown.replace("111122223333", ACCOUNT).replace("DATA_BUCKET", DATA)
        + "\nprint(train.decode(), end='')\n"
    )
    environment = os.environ | Server(setup.sandbox.port).client_variables("userA")
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.stdout, ran.stderr) == ("15,1,0,0.455\n7,1,0,0.35\n", "")


def starved(machine: Machine) -> str:
    return explain_starvation(machine, size_spark(machine, 1))


def test_the_page_names_the_least_memory_of_a_single_machine():
    needed = re.search(
        r"with less than about ([\d,]+) MiB never starts an executor", PAGE.read_text()
    )
    sizes = range(14_000, 16_000)
    least = 1 + max(size for size in sizes if starved(Machine("x", 1, 4, size)))

    assert needed
    assert 0 <= int(needed[1].replace(",", "")) - least < 20  # the container rounds down


@pytest.mark.parametrize("count", [1, 2])
def test_grantor_and_the_sandbox_judge_every_machine_alike(count: int):
    rows = MACHINES.read_text().splitlines()[1:]
    judged = [
        (kind, int(vcpus), int(memory)) for kind, vcpus, memory in (row.split(",") for row in rows)
    ]
    known = [row for row in judged if read_memory(row[0]) is not None]

    assert len(known) > 40
    assert [(kind, read_vcpus(kind), read_memory(kind)) for kind, _, _ in known] == known
    assert [kind for kind, vcpus, memory in known if starts_executor(kind, count)] == [
        kind for kind, vcpus, memory in known if not starved(Machine(kind, count, vcpus, memory))
    ]
