"""A stack's first steps with SAM CLI, as users run it: build, guided deploy, second deploy. The rest
of its life is in test_sam_lifecycle.py.
"""

import json
import re
import tomllib
from pathlib import Path

import pytest

from docs.deploying_page import PAGE, read_parameters
from tests.clients.sam import STACK
from tests.conftest import REGION, ROOT

pytestmark = pytest.mark.timeout(300)


def test_a_build_has_every_function_and_a_compiled_layer_without_boto3(built):
    layer = built / "GrantorLayer/python"
    functions, library = ROOT / "functions", ROOT / "layers/grantor"

    assert {path.read_text() for path in built.glob("*/app.py")} == {
        path.read_text() for path in functions.glob("*/app.py")
    }
    assert (built / "Studio/template.yaml").is_file()
    assert list_modules(layer / "grantor", layer) == list_modules(library / "grantor", library)
    assert [path for path in layer.rglob("*.py") if not compiled_path(path).is_file()] == []
    assert [name for name in ("boto3", "botocore", "s3transfer") if (layer / name).exists()] == []


def list_modules(folder: Path, root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in folder.rglob("*.py")}


def compiled_path(source: Path) -> Path:
    return source.parent / "__pycache__" / f"{source.stem}.cpython-312.pyc"


def test_a_guided_deploy_with_every_default_creates_the_stack(sam, deployed):
    _, dialogue = deployed

    assert dialogue.status == 0, dialogue.printed
    assert f"Successfully created/updated stack - {STACK} in {REGION}" in dialogue.printed
    assert sam.list_events()[-1] == (STACK, "CREATE_COMPLETE")
    function = sam.sandbox.client("lambda").get_function(FunctionName=f"{STACK}-reconcile-grants")[
        "Configuration"
    ]
    assert function["State"] == "Active"


def test_sam_asks_the_questions_that_the_page_shows(deployed):
    _, dialogue = deployed
    (page,) = re.findall(r"^```text guided\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    by_name = "".join(
        f"Parameter {name} [{it['Default']}]\n" for name, it in read_parameters().items()
    )

    asked = "".join(f"{question} [{default}]\n" for question, default in dialogue.asked)
    assert asked == page.replace("Parameter … […]\n", by_name)


def test_the_answers_are_saved_and_nothing_else_in_the_configuration_changes(sam, deployed):
    before, after = (
        tomllib.loads((folder / "samconfig.toml").read_text()) for folder in (ROOT, sam.folder)
    )

    kept, given = (it["default"].pop("deploy")["parameters"] for it in (after, before))
    assert kept["capabilities"].split() == given["capabilities"]
    assert kept["region"] == REGION
    assert 'RetainData="false"' in kept["parameter_overrides"]
    assert after["default"].pop("global") == {"parameters": {"stack_name": STACK, "region": REGION}}
    assert before["default"].pop("global") == {"parameters": {"stack_name": STACK}}
    assert after == before


def test_a_second_deploy_asks_nothing_and_has_nothing_to_change(sam, deployed):
    before = sam.list_events()

    assert f"No changes to deploy. Stack {STACK} is up to date" in sam("deploy")
    assert sam.list_events() == before


def test_every_alarm_watches_an_existing_resource_and_notifies_the_stacks_topic(sam, deployed):
    clients, ids = sam.sandbox.client, sam.list_physical_ids()
    alarms = clients("cloudwatch").describe_alarms(AlarmNamePrefix=f"{STACK}-")["MetricAlarms"]
    watched = {(each["Name"], each["Value"]) for alarm in alarms for each in alarm["Dimensions"]}

    queues = {url.rpartition("/")[2] for url in clients("sqs").list_queues()["QueueUrls"]}
    functions = {
        function["FunctionName"] for function in clients("lambda").list_functions()["Functions"]
    }
    services = {("service", "reconcile-grants"), ("service", "start-spark-job")}
    assert len(alarms) == 14
    assert {tuple(alarm["AlarmActions"]) for alarm in alarms} == {(ids["AlertTopic"],)}
    assert watched <= {("stack", STACK), *services} | {("QueueName", q) for q in queues} | {
        ("FunctionName", f) for f in functions
    }
    body = clients("cloudwatch").get_dashboard(DashboardName=f"{STACK}-{REGION}")["DashboardBody"]
    shown = json.loads(body)["widgets"][0]["properties"]["alarms"]
    assert {arn.rpartition(":")[2] for arn in shown} == {alarm["AlarmName"] for alarm in alarms}
