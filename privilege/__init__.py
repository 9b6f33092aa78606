"""Least privilege, proven: what every role used in whole runs, judged a second time, and what it could have done without."""
