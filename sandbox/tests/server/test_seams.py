"""An upgrade of the server that moves a name we touch fails here, by that name."""

import json
import subprocess
from pathlib import Path

from sandbox.paths import find_server_python
from sandbox.process import server_environment
from sandbox.start_keys import StartKeys


def test_every_name_of_the_server_that_we_touch_is_where_we_rely_on_it(tmp_path: Path):
    asked = subprocess.run(
        [find_server_python(), "-P", "-m", "sandbox.server.seams"],
        cwd=tmp_path,
        env=server_environment(tmp_path, StartKeys.make()),
        capture_output=True,
        text=True,
        check=False,
    )

    assert asked.returncode == 0, asked.stderr
    assert len(json.loads(asked.stdout)) > 10
