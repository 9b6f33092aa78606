"""What tests against the sandbox share: its control address, unique names, and AWS resources."""

import io
import json
import time
import urllib.error
import urllib.request
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.testing.running import ACCOUNT, Sandbox

FUNCTION_TEMPLATE = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: {Service: lambda.amazonaws.com}
            Action: sts:AssumeRole
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code: {ZipFile: "def handler(event, context): return event"}
"""  # a template, to which a test appends its own resources


def call_control(sandbox: Sandbox, what: str, method: str = "GET", body: Any = None) -> Any:
    """Return the answer of /_sandbox/`what`; its error if it refuses."""
    sent = None if body is None else json.dumps(body).encode()
    try:
        asked = ask_control(sandbox, f"/_sandbox/{what}", method, sent)
        with urllib.request.urlopen(asked) as answer:  # noqa: S310  -- loopback
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        return json.load(refused)


def ask_control(
    sandbox: Sandbox, path: str, method: str = "GET", sent: bytes | None = None
) -> urllib.request.Request:
    """Return a request to one of the server's own addresses, with its token."""
    token = {"Authorization": sandbox.start_keys.token}
    return urllib.request.Request(f"{sandbox.url}{path}", data=sent, method=method, headers=token)  # noqa: S310  -- loopback


def reset_sandbox(sandbox: Sandbox) -> None:
    """Make the server forget everything."""
    with urllib.request.urlopen(ask_control(sandbox, "/_ministack/reset", "POST")):  # noqa: S310  -- loopback
        pass


def unique_name(word: str) -> str:
    """Return a name that nothing else in this server has."""
    return f"{word}-{uuid.uuid4().hex[:8]}"


def policy_document(*statements: dict[str, Any]) -> str:
    """Return a policy document. A statement without an effect allows."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow"} | statement for statement in statements],
        }
    )


def make_user(sandbox: Sandbox, *statements: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Create a user with these permissions. Return its name and its keys."""
    iam, name = sandbox.client("iam"), unique_name("user")
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(
            UserName=name, PolicyName="own", PolicyDocument=policy_document(*statements)
        )
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return name, {"AccessKeyId": made["AccessKeyId"], "SecretAccessKey": made["SecretAccessKey"]}


def make_table(sandbox: Sandbox) -> str:
    """Create a table with the key `pk` and `sk`. Return its name."""
    name = unique_name("table")
    sandbox.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
    )
    return name


def wait_until[T](look: Callable[[], T], seconds: float = 20) -> T:
    """Return what `look` returns, once it is true. Raises AssertionError after so many seconds."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s, and there was still {seen!r}")
        time.sleep(0.03)
    return seen


def make_zip(files: dict[str, str]) -> bytes:
    """Return a zip file of these texts."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as opened:
        for name, text in files.items():
            opened.writestr(name, text)
    return made.getvalue()


def make_role(sandbox: Sandbox, service: str, *actions: str) -> str:
    """Create a role that the service may assume and that allows these actions. Return its ARN."""
    iam, name = sandbox.client("iam"), unique_name("role")
    assume = ["sts:AssumeRole", "sts:SetSourceIdentity"]
    trust = policy_document({"Principal": {"Service": service}, "Action": assume})
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    if actions:
        iam.put_role_policy(
            RoleName=name,
            PolicyName="own",
            PolicyDocument=policy_document({"Action": actions, "Resource": "*"}),
        )
    return str(made)


def run_networked_job(sagemaker: Any, role: str, subnet: str, group: str) -> dict[str, Any]:
    """Run a processing job that does nothing, in a subnet; return its description at its end."""
    name = unique_name("job")
    cluster = {"InstanceType": "ml.t3.medium", "InstanceCount": 1, "VolumeSizeInGB": 1}
    sagemaker.create_processing_job(
        ProcessingJobName=name,
        RoleArn=role,
        ProcessingResources={"ClusterConfig": cluster},
        AppSpecification={"ImageUri": "image", "ContainerEntrypoint": ["true"]},
        NetworkConfig={"VpcConfig": {"Subnets": [subnet], "SecurityGroupIds": [group]}},
    )

    def describe() -> dict[str, Any]:
        return dict(sagemaker.describe_processing_job(ProcessingJobName=name))

    wait_until(lambda: describe()["ProcessingJobStatus"] in ("Completed", "Failed"))
    return describe()


def make_trail(sandbox: Sandbox) -> str:
    """Create a trail that logs all management events, and return its name.

    Without one, EventBridge receives no event of an API call.
    """
    s3, cloudtrail, name = sandbox.client("s3"), sandbox.client("cloudtrail"), unique_name("trail")
    whose = {"Principal": {"Service": "cloudtrail.amazonaws.com"}}
    s3.create_bucket(Bucket=name)
    policy = policy_document(
        whose | {"Action": "s3:GetBucketAcl", "Resource": f"arn:aws:s3:::{name}"},
        whose | {"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{name}/AWSLogs/{ACCOUNT}/*"},
    )
    s3.put_bucket_policy(Bucket=name, Policy=policy)
    cloudtrail.create_trail(Name=name, S3BucketName=name)
    cloudtrail.start_logging(Name=name)
    return name


@dataclass(frozen=True)
class EventListener:
    """A queue, and the rule that sends to it."""

    sandbox: Sandbox
    rule: str
    queue: str
    rule_arn: str
    queue_arn: str

    def set_queue_policy(self, **statement: Any) -> None:
        """Give the queue a policy of one statement about EventBridge."""
        whole = {
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": self.queue_arn,
        }
        attributes = {"Policy": policy_document(whole | statement)}
        self.sandbox.client("sqs").set_queue_attributes(QueueUrl=self.queue, Attributes=attributes)

    def receive_events(self, count: int) -> list[dict[str, Any]]:
        """Return the next events. Raises AssertionError if fewer than `count` arrive."""
        events: list[dict[str, Any]] = []

        def has_all() -> bool:
            events.extend(self.drain_events())
            return len(events) >= count

        wait_until(has_all)
        return events

    def drain_events(self) -> list[dict[str, Any]]:
        """Return and remove all events that are in the queue now."""
        sqs, events = self.sandbox.client("sqs"), []
        while got := sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            entries = [
                {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
                for n, message in enumerate(got)
            ]
            sqs.delete_message_batch(QueueUrl=self.queue, Entries=entries)
            events += [json.loads(message["Body"]) for message in got]
        return events


def make_listener(sandbox: Sandbox, let: bool = True, **rule: Any) -> EventListener:
    """Create a queue, and a rule that sends to it.

    The queue's policy allows it unless `let` is false.
    """
    events, sqs, name = sandbox.client("events"), sandbox.client("sqs"), unique_name("listener")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    listener = EventListener(
        sandbox, name, queue, events.put_rule(Name=name, **rule)["RuleArn"], arn
    )
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    if let:
        listener.set_queue_policy(Condition={"ArnEquals": {"aws:SourceArn": listener.rule_arn}})
    return listener


def read_notifications(s3: Any, bucket: str) -> str:
    """Return the notification configuration of a bucket as S3 sends it."""
    seen: list[str] = []
    event = "before-parse.s3.GetBucketNotificationConfiguration"

    def note(response_dict: dict[str, Any], **_: Any) -> None:
        seen.append(response_dict["body"].decode())

    s3.meta.events.register(event, note)
    try:
        s3.get_bucket_notification_configuration(Bucket=bucket)
    finally:
        s3.meta.events.unregister(event, note)
    return seen[-1]


def put_notifications(s3: Any, bucket: str, text: str) -> None:
    """Put a notification configuration as it is."""
    event = "before-call.s3.PutBucketNotificationConfiguration"

    def replace(params: dict[str, Any], **_: Any) -> None:
        params["body"] = text.encode()

    s3.meta.events.register(event, replace)
    try:
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={}, SkipDestinationValidation=True
        )
    finally:
        s3.meta.events.unregister(event, replace)
