"""The documented errors of S3 Access Grants: code, HTTP status and text.

Source: AWS, S3 API Reference, "S3 Access Grants error codes". InvalidRequest with "Invalid Grantee
in the request" is not in that table; Terraform's provider retries on its text.
"""

ERROR_CODES: dict[str, tuple[int, str]] = {
    "AccessGrantAlreadyExists": (409, "The specified access grant already exists"),
    "AccessGrantsInstanceAlreadyExists": (409, "Access Grants Instance already exists"),
    "AccessGrantsInstanceNotEmptyError": (
        400,
        "Please clean up locations before deleting the access grants instance",
    ),
    "AccessGrantsInstanceNotExistsError": (404, "Access Grants Instance does not exist"),
    "AccessGrantsInstanceResourcePolicyNotExists": (
        404,
        "Access Grants Instance Resource Policy does not exist",
    ),
    "AccessGrantsLocationAlreadyExistsError": (
        409,
        "The specified access grants location already exists",
    ),
    "AccessGrantsLocationNotEmptyError": (
        400,
        "Please clean up access grants before deleting access grants location",
    ),
    "AccessGrantsLocationsQuotaExceededError": (
        409,
        (
            "The number of access grants locations exceeds the Access Grants Locations Quota: "
            "{quota}. "
            "Please reach out to S3 if an increase is required."
        ),
    ),
    "AccessGrantsQuotaExceededError": (
        409,
        (
            "The number of access grants exceeds the Access Grants Quota: {quota}. "
            "Please reach out to S3 if an increase is required."
        ),
    ),
    "InvalidAccessGrant": (400, "The specified Access Grant is invalid"),
    "InvalidAccessGrantsLocation": (400, "The specified Access Grants Location is invalid"),
    "InvalidIamRole": (400, "The specified IAM Role is invalid"),
    "InvalidIdentityCenterInstance": (400, "The specified identity center instance is invalid"),
    "InvalidResourcePolicy": (400, "The specified Resource Policy is invalid"),
    "InvalidTag": (400, "The tag provided was not a valid tag: {why}"),
    "InvalidTags": (400, "Tag keys cannot start with AWS reserved prefix for system tags."),
    "TooManyTags": (400, "The number of tags exceeds the limit of 50 tags."),
    "NoSuchAccessGrantError": (404, "The specified access grant does not exist"),
    "NoSuchAccessGrantsLocationError": (404, "The specified access grants location does not exist"),
    "AccessDenied": (403, "{why}"),
    "StsNotAuthorizedError": (
        403,
        (
            "User: access-grants.s3.amazonaws.com is not authorized to perform: {action} "
            "on resource: {role}"
        ),
    ),
    "StsPackedPolicyTooLargeError": (400, "Serialized token too large for session"),
    "StsValidationError": (400, "{why}"),
    "InvalidRequest": (400, "{why}"),
    "NoSuchResource": (404, "The specified resource does not exist"),
}


class AccessGrantsError(Exception):
    """The service refuses: `code`, HTTP `status` and `message`, worded as AWS does."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.status, self.message = code, status, message


def documented_error(code: str, **words: object) -> AccessGrantsError:
    """Return the documented error, with `words` filled into its text.

    A code that only a switch names is a 400.
    """
    status, text = ERROR_CODES.get(code, (400, "{why}"))
    return AccessGrantsError(code, status, text.format(**words))
