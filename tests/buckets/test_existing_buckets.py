"""A stack for three existing buckets: one with a KMS key, one with notifications and a policy of
its own, one under a location of others. They are used, and then they are as they were.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

import pytest

from tests.buckets.conftest import (
    EXISTING,
    KEYED,
    RULES,
    THEIR_NOTIFICATIONS,
    UNDER,
    WIRED,
    Estate,
    list_expected,
    put_rules,
    run_grantor,
    set_up_estate,
)
from tests.clients.sam import Sam
from tests.conftest import ACCOUNT, REGION, ROOT
from tests.teardown.empty_account import DeployedStack, EmptyAccount, wait_until

BUCKETS = (KEYED, WIRED, UNDER)
SAMPLE = (ROOT / "functions/load_dataset/abalone_sample.csv").read_bytes()
JOBS = """
jobs:
  - name: features
    run: abalone
    as: {each_profile: {domain: Theirs}}
    on: s3://BUCKET/{profile.folder}/abalone.csv
    output: s3://BUCKET/{profile.folder}/output/
"""
JOB_SECONDS = 400  # of three jobs of Spark, two at a time
Settings = dict[str, dict[str, str]]


@dataclass
class Seen:
    """The buckets at each step, and what was done with them."""

    estate: Estate
    stack: DeployedStack
    before: Settings
    connected: Settings
    grants: set[tuple[str, str]]
    read: dict[str, bytes]  # what Ana reads and writes with vended credentials, by bucket
    refused: dict[str, str]  # what an administrator's plain call gets, by bucket
    new_folders: set[str]  # scopes that came by an upload
    coexisting: tuple[str, bool]  # where a grant is below a location of others; whether that goes
    doctor: dict[str, str]  # what is not well of each kind
    rules: list[str]  # that `grantor status` knows
    keys: dict[str, str]  # whether the location's role may use a key, by the key
    ended: tuple[set[str], str]  # roles whose sessions were ended; what a client gets then
    jobs: dict[str, str]  # the status of each job, by the bucket that it reads
    outputs: dict[str, list[str]]  # keys of what the jobs have published, by bucket
    deleted: str
    after: Settings
    objects: dict[str, dict[str, str]]
    objects_after: dict[str, dict[str, str]]
    left: set[str]


@pytest.fixture(scope="module")
def seen(account: EmptyAccount) -> Seen:
    estate = set_up_estate(account)
    things = account.list_resources()
    before = {name: estate.read_settings(name) for name in BUCKETS}
    stack = account.build_stack()
    made = stack.create(**EXISTING, DataKeys=estate.key, JobRoles=estate.ana)
    assert made == "CREATE_COMPLETE", stack.describe_failures()
    connected = {name: estate.read_settings(name) for name in BUCKETS}
    account.client("iam").attach_role_policy(
        RoleName="ana", PolicyArn=stack.read_outputs()["Notebook"]
    )
    for name in BUCKETS:
        put_rules(stack, name, RULES + JOBS)
    wait_until(lambda: estate.list_scopes() == list_expected(*BUCKETS))
    grants = estate.list_grants()
    read = {name: read_and_write(estate, name) for name in BUCKETS}
    refused = {name: call_as_outsider(estate, name) for name in BUCKETS}
    new_folders = {upload_into_team_folder(estate, stack, name) for name in BUCKETS}
    coexisting = coexist_with_others(estate, stack)
    doctor = examine(estate)
    jobs = run_jobs(estate)
    rules = list_triggers(run_grantor(estate, "status"))
    keys = ask_about_keys(estate, stack)
    ended = end_sessions(estate, stack)
    objects = {name: estate.list_objects(name) for name in BUCKETS}
    outputs = {
        name: [key for key in objects[name] if key.startswith("Ana/output/")] for name in BUCKETS
    }
    deleted = delete_by_sam(stack)
    return Seen(
        estate,
        stack,
        before,
        connected,
        grants,
        read,
        refused,
        new_folders,
        coexisting,
        doctor,
        rules,
        keys,
        ended,
        jobs,
        outputs,
        deleted,
        {name: estate.read_settings(name) for name in BUCKETS},
        objects,
        {name: estate.list_objects(name) for name in BUCKETS},
        account.list_resources() - things,
    )


def read_and_write(estate: Estate, bucket: str) -> bytes:
    s3 = estate.vend(f"s3://{bucket}/shared/*")
    s3.put_object(Bucket=bucket, Key="shared/by-ana.csv", Body=b"3,4")
    return bytes(s3.get_object(Bucket=bucket, Key="shared/by-ana.csv")["Body"].read())


def call_as_outsider(estate: Estate, bucket: str) -> str:
    """What somebody gets whose own policy allows all of S3."""
    iam, name = estate.account.client("iam"), f"outsider-{bucket}"
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    s3 = estate.account.sandbox.client("s3", key)
    try:
        s3.get_object(Bucket=bucket, Key="shared/first.csv")
    except s3.exceptions.ClientError as error:
        return str(error.response["Error"]["Code"])
    finally:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName=name, PolicyName="all")
        iam.delete_user(UserName=name)
    return "read"


def upload_into_team_folder(estate: Estate, stack: DeployedStack, bucket: str) -> str:
    """Upload into a folder that a rule follows; the scope of the grant that this gives."""
    rule = (
        "version: 1\nrules:\n  - name: teams\n    to: {profiles: {domain: Theirs}}\n"
        f'    on: {{each_prefix: "s3://{bucket}/teams/"}}\n    allow: READ\n'
    )
    policies = stack.read_outputs()["PolicyBucket"]
    body = rule.encode()
    estate.account.client("s3").put_object(
        Bucket=policies, Key=f"policy/teams-{bucket}.yaml", Body=body
    )
    wait_for_version(estate, stack, f"policy/teams-{bucket}.yaml")
    estate.put(bucket, "teams/blue/a.csv")
    scope = f"s3://{bucket}/teams/blue/*"
    wait_until(lambda: scope in estate.list_scopes())
    return scope


def coexist_with_others(estate: Estate, stack: DeployedStack) -> tuple[str, bool]:
    """Others register a location inside of a bucket, a rule gives something there, and they remove
    their location: at which location the grant is, and whether theirs could be removed.
    """
    control, iam = estate.account.client("s3control"), estate.account.client("iam")
    role = iam.get_role(RoleName="vending")["Role"]["Arn"]
    theirs = control.create_access_grants_location(
        AccountId=ACCOUNT, LocationScope=f"s3://{WIRED}/dzd/project/", IAMRoleArn=role
    )["AccessGrantsLocationId"]
    rule = RULES.partition("  - name: own")[0].replace("shared/*", "dzd/project/in/*")
    policies, file = stack.read_outputs()["PolicyBucket"], "policy/inside.yaml"
    body = rule.replace("BUCKET", WIRED).replace("name: shared", "name: inside").encode()
    estate.account.client("s3").put_object(Bucket=policies, Key=file, Body=body)
    scope = f"s3://{WIRED}/dzd/project/in/*"
    wait_until(lambda: scope in estate.list_scopes())
    place = next(place for place, found in estate.list_grants() if found == scope)
    control.delete_access_grants_location(AccountId=ACCOUNT, AccessGrantsLocationId=theirs)
    return ("theirs" if place == theirs else "ours"), scope in estate.list_scopes()


def examine(estate: Estate) -> dict[str, str]:
    """What `grantor doctor` says of buckets and locations that is not ok."""
    found = run_grantor(estate, "doctor")["findings"]
    kinds = ("data-location", "location-role", "bucket-events", "data-bucket", "trigger")
    return {
        f"{it['id']}: {it['what']}": it["severity"]
        for it in found
        if it["id"] in kinds and it["severity"] != "ok"
    }


def ask_about_keys(estate: Estate, stack: DeployedStack) -> dict[str, str]:
    """Whether S3 may use a key for what is vended, and nobody else, by IAM's simulator."""
    iam = estate.account.client("iam")
    role = stack.read_outputs()["LocationRoles"].split(",")[0]
    arn = iam.get_role(RoleName=role)["Role"]["Arn"]
    asked = {
        "by S3": (estate.key, "s3.us-east-1.amazonaws.com"),
        "by others": (estate.key, "sqs.us-east-1.amazonaws.com"),
        "another key": (estate.key[:-4] + "0000", "s3.us-east-1.amazonaws.com"),
    }
    answers = {}
    for name, (key, service) in asked.items():
        entry = {
            "ContextKeyName": "kms:ViaService",
            "ContextKeyType": "string",
            "ContextKeyValues": [service],
        }
        answers[name] = iam.simulate_principal_policy(
            PolicySourceArn=arn,
            ActionNames=["kms:Decrypt"],
            ResourceArns=[key],
            ContextEntries=[entry],
        )["EvaluationResults"][0]["EvalDecision"]
    return answers | {"without the policy": read_without_key_policy(estate, role)}


def read_without_key_policy(estate: Estate, role: str) -> str:
    """What a reader gets while the location's role lacks the policy that names the keys."""
    iam = estate.account.client("iam")
    listed = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    (policy,) = [it["PolicyArn"] for it in listed if "KeyAccess" in it["PolicyArn"]]
    iam.detach_role_policy(RoleName=role, PolicyArn=policy)
    s3 = estate.vend(f"s3://{KEYED}/shared/*", "READ")
    try:
        s3.get_object(Bucket=KEYED, Key="shared/by-ana.csv")
    except s3.exceptions.ClientError as error:
        return str(error.response["Error"]["Code"])
    finally:
        iam.attach_role_policy(RoleName=role, PolicyArn=policy)
    return "read"


def delete_by_sam(stack: DeployedStack) -> str:
    """Delete the stack as an administrator does, with SAM's command; what that prints."""
    sam = Sam(stack.account.sandbox, ROOT)
    return sam("delete", "--stack-name", stack.name, "--region", REGION, "--no-prompts")


def list_triggers(status: dict[str, Any]) -> list[str]:
    """The names of all triggers in a document of `grantor status`, wherever it has them."""
    holder = next(
        it for it in (status, *status.values()) if isinstance(it, dict) and "triggers" in it
    )
    return [it["name"] for it in holder["triggers"]]


def end_sessions(estate: Estate, stack: DeployedStack) -> tuple[set[str], str]:
    """End the sessions of all that was vended: the roles that deny, and what a client gets then."""
    s3 = estate.vend(f"s3://{KEYED}/shared/*", "READ")
    run_grantor(estate, "end-sessions", "--because", "a test", "--yes")
    iam, roles = estate.account.client("iam"), stack.read_outputs()["LocationRoles"].split(",")
    named = {it: iam.list_role_policies(RoleName=it)["PolicyNames"] for it in roles}
    try:
        s3.get_object(Bucket=KEYED, Key="shared/first.csv")
    except s3.exceptions.ClientError as error:
        return {it for it, own in named.items() if own}, str(error.response["Error"]["Code"])
    return {it for it, own in named.items() if own}, "read"


def run_jobs(estate: Estate) -> dict[str, str]:
    """Upload the data of a job into each bucket; the status of each job when all have ended."""
    sagemaker = estate.account.client("sagemaker")
    for bucket in BUCKETS:
        estate.put(bucket, "Ana/abalone.csv", SAMPLE)

    def list_ended() -> dict[str, str]:
        listed = sagemaker.list_processing_jobs(NameContains="grantor-")["ProcessingJobSummaries"]
        names = [it["ProcessingJobName"] for it in listed]
        described = [sagemaker.describe_processing_job(ProcessingJobName=it) for it in names]
        return {
            find_bucket(it): it["ProcessingJobStatus"]
            for it in described
            if it["ProcessingJobStatus"] not in ("InProgress", "Stopping")
        }

    end = time.monotonic() + JOB_SECONDS
    while len(ended := list_ended()) < len(BUCKETS) and time.monotonic() < end:
        time.sleep(1)
    return ended


def find_bucket(job: dict[str, Any]) -> str:
    """The bucket that a job reads."""
    words = job["AppSpecification"]["ContainerArguments"]
    return str(words[words.index("--s3_input_bucket") + 1])


def wait_for_version(estate: Estate, stack: DeployedStack, file: str) -> None:
    """Wait until a run has accepted a policy file."""
    table, key = stack.read_outputs()["Ledger"], {"pk": {"S": "policy"}, "sk": {"S": file}}
    dynamodb = estate.account.client("dynamodb")
    wait_until(lambda: "Item" in dynamodb.get_item(TableName=table, Key=key))


def test_events_are_on_and_other_notifications_are_as_they_were(seen: Seen):
    texts = {name: seen.connected[name]["notifications"] for name in BUCKETS}

    assert all("<EventBridgeConfiguration/>" in text for text in texts.values())
    assert texts[WIRED].replace("<EventBridgeConfiguration/>", "") == THEIR_NOTIFICATIONS


def test_the_statement_is_merged_into_the_policy_that_was_there(seen: Seen):
    statements = {
        name: [it["Sid"] for it in json.loads(seen.connected[name]["policy"])["Statement"]]
        for name in BUCKETS
    }
    ours = statements[KEYED][0]

    assert ours.startswith("GrantorVendedOnly")
    assert statements == {KEYED: [ours], WIRED: ["Theirs", ours], UNDER: [ours]}


def test_nothing_else_of_the_configuration_changes(seen: Seen):
    def select(settings: Settings) -> Settings:
        ours = ("notifications", "policy")
        return {
            name: {kind: text for kind, text in of.items() if kind not in ours}
            for name, of in settings.items()
        }

    assert select(seen.connected) == select(seen.before)


def test_rules_give_grants_in_each_bucket_at_its_own_or_their_location(seen: Seen):
    by_bucket = {
        name: {place for place, scope in seen.grants if scope.startswith(f"s3://{name}/")}
        for name in BUCKETS
    }

    assert {scope for _, scope in seen.grants} == list_expected(*BUCKETS)
    assert by_bucket[UNDER] == {seen.estate.location}
    assert all(len(places) == 1 for places in by_bucket.values())
    assert len(set.union(*by_bucket.values())) == 3


def test_vended_credentials_read_and_write_each_bucket_and_nothing_else_does(seen: Seen):
    assert seen.read == dict.fromkeys(BUCKETS, b"3,4")
    assert seen.refused == dict.fromkeys(BUCKETS, "AccessDenied")


def test_an_upload_to_any_bucket_reaches_the_reconciler(seen: Seen):
    assert seen.new_folders == {f"s3://{name}/teams/blue/*" for name in BUCKETS}


def test_a_grant_below_a_location_of_others_is_made_at_the_buckets_own(seen: Seen):
    """So SageMaker Unified Studio can delete its locations whenever it likes."""
    assert seen.coexisting == ("ours", True)


def test_the_doctor_finds_nothing_wrong_with_the_buckets(seen: Seen):
    assert seen.doctor == {}


def test_the_status_knows_the_rules_of_each_parameter(seen: Seen):
    groups = {name.partition(".")[0] for name in seen.rules if "." in name}

    assert groups == {"Buckets1", "Buckets2"}


def test_s3_may_use_the_buckets_key_for_what_is_vended_and_no_other_key(seen: Seen):
    assert seen.keys == {
        "by S3": "allowed",
        "by others": "implicitDeny",
        "another key": "implicitDeny",
        "without the policy": "AccessDenied",
    }


def test_end_sessions_ends_those_of_every_location(seen: Seen):
    roles, answer = seen.ended

    assert len(roles) == 2
    assert answer == "AccessDenied"


def test_a_job_runs_on_an_upload_to_any_bucket_and_publishes_there(seen: Seen):
    assert seen.jobs == dict.fromkeys(BUCKETS, "Completed")
    assert all(seen.outputs.values())


def test_after_the_deletion_each_bucket_is_as_it_was_letter_by_letter(seen: Seen):
    assert "Deleted successfully" in seen.deleted
    assert seen.after == seen.before
    assert seen.objects_after == seen.objects


def test_nothing_else_is_left(seen: Seen):
    control = seen.estate.account.client("s3control")
    listed = control.list_access_grants_locations(AccountId=ACCOUNT)["AccessGrantsLocationsList"]

    # AWS shares this one among everybody who runs jobs.
    assert seen.left == {"logs log_groups: /aws/sagemaker/ProcessingJobs"}
    assert [it["AccessGrantsLocationId"] for it in listed] == [seen.estate.location]
