"""Scenes that the demo has not: people with the stack's managed policies at the command line, the directory, an inherited role, a large file.

`python -m privilege.scenes` plays them on a sandbox of its own: deploy, scenes, leave.
"""

import json
import sys

from demo.__main__ import free_port
from demo.cast import POLICY, STACK, Cast
from demo.desk import ROOT, Desk
from demo.inventory import inventory
from demo.stack import deploy
from demo.stage import end, eventually, expect, step

DIRECTORY = """\
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
TAGGED = """\
version: 1
rules:
  - name: blue
    to: {profiles: {domain: Product-Domain, tags: {team: blue}}}
    on: {each_prefix: "s3://{data_bucket}/teams/"}
    allow: READ
"""
PART = 5 * 1024 * 1024  # bytes, the least that S3 takes for a part that is not the last


def main() -> int:
    """0 if everything was as expected."""
    return end(_play)


def _play() -> None:
    desk = Desk.up(free_port())
    try:
        before = inventory(desk.client, desk.account)
        cast = deploy(desk, None)
        steward(cast)
        inherited(cast)
        directory(cast)
        reader(cast)
        emergency(cast)
        large_file(cast)
        _leave(cast, before)
    finally:
        desk.down()


def steward(cast: Cast) -> None:
    with step("A steward, who has the policy for stewards alone, writes policy files"), cast.person("ana", "Steward") as ana:
        s3, bucket = ana.client("s3"), cast.outputs["PolicyBucket"]
        s3.put_object(Bucket=bucket, Key=POLICY, Body=(ROOT / POLICY).read_bytes())
        s3.put_object(Bucket=bucket, Key="policy/tagged.yaml", Body=TAGGED.encode())
        version = s3.put_object(Bucket=bucket, Key="policy/slip.yaml", Body=b"version: 1\n")["VersionId"]
        s3.get_object(Bucket=bucket, Key="policy/slip.yaml")
        s3.get_object(Bucket=bucket, Key="policy/slip.yaml", VersionId=version)
        s3.delete_object(Bucket=bucket, Key="policy/slip.yaml")
        listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
        expect("they stand there", [POLICY, "policy/tagged.yaml"], [it["Key"] for it in listed])
        eventually("the grants are the article's four", 4, lambda: len(cast.grants()))


def inherited(cast: Cast) -> None:
    with step("A profile has its execution role from its domain"):
        studio = cast.desk.client("sagemaker")
        arn = studio.create_user_profile(DomainId=cast.domain(), UserProfileName="userD")["UserProfileArn"]
        studio.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "blue"}])
        cast.upload("teams/blue/plan.csv")
        eventually("it shares a role, which is refused", True, lambda: any("userD" in said for said in cast.complaints()))
        profile = {"DomainId": cast.domain(), "UserProfileName": "userD"}
        eventually("it has settled", "InService", lambda: studio.describe_user_profile(**profile)["Status"])
        studio.delete_user_profile(**profile)
        article = cast.granted("userA", "Product", "UserA") | cast.granted("userB", "Product", "UserB")
        eventually("the grants are the article's again", article, cast.grants)


def directory(cast: Cast) -> None:
    with step("A group and a person of IAM Identity Center are granted"):
        instance = cast.desk.client("sso-admin").list_instances()["Instances"][0]
        found, store = instance["InstanceArn"], instance["IdentityStoreId"]
        control, people = cast.desk.client("s3control"), cast.desk.client("identitystore")
        control.associate_access_grants_identity_center(AccountId=cast.desk.account, IdentityCenterArn=found)
        name = {"GivenName": "Ana", "FamilyName": "A"}
        ana = people.create_user(IdentityStoreId=store, UserName="ana", DisplayName="Ana", Name=name)["UserId"]
        team = people.create_group(IdentityStoreId=store, DisplayName="Team")["GroupId"]
        cast.put_policy("policy/directory.yaml", DIRECTORY.encode())
        eventually("both have their grant", {ana, team}, lambda: {row[0] for row in cast.grants()} & {ana, team})
        with cast.person("eva", "Reader") as eva:
            expect("and a reader sees no change", [], json.loads(eva.grantor("plan", "--json"))["create"])
        cast.delete_policy("policy/directory.yaml")
        eventually("they are gone with the file", 0, lambda: len({row[0] for row in cast.grants()} & {ana, team}))
        people.delete_user(IdentityStoreId=store, UserId=ana)
        people.delete_group(IdentityStoreId=store, GroupId=team)
        control.dissociate_access_grants_identity_center(AccountId=cast.desk.account)


def reader(cast: Cast) -> None:
    with step("A reader, who has the policy for readers alone, looks at everything"), cast.person("eva", "Reader") as eva:
        for verb in ("plan", "status", "history", "jobs"):
            expect(f"grantor {verb} answers", True, bool(eva.grantor(verb)))


def emergency(cast: Cast) -> None:
    with (
        step("Somebody breaks the glass: dead letters ring again, and a run by hand"),
        cast.person("eva", "Reader", "BreakGlass") as eva,
    ):
        sqs, event = cast.desk.client("sqs"), {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
        for queue in ("DeadBells", "DeadUploads"):
            sqs.send_message(QueueUrl=cast.outputs[queue], MessageBody=json.dumps(event))
        told = json.loads(eva.grantor("redrive", "--json"))
        expect("both ring again", [1, 1], [told[name]["events"] for name in ("bells", "uploads")])
        expect("a run by hand has nothing to change", True, "created" not in eva.grantor("apply", "--wait"))


def large_file(cast: Cast) -> None:
    with step("userA sends a large file in parts, lists versions, and deletes one"):
        own = cast.desk.notebook("userA").client("s3control")
        expect(
            "it knows its grants",
            True,
            bool(own.list_caller_access_grants(AccountId=cast.desk.account)["CallerAccessGrantsList"]),
        )
        where = f"s3://{cast.data}/UserA/*"
        given = own.get_data_access(AccountId=cast.desk.account, Target=where, Permission="READWRITE")["Credentials"]
        s3, large = cast.desk.client("s3", given), {"Bucket": cast.data, "Key": "UserA/large.bin"}
        upload = s3.create_multipart_upload(**large)["UploadId"]
        s3.upload_part(**large, UploadId=upload, PartNumber=1, Body=bytes(PART))
        s3.list_parts(**large, UploadId=upload)
        s3.abort_multipart_upload(**large, UploadId=upload)
        version = s3.put_object(**large, Body=b"1,2")["VersionId"]
        s3.get_object(**large, VersionId=version)
        s3.get_object_acl(**large)
        s3.delete_object(**large)


def _leave(cast: Cast, before: frozenset[str]) -> None:
    with step("The platform engineer leaves: sam delete"):
        cast.desk.sam("delete", "--stack-name", STACK, "--no-prompts")
        left = sorted(it for it in inventory(cast.desk.client, cast.desk.account) - before if "aws-sam-cli" not in it)
        expect("nothing but SAM's own bucket is left", [], left)


if __name__ == "__main__":
    sys.exit(main())
