"""What the demo does not do: people with the stack's managed policies, and rarer calls.

`python -m iam_audit.scenarios` deploys to a sandbox of its own, runs the scenarios and deletes the
stack. People use the command line with the stack's managed policies; the rarer calls are those
for the directory, an inherited role and a large file.
"""

import json
import sys
from functools import partial
from typing import Any

from harness.deployment import (
    ARTICLE_POLICY,
    JOB_LOGS,
    Deployment,
    delete_stack,
    deploy_stack,
)
from harness.session import ROOT, open_session
from harness.steps import expect, print_lines, run_steps, step, wait_until
from sandbox.testing.inventory import list_everything

DIRECTORY_POLICY = """\
version: 1
rules:
  - name: team
    to: {directory_group: Team}
    on: s3://{data_bucket}/Product/*
    allow: READ
  - name: ana
    to: {directory_user: ana}
    on: s3://{data_bucket}/Product/*
    allow: READ
"""
TAG_POLICY = """\
version: 1
rules:
  - name: blue
    to: {profiles: {domain: Product-Domain, tags: {team: blue}}}
    on: {each_prefix: "s3://{data_bucket}/teams/"}
    allow: READ
"""
BATCH_POLICY = """\
version: 1
jobs:
  - name: daily
    run: abalone
    as: {each_profile: {domain: Product-Domain, names: [userA]}}
    on: s3://{data_bucket}/{profile.folder}/in/{day}/*.csv
    quiet: 10s
    output: s3://{data_bucket}/{profile.folder}/out/{day}/
"""
LEAST_PART_BYTES = 5 * 1024 * 1024  # AWS's minimum for a part that is not the last


def main() -> int:
    """Run the scenarios; 0 if everything was as expected."""
    return run_steps(run_scenarios)


def run_scenarios() -> None:
    """All of them. Raises ExpectationError at the first expectation that does not hold."""
    with open_session() as session:
        before = list_everything(session.client, session.account)
        people = f"arn:aws:iam::{session.account}:role/person"  # as `act_as_person` names roles
        deployment = deploy_stack(
            session,
            parameters={
                "Stewards": f"{people}-steward",
                "Approvers": f"{people}-approver",
                "Operators": f"{people}-reader*",
            },
        )
        write_policies(deployment)
        write_bounds(deployment)
        inherit_role(deployment)
        grant_to_directory(deployment)
        read_everything(deployment)
        break_glass(deployment)
        upload_large_file(deployment)
        start_batch(deployment)
        work_in_studio(deployment)
        _delete_stack(deployment, before)


def write_policies(deployment: Deployment) -> None:
    """A steward writes, reads and deletes policy files."""
    with (
        step("A steward, with only the policy for stewards, writes policy files"),
        deployment.act_as_person("ana", "Steward") as ana,
    ):
        s3, bucket = ana.client("s3"), {"Bucket": deployment.policy_bucket}
        slip = bucket | {"Key": "policy/slip.yaml"}
        article = (ROOT / ARTICLE_POLICY).read_bytes()
        s3.put_object(**bucket, Key=ARTICLE_POLICY, Body=article)
        s3.put_object(**bucket, Key="policy/tagged.yaml", Body=TAG_POLICY.encode())
        version = s3.put_object(**slip, Body=b"version: 1\n")["VersionId"]
        s3.get_object(**slip)
        s3.get_object(**slip, VersionId=version)
        s3.delete_object(**slip)
        keys = [it["Key"] for it in s3.list_objects_v2(**bucket)["Contents"]]
        expect("they are in the bucket", [ARTICLE_POLICY, "policy/tagged.yaml"], keys)
        grants = deployment.list_grants
        wait_until("the grants are the article's four", 4, lambda: len(grants()))


def inherit_role(deployment: Deployment) -> None:
    """Profiles without a role of their own share their domain's, which is refused."""
    with step("Two profiles have their execution role from their domain"):
        studio = deployment.session.client("sagemaker")
        domain = {"DomainId": deployment.find_domain_id()}
        profiles = [domain | {"UserProfileName": name} for name in ("userD", "userE")]
        arns = [studio.create_user_profile(**it)["UserProfileArn"] for it in profiles]
        studio.add_tags(ResourceArn=arns[0], Tags=[{"Key": "team", "Value": "blue"}])
        deployment.upload_files("teams/blue/plan.csv")
        wait_until(
            "they share a role, which is refused",
            True,
            lambda: any("userD" in warning for warning in deployment.read_warnings()),
        )
        for profile in profiles:
            wait_until("it is in service", "InService", partial(_read_status, studio, profile))
            studio.delete_user_profile(**profile)
        article = deployment.expected_grants("userA", "Product", "UserA")
        article |= deployment.expected_grants("userB", "Product", "UserB")
        wait_until("the grants are the article's again", article, deployment.list_grants)


def start_batch(deployment: Deployment) -> None:
    """Two files that arrive together start one run, which is stopped."""
    with step("Two files of one day arrive, and are one run"):
        studio = deployment.session.client("sagemaker")
        earlier = count_runs(deployment)
        deployment.put_policy("policy/daily.yaml", BATCH_POLICY.encode())
        wait_until("a run has read the file", True, lambda: count_runs(deployment) > earlier)
        deployment.upload_files("UserA/in/1/a.csv", "UserA/in/1/b.csv")

        def list_started() -> list[str]:
            found = studio.list_processing_jobs(NameContains="grantor-daily")
            return [job["ProcessingJobName"] for job in found["ProcessingJobSummaries"]]

        wait_until("one job has started", 1, lambda: len(list_started()))
        (name,) = list_started()
        studio.stop_processing_job(ProcessingJobName=name)
        ends = ("Stopped", "Failed", "Completed")
        wait_until("it has ended", True, lambda: _read_job_status(studio, name) in ends)
        deployment.delete_policy("policy/daily.yaml")


def work_in_studio(deployment: Deployment) -> None:
    """A user opens Studio, works in a space, starts a job by hand and stops everything."""
    with step("A user works in Studio, as the profile's role"):
        hers = deployment.session.as_profile("userA")
        studio, domain = hers.client("sagemaker"), deployment.find_domain_id()
        space = {"DomainId": domain, "SpaceName": "desk"}
        app = space | {"AppType": "JupyterLab", "AppName": "default"}
        owner = {"OwnerUserProfileName": "userA"}
        private = {"SpaceSharingSettings": {"SharingType": "Private"}}
        studio.create_space(**space, OwnershipSettings=owner, **private)
        wait_until("the space is in service", "InService", partial(_read_space, studio, space))
        studio.create_app(**app)
        wait_until("its app runs", "InService", lambda: studio.describe_app(**app)["Status"])
        studio.create_presigned_domain_url(DomainId=domain, UserProfileName="userA")
        studio.describe_domain(DomainId=domain)
        found = studio.describe_user_profile(DomainId=domain, UserProfileName="userA")
        for pages in ("list_domains", "list_user_profiles", "list_spaces", "list_apps"):
            getattr(studio, pages)()
        role = found["UserSettings"]["ExecutionRole"]
        _start_job(deployment, studio, hers.client("s3"), role)
        studio.delete_app(**app)
        wait_until("the app is gone", "Deleted", lambda: studio.describe_app(**app)["Status"])
        studio.update_space(**space, SpaceDisplayName="My desk")
        wait_until("the space is in service", "InService", partial(_read_space, studio, space))
        studio.delete_space(**space)


def _start_job(deployment: Deployment, studio: Any, s3: Any, role: str) -> None:
    """Start a job as the role itself, with a program in the role's own folder."""
    own, job = f"runs/{role.rpartition('/')[2]}/", "spark-preprocess-job-by-hand"
    place = {"Bucket": deployment.outputs["OperationsBucket"], "Key": f"{own}{job}/code.py"}
    s3.put_object(**place, Body=b"")
    s3.list_objects_v2(Bucket=place["Bucket"], Prefix=own)
    s3.get_object(**place)
    cluster = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1}
    studio.create_processing_job(
        ProcessingJobName=job,
        RoleArn=role,
        ProcessingResources={"ClusterConfig": cluster},
        AppSpecification={"ImageUri": "image", "ContainerEntrypoint": ["true"]},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
        Tags=[{"Key": "team", "Value": "blue"}],
    )
    wait_until("the job has ended", "Completed", partial(_read_job_status, studio, job))


def _read_space(studio: Any, space: dict[str, str]) -> str:
    return str(studio.describe_space(**space)["Status"])


def _read_job_status(studio: Any, job: str) -> str:
    described = studio.describe_processing_job(ProcessingJobName=job)
    return str(described["ProcessingJobStatus"])


def _read_status(studio: Any, profile: dict[str, str]) -> str:
    return str(studio.describe_user_profile(**profile)["Status"])


def write_bounds(deployment: Deployment) -> None:
    """An approver writes, reads and deletes the bounds file."""
    with (
        step("An approver, with only the policy for approvers, writes the bounds file"),
        deployment.act_as_person("eva", "Approver") as eva,
    ):
        s3 = eva.client("s3")
        bounds = {"Bucket": deployment.policy_bucket, "Key": "bounds/bounds.yaml"}
        wait_until("no run is due", 0, lambda: deployment.count_messages("EventQueue"))
        earlier = count_runs(deployment)
        version = s3.put_object(**bounds, Body=b"version: 1\n")["VersionId"]
        s3.get_object(**bounds)
        s3.get_object(**bounds, VersionId=version)
        wait_until("a run has read it", True, lambda: count_runs(deployment) > earlier)
        s3.delete_object(**bounds)
        found = s3.list_objects_v2(Bucket=deployment.policy_bucket, Prefix="bounds/")
        expect("it is gone again", 0, found["KeyCount"])


def count_runs(deployment: Deployment) -> int:
    """How many invocations of the reconciler have finished their runs, by its log."""
    records = deployment.read_log(deployment.outputs["ReconcileGrants"])
    return sum(record.get("message") == "runs finished" for record in records)


def grant_to_directory(deployment: Deployment) -> None:
    """A user and a group of IAM Identity Center get grants, and lose them with the file."""
    with step("A group and a user of IAM Identity Center get grants"):
        session = deployment.session
        control, account = session.client("s3control"), {"AccountId": session.account}
        directory = session.client("identitystore")
        instance = session.client("sso-admin").list_instances()["Instances"][0]
        store = {"IdentityStoreId": instance["IdentityStoreId"]}
        control.associate_access_grants_identity_center(
            **account, IdentityCenterArn=instance["InstanceArn"]
        )
        name = {"GivenName": "Ana", "FamilyName": "A"}
        created = directory.create_user(**store, UserName="ana", DisplayName="Ana", Name=name)
        user = created["UserId"]
        team = directory.create_group(**store, DisplayName="Team")["GroupId"]

        def find_grantees() -> set[str]:
            return {row[0] for row in deployment.list_grants()} & {user, team}

        deployment.put_policy("policy/directory.yaml", DIRECTORY_POLICY.encode())
        wait_until("both have their grant", {user, team}, find_grantees)
        with deployment.act_as_person("eva", "Reader") as eva:
            eva.run_grantor("plan", "--expect-no-changes")
            print_lines("✓ and a reader sees no change")
        deployment.delete_policy("policy/directory.yaml")
        wait_until("they are gone with the file", set[str](), find_grantees)
        directory.delete_user(**store, UserId=user)
        directory.delete_group(**store, GroupId=team)
        control.dissociate_access_grants_identity_center(**account)


def read_everything(deployment: Deployment) -> None:
    """A reader runs each command that only reads."""
    with (
        step("A reader, with only the policy for readers, looks at everything"),
        deployment.act_as_person("eva", "Reader") as eva,
    ):
        for command in ("plan", "status", "history", "jobs"):
            expect(f"grantor {command} answers", True, bool(eva.run_grantor(command)))
    with (
        step("With the policy for the doctor, a reader looks for what would go wrong"),
        deployment.act_as_person("eva", "Reader", "Doctor") as eva,
    ):
        found = json.loads(eva.run_grantor("doctor", "--json"))["counts"]
        expect(
            "nothing has failed, and nothing is unread",
            (0, 0),
            (found["failure"], found["unknown"]),
        )


def break_glass(deployment: Deployment) -> None:
    """With the policy for emergencies, messages are sent again and a run is made by hand."""
    with (
        step("Somebody breaks the glass: dead letters are sent again, and a run by hand"),
        deployment.act_as_person("eva", "Reader", "BreakGlass") as eva,
    ):
        sqs = deployment.session.client("sqs")
        event = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
        for queue in ("EventDLQ", "UploadDLQ"):
            sqs.send_message(QueueUrl=deployment.outputs[queue], MessageBody=json.dumps(event))
        sent = json.loads(eva.run_grantor("redrive", "--json"))
        counts = [sent[name]["events"] for name in ("event", "upload")]
        expect("both are sent again", [1, 1], counts)
        because = ("--because", "a test")
        eva.run_grantor("end-sessions", *because, "--yes")
        expect("status says so", True, "needed until" in eva.run_grantor("status"))
        eva.run_grantor("end-sessions", "--undo", *because)
        printed = eva.run_grantor("apply", "--wait")
        expect("a run by hand has nothing to change", True, "created" not in printed)


def upload_large_file(deployment: Deployment) -> None:
    """userA uploads in parts, reads a version, and deletes it, with credentials of a grant."""
    with step("userA uploads a large file in parts, reads versions, and deletes one"):
        session, account = deployment.session, {"AccountId": deployment.session.account}
        own = session.as_profile("userA").client("s3control")
        grants = own.list_caller_access_grants(**account)["CallerAccessGrantsList"]
        expect("it sees its grants", True, bool(grants))
        target = f"s3://{deployment.data_bucket}/UserA/*"
        access = own.get_data_access(**account, Target=target, Permission="READWRITE")
        s3 = session.client("s3", access["Credentials"])
        large = {"Bucket": deployment.data_bucket, "Key": "UserA/large.bin"}
        upload = large | {"UploadId": s3.create_multipart_upload(**large)["UploadId"]}
        s3.upload_part(**upload, PartNumber=1, Body=bytes(LEAST_PART_BYTES))
        s3.list_parts(**upload)
        s3.abort_multipart_upload(**upload)
        version = s3.put_object(**large, Body=b"1,2")["VersionId"]
        s3.get_object(**large, VersionId=version)
        s3.get_object_acl(**large)
        s3.delete_object(**large)


def _delete_stack(deployment: Deployment, before: frozenset[str]) -> None:
    with step("The platform engineer deletes the stack: sam delete"):
        session = deployment.session
        delete_stack(session)
        new = list_everything(session.client, session.account) - before
        kept = ("aws-sam-cli", JOB_LOGS)  # SageMaker keeps the logs of jobs
        left = sorted(it for it in new if not any(name in it for name in kept))
        expect("nothing but SAM's own bucket and the logs of jobs is left", [], left)


if __name__ == "__main__":
    sys.exit(main())
