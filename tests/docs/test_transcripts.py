"""What the documents show is what the commands print. One of the commands is `make demo`: the whole story, told here too."""

import pytest

from docs.transcripts import Transcript, run, transcripts


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "transcript", list(transcripts()), ids=lambda transcript: f"{transcript.document.name}: {transcript.command}"
)
def test_a_document_shows_what_its_command_prints(transcript: Transcript):
    assert transcript.differs(run(transcript.command)) == ""


def test_the_readme_shows_the_demo():
    assert "make demo" in [transcript.command for transcript in transcripts()]
