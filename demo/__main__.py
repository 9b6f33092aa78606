"""`make demo`: the whole walk-through in a sandbox of its own.

Exits with 0, or with 1 and the expectation that did not hold.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from demo import article, daily_changes, new_data, second_door, suspension, three_questions
from demo.spark_installation import SparkInstallation
from harness.deployment import (
    Deployment,
    GrantRow,
    adapt_sample_event,
    deploy_stack,
    read_function_variables,
)
from harness.event_to_grant import measure_event_to_grant
from harness.figures import format_figures, write_figures
from harness.session import ROOT, SandboxSession
from harness.steps import (
    ExpectationError,
    print_lines,
    print_part,
    run_steps,
    step,
    wait_until,
)
from sandbox.testing.inventory import list_everything
from sandbox.testing.running import find_free_port

SAMPLES = 5  # of each time in the demo; `make bench` takes more, and checks their bounds
STAY_FOLDER = ROOT / "build/sandbox"
STAY_TEXT = """
The sandbox is running. To use it from this shell:

  eval "$(.venv/bin/python -m sandbox env --port {port})"
  aws s3control list-access-grants --account-id 000000000000
  .venv/bin/python -m sandbox events --port {port}           the events of the bus
  .venv/bin/python -m sandbox fire-schedules --port {port}   the schedule rules, now
  .venv/bin/python -m sandbox down --port {port}             stop it

To run its functions in containers, with its own buckets:

  sam local invoke StartSparkJob -e build/sandbox/events/abalone_uploaded.json \\
    --skip-pull-image $(.venv/bin/python -m sandbox relay --port {port})
"""


def main() -> int:
    """Run the demo or, with --stay, only its beginning."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--data", type=Path, help="a CSV file to load, not the synthetic data set")
    parser.add_argument(
        "--stay",
        action="store_true",
        help="stop once the policy files are in place, and leave the sandbox running",
    )
    parser.add_argument("--port", type=int, help="the sandbox's port (default: a free one)")
    chosen = parser.parse_args()
    if chosen.data and not chosen.data.is_file():
        parser.error(f"{chosen.data}: no such file; DATA is the path of a CSV file")
    port = chosen.port or find_free_port()
    run = prepare_sandbox if chosen.stay else run_demo
    return run_steps(lambda: run(port, chosen.data))


def run_demo(port: int, data: Path | None) -> None:
    """The whole walk-through. Raises ExpectationError at the first expectation that fails.

    Spark is installed in the background once the first grant and the first refusal have been
    shown; the chapters that need it come last.
    """
    session = start_sandbox(port)
    try:
        with SparkInstallation() as spark:
            _run_chapters(session, spark, data)
    finally:
        session.stop()


def _run_chapters(session: SandboxSession, spark: SparkInstallation, data: Path | None) -> None:
    before = list_everything(session.client, session.account)
    print_part("The article: from the deployment to the grants")
    deployment = deploy_stack(session, data)
    grants = article.show_grants(deployment, data)
    spark.start()
    print_part("Beyond the article: questions about access")
    three_questions.show_questions(deployment)
    print_part("Beyond the article: changes of grants")
    daily_changes.show_changes(deployment, grants)
    print_part("Beyond the article: an attack, and a suspension")
    second_door.show_attack(deployment)
    suspension.show_suspension(deployment, grants)
    print_part("The article: its Spark job")
    article.show_job(deployment, spark, data)
    print_part("Beyond the article: new data")
    new_data.show_uploads(deployment, data)
    measure_speed(deployment, grants)
    print_part("The article: its last step")
    article.clean_up(deployment, before)


def prepare_sandbox(port: int, data: Path | None) -> None:
    """Deploy the stack, put the policy files, and leave the sandbox running."""
    session = start_sandbox(port)
    deployment = deploy_stack(session, data)
    article.create_grants(deployment)
    deployment.put_job_policy()
    _write_container_files(deployment)
    print_lines(STAY_TEXT.format(port=port))


def start_sandbox(port: int) -> SandboxSession:
    """Start the sandbox, as a step of its own."""
    with step("A sandbox starts: AWS on this machine"):
        session = SandboxSession.start(port)
        print_lines(f"it answers at {session.url}")
        return session


def measure_speed(deployment: Deployment, grants: set[GrantRow]) -> None:
    """Show the time from an event to its grant."""
    with step("From event to grant, beside an empty function"):
        figures = measure_event_to_grant(deployment, SAMPLES)
        write_figures("event_to_grant_demo", figures)
        print_lines(format_figures([replace(figure, bound=None) for figure in figures]))
        wait_until("the grants are the article's again", grants, deployment.list_grants)


def _write_container_files(deployment: Deployment) -> None:
    """Write what `sam local invoke` takes: functions' variables, and events of this stack."""
    (STAY_FOLDER / "events").mkdir(parents=True, exist_ok=True)
    variables = read_function_variables(deployment.session)
    (STAY_FOLDER / "functions.json").write_text(json.dumps(variables, indent=1))
    for sample in (ROOT / "events").glob("*.json"):
        event = adapt_sample_event(sample, deployment)
        (STAY_FOLDER / "events" / sample.name).write_text(event)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ExpectationError as error:
        sys.exit(str(error))
