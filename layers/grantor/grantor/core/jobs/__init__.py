"""Jobs, pure: match uploads, decide on starts, check grants, build requests, read outcomes."""
