"""What `grantor doctor` says of a stack whose execution roles are as the template makes them."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path

from grantor.cli.main import main
from tests.attacks.conftest import AttackedStack
from tests.conftest import REGION
from tests.grantor_setup import build_session

OF_USER_A = "Product-Domain/userA (grantor-usera-role)"
CALM = ("ok", "skipped", "warning")


def test_reader_and_doctor_see_that_the_stack_and_the_role_of_user_a_are_healthy(
    attacked: AttackedStack, tmp_path: Path
):
    config, printed = tmp_path / "aws-config", io.StringIO()
    config.write_text(f"[default]\nregion = {REGION}\nendpoint_url = {attacked.sandbox.url}\n")
    keys = attacked.create_person("Reader", "Doctor").keys
    with redirect_stdout(printed):
        main(["doctor", "--json"], build_session(config, keys))
    findings = json.loads(printed.getvalue())["findings"]
    # Other tests of the folder make roles of their own, which are not healthy.
    ours = [one for one in findings if "(" not in one["what"] or OF_USER_A in one["what"]]

    assert [one for one in ours if one["severity"] not in CALM] == []
    assert len([one for one in ours if OF_USER_A in one["what"]]) == 9
