"""All probes."""

from tests.live.probe import PROBES, sort_probes

# Each of these modules registers its probes.
from tests.live.probes import access, grants, instance, jobs, lists, rights  # noqa: F401

ALL_PROBES = sort_probes(PROBES.values())
PROBES_BY_NAME = {probe.name: probe for probe in ALL_PROBES}
JOB_PROBES = ("job_failure_reason", "job_image_needs_rights", "job_description")
