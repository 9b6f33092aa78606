"""The configuration of a bucket: whether S3 returns what it was sent, and what it refuses."""

from grantor.aws.bucket_settings import BucketSettings
from grantor.core.data_buckets import add_events, merge_statement, remove_events
from tests.live.probe import Finding, StillOpen, probe
from tests.live.workspace import DONE, Workspace, format_policy


@probe()
def bucket_texts_kept(workspace: Workspace) -> Finding:
    """Does S3 return notifications and policy of a bucket letter by letter as they were sent, and
    take them again?
    """
    account = workspace.account
    settings = BucketSettings(account.client("s3"), account.id, account.region)
    notifications, restored = _try_notifications(workspace, settings)
    policy = _try_policy(workspace, settings)
    what = f"notifications kept: {notifications}, restored: {restored}; policy kept: {policy}"
    return Finding(notifications and restored and policy, what)


@probe()
def large_policy_code(workspace: Workspace) -> Finding:
    """Which error code refuses a bucket policy of more than 20 KB?"""
    s3, bucket = workspace.account.client("s3"), workspace.bucket
    nothing = f"arn:{workspace.account.partition}:s3:::{bucket}/nothing"
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": nothing}
    large = format_policy({**deny, "Sid": "a" * 20_480})
    seen = workspace.try_call(lambda: s3.put_bucket_policy(Bucket=bucket, Policy=large))
    if seen == DONE:
        s3.delete_bucket_policy(Bucket=bucket)
    return Finding(seen, f"PutBucketPolicy with {len(large):,} characters: {seen}")


def _try_notifications(workspace: Workspace, settings: BucketSettings) -> tuple[bool, bool]:
    """Whether the text is kept, and whether the one that was there comes back. A destination need
    not exist: nobody sends it anything.
    """
    account, bucket = workspace.account, workspace.bucket
    before = settings.read_notifications(bucket)
    topic = f"arn:{account.partition}:sns:{account.region}:{account.id}:grantor-probe"
    entry = f"<Id>probe</Id><Topic>{topic}</Topic><Event>s3:ObjectCreated:Put</Event>"
    on, own = add_events(remove_events(before)), "<EventBridgeConfiguration/>"
    # After what S3's model has last, so that sorting shows.
    sent = on.replace(own, f"{own}<TopicConfiguration>{entry}</TopicConfiguration>")
    seen = workspace.try_call(lambda: settings.write_notifications(bucket, sent))
    if seen != DONE:
        raise StillOpen(f"PutBucketNotificationConfiguration: {seen}")
    try:
        returned = settings.read_notifications(bucket)
    finally:
        settings.write_notifications(bucket, before)
    return returned == sent, settings.read_notifications(bucket) == before


def _try_policy(workspace: Workspace, settings: BucketSettings) -> bool:
    bucket = workspace.bucket
    nothing = f"arn:{workspace.account.partition}:s3:::{bucket}/nothing"
    deny = {
        "Sid": "Probe",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": nothing,
    }
    sent = merge_statement(format_policy(deny), {**deny, "Sid": "Second"})
    settings.write_policy(bucket, sent)
    try:
        return settings.read_policy(bucket) == sent
    finally:
        settings.write_policy(bucket, "")
