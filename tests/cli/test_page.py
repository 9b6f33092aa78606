"""The command line's page shows every verb as it helps itself; tests/docs compares what it shows with what is printed."""

import pytest

from docs.transcripts import transcripts
from grantor.cli.main import VERBS


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_is_on_the_page(verb: str):
    shown = {transcript.command for transcript in transcripts() if transcript.document.name == "cli.md"}

    assert f".venv/bin/grantor {verb} --help" in shown
