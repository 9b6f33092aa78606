"""An upgrade of the server that moves a name we touch fails here, by that name."""

import json
import os
import subprocess

from tests.conftest import ROOT


def test_every_name_of_the_server_that_we_touch_is_where_we_rely_on_it():
    asked = subprocess.run(
        [ROOT / ".tools/server/bin/python", "-m", "sandbox.server.seams"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert asked.returncode == 0, asked.stderr
    assert len(json.loads(asked.stdout)) > 10
