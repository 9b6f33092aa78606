"""The README shows the whole story, and it is told here, from the first deploy to an empty account."""

import pytest

from docs.transcripts import run, transcripts


@pytest.mark.timeout(900)
def test_the_readme_shows_the_demo_as_it_runs():
    [shown] = [each for each in transcripts() if each.command == "make demo"]

    assert shown.differs(run(shown.command)) == ""
