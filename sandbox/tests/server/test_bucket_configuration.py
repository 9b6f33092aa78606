"""A bucket's policy and notifications are returned as they were put, and refused as S3 refuses."""

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import put_notifications, read_notifications, unique_name
from sandbox.testing.running import ACCOUNT, Sandbox

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
LAMBDA = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:theirs"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:theirs"
# Not in the order of S3's model, with a comment, and one entry without an id.
THEIRS = (
    f'<NotificationConfiguration xmlns="{NAMESPACE}">'
    f"<CloudFunctionConfiguration><Id>b</Id><CloudFunction>{LAMBDA}</CloudFunction>"
    "<Event>s3:ObjectCreated:*</Event></CloudFunctionConfiguration><!-- theirs -->"
    f"<QueueConfiguration>%s<Queue>{QUEUE}</Queue><Event>s3:ObjectRemoved:*</Event>"
    "</QueueConfiguration></NotificationConfiguration>"
)


@pytest.fixture
def bucket(server: Sandbox) -> str:
    name = unique_name("configured")
    server.shared("s3").create_bucket(Bucket=name)
    return name


def test_notifications_are_returned_letter_by_letter(server: Sandbox, bucket: str):
    s3 = server.client("s3")

    put_notifications(s3, bucket, THEIRS % "<Id>q</Id>")

    assert read_notifications(s3, bucket) == THEIRS % "<Id>q</Id>"
    parsed = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert [it["Id"] for it in parsed["QueueConfigurations"]] == ["q"]


def test_an_entry_without_an_id_gets_one_and_nothing_else_changes(server: Sandbox, bucket: str):
    s3 = server.client("s3")

    put_notifications(s3, bucket, THEIRS % "")

    given = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"][0]["Id"]
    assert given
    assert read_notifications(s3, bucket) == THEIRS % f"<Id>{given}</Id>"


@pytest.mark.parametrize("text", ["<NotificationConfiguration>", "<Other/>", "hello", ""])
def test_what_is_no_configuration_is_refused_and_changes_nothing(
    server: Sandbox, bucket: str, text: str
):
    s3 = server.client("s3")
    put_notifications(s3, bucket, THEIRS % "<Id>q</Id>")

    with pytest.raises(ClientError, match="MalformedXML"):
        put_notifications(s3, bucket, text)
    assert read_notifications(s3, bucket) == THEIRS % "<Id>q</Id>"


def test_a_policy_is_returned_letter_by_letter_and_has_20_kilobytes_at_most(
    server: Sandbox, bucket: str
):
    s3 = server.client("s3")
    text = (
        '{ "Statement": [\n {"Sid": "%s", "Effect": "Deny", "Principal": "*", '
        f'"Action": "s3:PutObject", "Resource": "arn:aws:s3:::{bucket}/x"}}], "Version": "2012-10-17"}}'
    )
    longest = text % ("a" * (20480 - len(text % "")))

    s3.put_bucket_policy(Bucket=bucket, Policy=longest)
    with pytest.raises(ClientError, match="PolicyTooLarge"):
        s3.put_bucket_policy(Bucket=bucket, Policy=longest + " ")
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == longest
