"""docs/demo-churn.md shows what `make demo-churn` prints: two other data sets, end to end."""

import pytest

from docs.transcripts import find_transcripts, run_command


@pytest.mark.timeout(900)
def test_the_page_shows_the_other_data_as_the_jobs_process_it():
    [shown] = [each for each in find_transcripts() if each.command == "make demo-churn"]

    assert shown.compare(run_command(shown.command)) == ""
