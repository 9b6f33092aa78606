"""The documents show what the commands print; tests/demo compares what `make demo` prints."""

import pytest

from docs.transcripts import Transcript, find_transcripts, run_command


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "transcript",
    [each for each in find_transcripts() if each.command != "make demo"],
    ids=lambda transcript: f"{transcript.document.name}: {transcript.command}",
)
def test_a_document_shows_what_its_command_prints(transcript: Transcript):
    assert transcript.compare(run_command(transcript.command)) == ""
