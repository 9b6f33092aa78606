"""Grantor: keeps Amazon S3 Access Grants in line with policy files. core decides, aws talks, reconcile joins the two."""
