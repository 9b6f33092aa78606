"""What an account says of itself: quotas, locations of Lake Formation, and deleted tables."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import call_control, make_user, unique_name
from sandbox.testing.running import Sandbox

TABLE = """
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      DeletionProtectionEnabled: true
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
"""


def list_quotas(client: Any) -> dict[str, float]:
    pages = client.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    return {one["QuotaName"]: one["Value"] for page in pages for one in page["Quotas"]}


def refusal(do: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as refused:
        do(**request)
    return str(refused.value.response["Error"]["Code"])


def test_the_quota_of_an_instance_type_is_the_one_by_which_jobs_are_refused(server: Sandbox):
    client, name = server.client("service-quotas"), "ml.m5.xlarge for processing job usage"
    before = list_quotas(client)
    call_control(server, "faults", "POST", {"switches": {"job_instances_quota": 0}})
    after = list_quotas(client)
    call_control(server, "faults", "DELETE")
    [listed] = [
        one
        for page in client.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
        for one in page["Quotas"]
        if one["QuotaName"] == name
    ]
    asked = {"ServiceCode": "sagemaker", "QuotaCode": listed["QuotaCode"]}

    assert (before[name], after[name]) == (20, 0)
    assert len(before) > 100  # so a program has to read several pages
    assert client.get_service_quota(**asked)["Quota"] == listed
    assert refusal(client.get_service_quota, ServiceCode="sagemaker", QuotaCode="L-0") == (
        "NoSuchResourceException"
    )


def test_a_location_is_listed_from_its_registration_on(server: Sandbox):
    lake, arn = server.client("lakeformation"), f"arn:aws:s3:::{unique_name('lake')}"
    lake.register_resource(ResourceArn=arn, UseServiceLinkedRole=True)
    listed = [one["ResourceArn"] for one in lake.list_resources()["ResourceInfoList"]]
    again = refusal(lake.register_resource, ResourceArn=arn, UseServiceLinkedRole=True)
    lake.deregister_resource(ResourceArn=arn)

    assert (arn in listed, again) == (True, "AlreadyExistsException")
    assert arn not in json.dumps(lake.list_resources()["ResourceInfoList"])


def test_both_services_ask_iam(server: Sandbox):
    _, keys = make_user(server, {"Action": "s3:*", "Resource": "*"})

    assert [
        refusal(server.client("service-quotas", keys).list_service_quotas, ServiceCode="sagemaker"),
        refusal(server.client("lakeformation", keys).list_resources),
    ] == ["AccessDeniedException"] * 2


def test_account_and_loop_settings_of_lambda_have_actions_of_their_own(server: Sandbox):
    _, keys = make_user(
        server, {"Action": ["lambda:GetFunction", "lambda:UpdateFunctionCode"], "Resource": "*"}
    )
    functions = server.client("lambda", keys)

    assert [
        refusal(functions.get_account_settings),
        refusal(functions.get_function_recursion_config, FunctionName="f"),
        refusal(functions.put_function_recursion_config, FunctionName="f", RecursiveLoop="Allow"),
    ] == ["AccessDeniedException"] * 3


def test_a_deleted_table_with_recovery_can_be_restored_without_its_settings(server: Sandbox):
    table, name = server.client("dynamodb"), unique_name("table")
    table.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    table.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    table.put_item(TableName=name, Item={"id": {"S": "one"}})
    table.delete_table(TableName=name)
    [backup] = table.list_backups(TableName=name, BackupType="SYSTEM")["BackupSummaries"]
    table.restore_table_from_backup(TargetTableName=name, BackupArn=backup["BackupArn"])
    recovery = table.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]

    assert (backup["BackupType"], backup["BackupName"]) == ("SYSTEM", f"{name}$DeletedTableBackup")
    assert table.scan(TableName=name)["Items"] == [{"id": {"S": "one"}}]
    assert recovery["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED"


def test_a_stack_does_not_delete_a_table_that_is_protected(server: Sandbox):
    cloud, table, name = (
        server.client("cloudformation"),
        server.client("dynamodb"),
        unique_name("stack"),
    )
    cloud.create_stack(StackName=name, TemplateBody=TABLE)
    wait_for(cloud, name, "CREATE_COMPLETE")
    [physical] = [
        one["PhysicalResourceId"]
        for one in cloud.list_stack_resources(StackName=name)["StackResourceSummaries"]
    ]
    cloud.delete_stack(StackName=name)
    wait_for(cloud, name, "DELETE_FAILED")
    kept = physical in table.list_tables()["TableNames"]
    table.update_table(TableName=physical, DeletionProtectionEnabled=False)
    cloud.delete_stack(StackName=name)
    deadline = time.monotonic() + 20
    while physical in table.list_tables()["TableNames"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)

    assert kept


def wait_for(cloud: Any, name: str, status: str) -> None:
    deadline = time.monotonic() + 20
    while (is_now := cloud.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]) != status:
        assert time.monotonic() < deadline, is_now
        time.sleep(0.05)
