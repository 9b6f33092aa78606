"""All probes."""

from tests.live.probe import PROBES, sort_probes

# Each of these modules registers its probes.
from tests.live.probes import (  # noqa: F401
    access,
    buckets,
    examination,
    grants,
    instance,
    jobs,
    lists,
    rights,
    stacks,
    studio,
)

ALL_PROBES = sort_probes(PROBES.values())
PROBES_BY_NAME = {probe.name: probe for probe in ALL_PROBES}
JOB_PROBES = (
    "job_failure_reason",
    "job_image_needs_rights",
    "job_description",
    "job_network_fails_at",
)
# Switches that IAM decides on, which only the server has.
JUDGED_PROBES = (
    "readers_see_uploads",
    "copy_reads_tags",
    "profile_names_in_policies",
    "simulator_knows_tags",
    "nulls_in_metadata",
    "bucket_texts_kept",
    "large_policy_code",
)
