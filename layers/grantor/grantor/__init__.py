"""Grantor keeps Amazon S3 Access Grants in line with policy files.

core decides, aws talks to AWS, reconcile, jobs and teardown combine the two.
"""
