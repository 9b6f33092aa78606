"""Every probe there is."""

from tests.live.probe import PROBES, in_order
from tests.live.probes import access, grants, instance, jobs, lists, rights  # noqa: F401  -- each registers its own

ALL = in_order(PROBES.values())
BY_NAME = {probe.name: probe for probe in ALL}
JOBS = ("job_failure_reason", "job_image_needs_rights")
