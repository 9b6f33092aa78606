"""All answers that each probe must tell apart."""

from typing import Any

from tests.live.probe import Value

# The first value is the assumed one.
SWITCH_ANSWERS: dict[str, tuple[Value, ...]] = {
    "location_in_key": (False, True),
    "slash_makes_same_location": (False, True),
    "bare_bucket_is_inside": (True, False),
    "read_and_write_combine": (False, True),
    "closer_grant_hides": (False, True),
    "plain_prefix_is_taken": (True, False),
    "invalid_scope_code": ("InvalidAccessGrant", "InvalidRequest"),
    "grant_scope_filters_exactly": (True, False),
    "default_page": (1000, 2, 50),
    "grants_survive_their_role": (True, False),
    "association_keeps_instance": (True, False),
    "prefix_needs_location": (False, True),
    "bad_value_code": ("InvalidRequest", "InvalidArgument"),
    "stale_seconds": (0, 1),
    "late_deletes": (0, 1, 3),
    "vended_seconds": (3600, 900),
    "readers_see_uploads": (False, True),
    "copy_reads_tags": (True, False),
    "bucket_texts_kept": (True, False),
    "large_policy_code": ("PolicyTooLarge", "MalformedPolicy"),
    "job_failure_reason": ("code", "logs", "message"),
    "job_image_needs_rights": (True, False),
    "job_description": ("asked", "defaults"),
    "job_network_fails_at": ("run", "create"),
    "profile_names_in_policies": ("given", "lower"),
    "simulator_knows_tags": (False, True),
    "nulls_in_metadata": (False, True),
}
SWITCH_CASES = [(name, value) for name, values in SWITCH_ANSWERS.items() for value in values]


def refuse(operation: str, code: str, status: int = 400, **more: Any) -> dict[str, Any]:
    """A fault that makes another answer to a question without a switch."""
    return {
        "service": "s3control",
        "operation": operation,
        "kind": "refuse",
        "code": code,
        "status": status,
        "message": "no",
    } | more


PEOPLE = "grantor-live-*"
FAULT_CASES: list[tuple[str, Value, dict[str, Any]]] = [
    (
        "conditional_deletion_policy",
        "ValidationError",
        refuse("ValidateTemplate", "ValidationError", service="cloudformation"),
    ),
    (
        "simulator_and_bucket_policies",
        "NotSupported",
        refuse("SimulatePrincipalPolicy", "NotSupported", service="iam"),
    ),
    (
        "quota_has_its_name",
        "AccessDeniedException",
        refuse("ListServiceQuotas", "AccessDeniedException", service="service-quotas"),
    ),
    ("leading_slash", "InvalidRequest", refuse("CreateAccessGrant", "InvalidRequest")),
    ("starred_location", "InvalidRequest", refuse("CreateAccessGrant", "InvalidRequest")),
    ("missing_grantee", "InvalidPrincipal: no", refuse("CreateAccessGrant", "InvalidPrincipal")),
    (
        "order_of_checks",
        "scope scope scope scope scope",
        refuse("CreateAccessGrant", "InvalidAccessGrant", after=6),
    ),
    ("tags_of_what_is_gone", "AccessDenied", refuse("ListTagsForResource", "AccessDenied", 403)),
    (
        "status_of_a_strange_key",
        403,
        refuse("GetObject", "AccessDenied", 403, service="s3"),
    ),
    ("too_long_code", "InvalidRequest", refuse("GetDataAccess", "InvalidRequest", after=1)),
    (
        "missing_key_status",
        "403",
        refuse("HeadObject", "AccessDenied", 403, service="s3", principal=PEOPLE),
    ),
    (
        "credentials_outlive_their_grant",
        False,
        refuse("GetObject", "AccessDenied", 403, after=1, service="s3", principal=PEOPLE),
    ),
    (
        "create_is_judged_on",
        "both",
        refuse("CreateAccessGrant", "AccessDenied", 403, principal=PEOPLE),
    ),
    (
        "scope_binds_create",
        "refuses everything",
        refuse("CreateAccessGrant", "AccessDenied", 403, principal=PEOPLE),
    ),
    (
        "request_tag_binds_create",
        "refuses everything",
        refuse("CreateAccessGrant", "AccessDenied", 403, principal=PEOPLE),
    ),
    (
        "tagging_needs_its_right",
        True,
        refuse("CreateAccessGrant", "AccessDenied", 403, principal=PEOPLE),
    ),
    (
        "tag_binds_delete",
        "refuses everything",
        refuse("DeleteAccessGrant", "AccessDenied", 403, principal=PEOPLE),
    ),
    (
        "delete_of_what_is_gone",
        "NoSuchAccessGrantError",
        refuse("DeleteAccessGrant", "NoSuchAccessGrantError", 404, principal=PEOPLE),
    ),
]


# A fault cannot allow what a policy denies; in process, policies are not evaluated.
ALLOWED: list[tuple[str, Value]] = [
    ("token_issue_time_ends_sessions", False),
    # In process a bucket's policy is evaluated, without the key.
    ("bucket_knows_what_is_vended", "refuses everything"),
]
