"""Audits least privilege: what each role used in whole runs, and what it did not need."""
