"""The documents show what the commands print; tests/demo compares those that take minutes."""

import pytest

from docs.transcripts import Transcript, find_transcripts, run_command
from tests.conftest import IS_LONG

LONG_COMMANDS = ("make demo", "make demo-churn", ".venv/bin/python -m docs.new_job")

EXAMPLES = ".venv/bin/python -m docs.cli_examples "  # each sets up a stack of its own


def is_compared(command: str) -> bool:
    """Whether the command runs here; `make test-long` also runs all examples of docs/cli.md."""
    if command.startswith(EXAMPLES) and not IS_LONG:
        return command == f"{EXAMPLES}plan"
    return command not in LONG_COMMANDS


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "transcript",
    [each for each in find_transcripts() if is_compared(each.command)],
    ids=lambda transcript: f"{transcript.document.name}: {transcript.command}",
)
def test_a_document_shows_what_its_command_prints(transcript: Transcript):
    assert transcript.compare(run_command(transcript.command)) == ""
