"""The program: its exit status is the application's, or 1 if that could not start."""

import sys

from .machine_sizes import explain_starvation
from .spark_process import run_spark
from .spark_settings import EVENT_FOLDER, collect_settings, write_settings
from .submit_errors import CONTAINER, SubmitError
from .submit_options import build_command, parse_options


def main() -> int:
    """Return the exit status. /opt/ml/output/message has the reason of a failure.

    The container overwrites what the application has left there, and leaves it after a success.
    """
    try:
        submit_application(sys.argv[1:])
    except SubmitError as unfit:
        return _report_failure(unfit)
    except Exception as error:  # noqa: BLE001  -- the container reports any exception like this
        return _report_failure(SubmitError("error running Spark job", error))
    return 0


def submit_application(words: list[str]) -> None:
    """Run the application that the command line names. Raises SubmitError, or any exception."""
    options = parse_options(words)
    command = build_command(options)
    settings = collect_settings(options)
    environment = write_settings(settings)
    if options.event_folder:
        EVENT_FOLDER.mkdir(parents=True)
    machine = settings.machine
    starved = explain_starvation(machine, settings.defaults) if machine else ""
    run_spark(command, environment, options.event_folder, starved)


def _report_failure(error: SubmitError) -> int:
    (CONTAINER / "opt/ml/output/message").write_text(str(error))
    print(f"exiting with code {error.status}: {error}", file=sys.stderr)
    return error.status


if __name__ == "__main__":
    sys.exit(main())
