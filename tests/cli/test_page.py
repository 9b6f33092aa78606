"""docs/cli.md shows the help of every command; tests/docs compares it with what is printed."""

import pytest

from docs.transcripts import find_transcripts
from grantor.cli.commands import list_names


@pytest.mark.parametrize("command", list(list_names()))
def test_each_command_is_on_the_page(command: str):
    shown = {
        transcript.command
        for transcript in find_transcripts()
        if transcript.document.name == "cli.md"
    }

    assert f".venv/bin/grantor {command} --help" in shown
