"""docs/demo.md shows what `make demo` prints, from the deployment to an empty account."""

import pytest

from docs.transcripts import find_transcripts, run_command


@pytest.mark.timeout(900)
def test_the_page_shows_the_demo_as_it_runs():
    [shown] = [each for each in find_transcripts() if each.command == "make demo"]

    assert shown.compare(run_command(shown.command)) == ""
