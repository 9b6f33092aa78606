"""The two cells of examples/studio, run as the notebooks of two profiles: the one who has a grant on the folder, and the one who has not."""

import json
from string import Template

import pytest

from tests.conftest import ACCOUNT, REGION, ROOT, Sandbox
from tests.estate import ARTICLE, DATA, Estate, lay
from tests.studio.conftest import notebook

OPERATIONS = "operations"
CELLS = ROOT / "examples/studio"
PLACES = {"DATA_BUCKET": DATA, "OPERATIONS_BUCKET": OPERATIONS, "FOLDER": "UserA"}


def allow(estate: Estate, role: str, policy: str) -> None:
    estate.client("iam").put_role_policy(RoleName=role, PolicyName="by-hand", PolicyDocument=policy)


@pytest.fixture(scope="module")
def estate(server: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """The article's two users, each with a grant on their own folder and the rights of examples/studio/role.json."""
    estate = lay(server, tmp_path_factory.mktemp("estate"))
    estate.client("s3").create_bucket(Bucket=OPERATIONS)
    data = {"Effect": "Allow", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{DATA}", f"arn:aws:s3:::{DATA}/*"]}
    allow(estate, "location", json.dumps({"Version": "2012-10-17", "Statement": [data]}))
    rights = Template((CELLS / "role.json").read_text())
    for role in ("role-userA", "role-userB"):
        allow(estate, role, rights.substitute(REGION=REGION, ACCOUNT=ACCOUNT, OPERATIONS=OPERATIONS, ROLE=role))
    estate.policy("article", ARTICLE)
    estate.run()
    return estate


def test_whoever_has_a_grant_sees_five_rows_of_each_part(estate, tmp_path):
    for part in ("train", "validation"):
        rows = "".join(f"{label},1,0,0.455,0.365\n" for label in range(7))
        estate.client("s3").put_object(Bucket=DATA, Key=f"UserA/output/{part}/part-00000", Body=rows.encode())

    seen = notebook(estate.sandbox, tmp_path, CELLS / "validate.py", profile="userA", **PLACES)

    assert seen.returncode == 0, seen.stderr
    assert [line.split()[:3] for line in seen.stdout.splitlines() if "0.455" in line] == [
        [str(n), str(n), "1"] for n in range(5)
    ] * 2


def test_whoever_has_none_is_refused_in_one_sentence(estate, tmp_path):
    seen = notebook(estate.sandbox, tmp_path, CELLS / "validate.py", profile="userB", **PLACES)

    assert (seen.returncode, seen.stdout, seen.stderr.count("\n")) == (1, "", 1)
    assert seen.stderr.startswith(f"AccessDenied: arn:aws:sts::{ACCOUNT}:assumed-role/role-userB/")
    assert "You do not have READ permissions to the requested S3 Prefix: s3://data/UserA/*" in seen.stderr
