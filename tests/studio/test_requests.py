"""What our launcher asks SageMaker for is what AWS's own SDK asks for, and what the SDK was seen to
ask for when the launcher was written.
"""

import json
from pathlib import Path

import pytest

from grantor.core.jobs.request import IMAGE_ACCOUNTS, build_request, image_uri
from tests.conftest import ROOT, Sandbox
from tests.studio.cases import BUCKET, CASES
from tests.studio.conftest import run_with_sdk

HERE = Path(__file__).parent
SEEN = json.loads((ROOT / "tests/core/jobs/spark_processing_requests.json").read_text())["v3"][
    "requests"
]


@pytest.fixture(scope="module")
def sent(server: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What the locked SDK sends for each case. All in one process, as the SDK takes seconds to
    load.
    """
    folder = tmp_path_factory.mktemp("notebook")
    for name in ("preprocess.py", "util.py"):
        (folder / name).touch()
    server.client("s3").create_bucket(Bucket=BUCKET)
    done = run_with_sdk(
        server,
        folder,
        HERE / "sent.py",
        stdin=json.dumps([case.encode() for case in CASES.values()]),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip(CASES, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("name", SEEN)
def test_the_sdk_still_sends_what_it_was_seen_to_send(name, sent):
    captured = json.dumps(SEEN[name]).replace(
        SEEN[name]["ProcessingJobName"], "by-hand"
    )  # the name had the time in it

    assert sent[name] == json.loads(captured)


@pytest.mark.parametrize("name", CASES)
def test_the_launcher_sends_what_the_sdk_sends(name, sent):
    assert build_request("by-hand", CASES[name].what, CASES[name].terms) == sent[name]


def test_the_image_is_the_sdks_in_every_region(server, tmp_path):
    done = run_with_sdk(server, tmp_path, HERE / "regions.py")

    assert {region: image_uri(region) for region in IMAGE_ACCOUNTS} == json.loads(done.stdout), (
        done.stderr[-2000:]
    )
