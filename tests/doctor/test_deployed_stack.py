"""`grantor doctor` on a deployed stack: nothing in a healthy one, and each thing that is broken by
its name. Each test mends what it broke.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sandbox.testing.helpers import policy_document, wait_until
from tests.conftest import ROOT
from tests.doctor.conftest import Patient, Problem
from tests.grantor_setup import build_trust_policy

USER_A = "grantor-usera-role"
Injury = Callable[[Patient], Iterator[None]]
INJURIES: dict[str, tuple[Injury, set[Problem]]] = {}


def injures(*problems: Problem) -> Callable[[Injury], Injury]:
    """Register what breaks a stack, and mends it after its `yield`, with what the doctor says."""

    def register(injury: Injury) -> Injury:
        INJURIES[injury.__name__] = injury, set(problems)
        return injury

    return register


def find_mapping(patient: Patient, function: str) -> str:
    """The id of the event source mapping of a function of the stack."""
    listed = patient.client("lambda").list_event_source_mappings(
        FunctionName=patient.outputs[function]
    )
    return str(listed["EventSourceMappings"][0]["UUID"])


@injures(("trigger", "failure"))
def a_rule_is_disabled(patient: Patient) -> Iterator[None]:
    events, name = patient.client("events"), patient.stack.find_physical_id("PolicyChanged")
    events.disable_rule(Name=name)
    yield
    events.enable_rule(Name=name)


@injures(("trigger", "failure"))
def a_mapping_is_disabled(patient: Patient) -> Iterator[None]:
    functions, mapping = patient.client("lambda"), find_mapping(patient, "StartSparkJob")
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    yield
    functions.update_event_source_mapping(UUID=mapping, Enabled=True)


@injures(("bucket-events", "failure"))
def the_bucket_sends_no_events(patient: Patient) -> Iterator[None]:
    s3, bucket = patient.client("s3"), patient.outputs["DataBucket"]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    yield
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )


@injures(("data-bucket", "warning"))
def the_data_bucket_is_open(patient: Patient) -> Iterator[None]:
    yield from without_policy(patient, "DataBucket")


@injures(("policy-bucket", "warning"))
def the_policy_bucket_is_open(patient: Patient) -> Iterator[None]:
    yield from without_policy(patient, "PolicyBucket")


def without_policy(patient: Patient, output: str) -> Iterator[None]:
    s3, bucket = patient.client("s3"), patient.outputs[output]
    policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    s3.delete_bucket_policy(Bucket=bucket)
    yield
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)


@injures(("ledger-protection", "warning"))
def the_ledger_is_not_protected(patient: Patient) -> Iterator[None]:
    table, name = patient.client("dynamodb"), patient.outputs["Ledger"]
    table.update_table(TableName=name, DeletionProtectionEnabled=False)
    yield
    table.update_table(TableName=name, DeletionProtectionEnabled=True)


@injures(("ledger-recovery", "warning"))
def the_ledger_has_no_recovery(patient: Patient) -> Iterator[None]:
    for enabled in (False, True):
        patient.client("dynamodb").update_continuous_backups(
            TableName=patient.outputs["Ledger"],
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled},
        )
        if not enabled:
            yield


@injures(("trail", "failure"))
def the_trail_is_stopped(patient: Patient) -> Iterator[None]:
    trails = patient.client("cloudtrail")
    trails.stop_logging(Name="grantor-trail")
    yield
    trails.start_logging(Name="grantor-trail")


@injures(("trail", "failure"))
def the_trail_leaves_out_studio(patient: Patient) -> Iterator[None]:
    trails = patient.client("cloudtrail")
    before = trails.get_event_selectors(TrailName="grantor-trail")["AdvancedEventSelectors"]
    fields = [
        {"Field": "eventCategory", "Equals": ["Management"]},
        {"Field": "readOnly", "Equals": ["true"]},
    ]
    trails.put_event_selectors(
        TrailName="grantor-trail", AdvancedEventSelectors=[{"FieldSelectors": fields}]
    )
    yield
    trails.put_event_selectors(TrailName="grantor-trail", AdvancedEventSelectors=before)


@injures(("dead-letters", "failure"))
def a_dead_letter_waits(patient: Patient) -> Iterator[None]:
    sqs, queue = patient.client("sqs"), patient.outputs["UploadDLQ"]
    sqs.send_message(QueueUrl=queue, MessageBody="{}")
    yield
    sqs.purge_queue(QueueUrl=queue)


@injures(("alarm", "failure"))
def an_alarm_rings(patient: Patient) -> Iterator[None]:
    watch, name = patient.client("cloudwatch"), "grantor-policy-rejected"
    watch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    yield
    watch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test")


@injures(("alerts", "warning"))
def nobody_gets_alerts(patient: Patient) -> Iterator[None]:
    sns, topic = patient.client("sns"), patient.outputs["AlertTopic"]
    [one] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])
    yield
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=one["Endpoint"])


@injures(("recursion", "failure"))
def retries_are_stopped(patient: Patient) -> Iterator[None]:
    functions, name = patient.client("lambda"), patient.outputs["ReconcileGrants"]
    functions.put_function_recursion_config(FunctionName=name, RecursiveLoop="Terminate")
    yield
    functions.put_function_recursion_config(FunctionName=name, RecursiveLoop="Allow")


@injures(("lake-formation", "warning"))
def lake_formation_vends_the_bucket(patient: Patient) -> Iterator[None]:
    lake, arn = patient.client("lakeformation"), f"arn:aws:s3:::{patient.outputs['DataBucket']}"
    lake.register_resource(ResourceArn=arn, UseServiceLinkedRole=True)
    yield
    lake.deregister_resource(ResourceArn=arn)


@injures(("location-role", "failure"))
def the_locations_role_trusts_nobody(patient: Patient) -> Iterator[None]:
    yield from with_trust(patient, patient.outputs["LocationRole"], build_trust_policy("ec2"))


@injures(("role-trust", "failure"))
def sagemaker_is_not_trusted(patient: Patient) -> Iterator[None]:
    yield from with_trust(patient, USER_A, build_trust_policy("ec2"))


def with_trust(patient: Patient, role: str, trust: str) -> Iterator[None]:
    iam = patient.client("iam")
    before = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust)
    yield
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(before))


@injures(("clock", "failure"))
def the_clock_stands_still(patient: Patient) -> Iterator[None]:
    table, name = patient.client("dynamodb"), patient.outputs["Ledger"]
    key = {"pk": {"S": "meta"}, "sk": {"S": "sweep"}}
    item = table.get_item(TableName=name, Key=key)["Item"]
    table.put_item(TableName=name, Item=item | {"at": {"S": "2026-01-01T00:00:00+00:00"}})
    yield
    table.put_item(TableName=name, Item=item)


@injures(("role-tag", "warning"), ("pass-role", "failure"))
def a_role_has_lost_its_tag(patient: Patient) -> Iterator[None]:
    iam = patient.client("iam")
    iam.untag_role(RoleName=USER_A, TagKeys=["grantor:role"])
    yield
    iam.tag_role(RoleName=USER_A, Tags=[{"Key": "grantor:role", "Value": USER_A}])


@injures(("role-denies", "warning"))
def a_role_has_lost_the_denies(patient: Patient) -> Iterator[None]:
    yield from without_managed(patient, "Scientist")


@injures(("studio-rights", "failure"), ("credentials", "failure"), ("pass-role", "failure"))
def a_role_may_open_nothing(patient: Patient) -> Iterator[None]:
    yield from without_managed(patient, "Notebook")


def without_managed(patient: Patient, output: str) -> Iterator[None]:
    iam, arn = patient.client("iam"), patient.outputs[output]
    iam.detach_role_policy(RoleName=USER_A, PolicyArn=arn)
    yield
    iam.attach_role_policy(RoleName=USER_A, PolicyArn=arn)


@injures(("credentials", "failure"))
def a_role_must_not_ask(patient: Patient) -> Iterator[None]:
    denied = {"Effect": "Deny", "Action": "s3:GetDataAccess", "Resource": "*"}
    yield from with_inline(patient, denied)


@injures(("pass-role", "unknown"))
def a_right_depends_on_the_address(patient: Patient) -> Iterator[None]:
    where = {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "Null": {"aws:SourceIp": "true"}}
    denied = {"Effect": "Deny", "Action": "iam:PassRole", "Resource": "*", "Condition": where}
    yield from with_inline(patient, denied)


@injures(("role-denies", "warning"), ("data-bucket", "warning"), ("data-without-grant", "failure"))
def data_is_open_to_a_role(patient: Patient) -> Iterator[None]:
    for _ in without_managed(patient, "Scientist"):
        for _ in without_policy(patient, "DataBucket"):
            yield from with_inline(patient, {"Action": "s3:*", "Resource": "*"})


@injures(("role-denies", "warning"), ("policy-writes", "failure"))
def a_role_can_become_the_steward(patient: Patient) -> Iterator[None]:
    for _ in without_managed(patient, "Scientist"):
        yield from with_inline(patient, {"Action": "sts:AssumeRole", "Resource": "*"})


def with_inline(patient: Patient, statement: dict[str, Any]) -> Iterator[None]:
    iam = patient.client("iam")
    iam.put_role_policy(
        RoleName=USER_A, PolicyName="more", PolicyDocument=policy_document(statement)
    )
    yield
    iam.delete_role_policy(RoleName=USER_A, PolicyName="more")


@injures(("profile-role", "failure"))
def a_profiles_role_is_gone(patient: Patient) -> Iterator[None]:
    iam, studio = patient.client("iam"), patient.client("sagemaker")
    named = {"DomainId": patient.stack.find_physical_id("Domain"), "UserProfileName": "gone"}
    role = iam.create_role(
        RoleName="gone", AssumeRolePolicyDocument=build_trust_policy("sagemaker")
    )["Role"]["Arn"]
    studio.create_user_profile(**named, UserSettings={"ExecutionRole": role})
    wait_until(lambda: studio.describe_user_profile(**named)["Status"] == "InService")
    iam.delete_role(RoleName="gone")
    yield
    studio.delete_user_profile(**named)
    wait_until(lambda: "gone" not in json.dumps(studio.list_user_profiles(), default=str))


@injures(("job-quota", "failure"))
def the_quota_of_instances_is_zero(patient: Patient) -> Iterator[None]:
    with patient.switched(job_instances_quota=0):
        yield


@injures(("concurrency", "warning"))
def the_account_is_young(patient: Patient) -> Iterator[None]:
    with patient.switched(concurrent_executions=10):
        yield


def test_nothing_is_wrong_with_a_healthy_stack(patient: Patient):
    assert patient.list_problems() == set()


@pytest.mark.parametrize("name", INJURIES)
def test_what_is_broken_is_named_and_nothing_else(patient: Patient, name: str):
    injury, problems = INJURIES[name]
    with contextmanager(injury)(patient):
        found = patient.list_problems()

    assert found == problems


def test_reader_and_doctor_are_enough(patient: Patient):
    keys = patient.create_person("Reader", "Doctor")

    assert patient.list_problems(keys=keys) == set()


def test_what_a_reader_may_not_read_is_unknown_and_names_the_action(patient: Patient):
    code, printed = patient.run("doctor", "--json", keys=patient.create_person("Reader"))
    findings = json.loads(printed)["findings"]
    unknown = {one["id"] for one in findings if one["severity"] == "unknown"}
    remedies = {one["id"]: one["remedy"] for one in findings if one["severity"] == "unknown"}

    assert code == 1
    assert unknown == {
        "job-quota", "concurrency", "trail", "data-location", "ledger", "bucket-events",
        "data-bucket", "policy-bucket", "lake-formation", "alerts", "recursion", "profile-role",
    }  # fmt: skip
    assert "iam:GetRole" in remedies["profile-role"]


def test_whoever_asks_a_real_account_sees_no_failure(patient: Patient):
    """The credentials of tests/live may read little of the stack: the rest is unknown."""
    rights = (ROOT / "tests/live/rights.json").read_text()
    found = patient.list_problems(keys=patient.create_person(live=rights))

    assert {severity for _, severity in found} == {"unknown"}
