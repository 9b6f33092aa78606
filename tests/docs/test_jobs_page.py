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

from sandbox.process import Server
from sandbox.testing.helpers import policy_document
from tests.conftest import ACCOUNT, ROOT, Sandbox
from tests.grantor_setup import ARTICLE_POLICY, DATA, set_up_grantor

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
