"""The configuration of existing buckets: policy and notifications, letter by letter, and the
locations that this stack registers for them.

botocore would parse and rewrite a notification configuration, and drop what its model does not
know. So its text is taken from the answer, and put into the request, as it is. S3 has no condition
for these writes: a change that somebody makes between our read and our write is lost.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from grantor.aws.access_grants import OWNER, format_tags
from grantor.aws.clients import RetryableError, error_code, error_status, retryable
from grantor.core.grant import Location

if TYPE_CHECKING:
    from mypy_boto3_s3control import S3ControlClient

READ = "before-parse.s3.GetBucketNotificationConfiguration"
WRITE = "before-call.s3.PutBucketNotificationConfiguration"


class ForeignBucket(ValueError):
    """The bucket does not exist, belongs to another account, or lies in another Region. S3 also
    answers so while a permission is new, and then it is `denied`.
    """

    def __init__(self, why: str, *, denied: bool = False) -> None:
        super().__init__(f"{why}: write another name into the stack's parameters")
        self.denied = denied


class BucketSettings:
    """The settings of any bucket of one account and Region. Each method costs one call."""

    def __init__(self, client: Any, account: str, region: str) -> None:
        self._client = client
        self._account, self._region = account, region

    def check_bucket(self, bucket: str) -> None:
        """Check that the bucket is there. Raises ForeignBucket."""
        what = f"s3://{bucket}/"
        try:
            with retryable():
                found = self._client.head_bucket(Bucket=bucket, ExpectedBucketOwner=self._account)
        except ClientError as error:
            if error_status(error) == 404:
                raise ForeignBucket(f"{what} does not exist") from error
            if error_status(error) != 403:
                raise
            why = f"does not belong to account {self._account}, or its policy refuses its owner"
            raise ForeignBucket(f"{what} {why}", denied=True) from error
        region = found.get("BucketRegion") or self._region
        if region != self._region:
            why = f"lies in {region}, and S3 Access Grants vends only in its own Region"
            raise ForeignBucket(f"{what} {why}, {self._region}")

    def read_policy(self, bucket: str) -> str:
        """The policy's text; "" if there is none."""
        try:
            with retryable():
                return str(self._client.get_bucket_policy(Bucket=bucket)["Policy"])
        except ClientError as error:
            if error_code(error) != "NoSuchBucketPolicy":
                raise
            return ""

    def write_policy(self, bucket: str, text: str) -> None:
        """Replace the policy; "" deletes it."""
        with retryable():
            if text:
                self._client.put_bucket_policy(Bucket=bucket, Policy=text)
            else:
                self._client.delete_bucket_policy(Bucket=bucket)

    def read_notifications(self, bucket: str) -> str:
        """The notification configuration as XML."""
        seen: list[str] = []

        def note(response_dict: dict[str, Any], **_: Any) -> None:
            seen.append(response_dict["body"].decode())

        with self._handle(READ, note), retryable():
            self._client.get_bucket_notification_configuration(Bucket=bucket)
        return seen[-1]

    def write_notifications(self, bucket: str, text: str) -> None:
        """Replace the notification configuration (XML).

        S3 sends no test event to the destinations of others, and does not refuse the whole because
        one of them is gone.
        """

        def put_text(params: dict[str, Any], **_: Any) -> None:
            params["body"] = text.encode()

        with self._handle(WRITE, put_text), retryable():
            self._client.put_bucket_notification_configuration(
                Bucket=bucket, NotificationConfiguration={}, SkipDestinationValidation=True
            )

    @contextmanager
    def _handle(self, event: str, handler: Callable[..., None]) -> Iterator[None]:
        events = self._client.meta.events
        events.register(event, handler)
        try:
            yield
        finally:
            events.unregister(event, handler)


class OwnLocations:
    """The locations of one stack in the Access Grants instance of one account and Region. Each
    method costs one call. What names a role raises RetryableError while S3 does not know it yet.
    """

    def __init__(self, client: "S3ControlClient", account: str, region: str, stack: str) -> None:
        self._client, self._account, self._stack = client, account, stack
        instance = f"arn:{client.meta.partition}:s3:{region}:{account}:access-grants/default"
        self._arn = f"{instance}/location/"

    def create_location(self, scope: str, role: str) -> str:
        """Register a location with the owner's tag, and return its id."""
        with _await_role():
            made = self._client.create_access_grants_location(
                AccountId=self._account,
                LocationScope=scope,
                IAMRoleArn=role,
                Tags=format_tags({OWNER: self._stack}),  # type: ignore[arg-type]
            )
        return made["AccessGrantsLocationId"]

    def change_role(self, location_id: str, role: str) -> None:
        """Give a location another role."""
        with _await_role():
            self._client.update_access_grants_location(
                AccountId=self._account, AccessGrantsLocationId=location_id, IAMRoleArn=role
            )

    def is_ours(self, location: Location) -> bool:
        """Whether this stack has registered it, by its tag."""
        with retryable():
            answer = self._client.list_tags_for_resource(
                AccountId=self._account, ResourceArn=self._arn + location.id
            )
        tags = {tag["Key"]: tag["Value"] for tag in answer.get("Tags", [])}
        return tags.get(OWNER) == self._stack


@contextmanager
def _await_role() -> Iterator[None]:
    try:
        with retryable():
            yield
    except ClientError as error:
        if error_code(error) != "InvalidIamRole":
            raise
        raise RetryableError("S3 does not know the location's role yet") from error
