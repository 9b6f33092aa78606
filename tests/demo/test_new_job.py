"""docs/jobs.md shows what a newcomer types and sees who adds a data set by one contract file."""

import pytest

from docs.transcripts import find_transcripts, run_command


@pytest.mark.timeout(900)
def test_the_page_shows_how_a_data_set_is_added_as_it_happens():
    [shown] = [each for each in find_transcripts() if each.command.endswith("docs.new_job")]

    assert shown.compare(run_command(shown.command)) == ""
