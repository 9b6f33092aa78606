"""What the documents show is what the commands print; what `make demo` prints is compared in tests/story."""

import pytest

from docs.transcripts import Transcript, run, transcripts


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "transcript",
    [each for each in transcripts() if each.command != "make demo"],
    ids=lambda transcript: f"{transcript.document.name}: {transcript.command}",
)
def test_a_document_shows_what_its_command_prints(transcript: Transcript):
    assert transcript.differs(run(transcript.command)) == ""
