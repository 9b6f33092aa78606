"""Jobs that new data starts: which, as whom, under which name, whether now, and what came of it."""
