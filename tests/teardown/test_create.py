"""A creation that fails at any resource rolls back completely."""

import pytest

from tests.teardown.empty_account import EmptyAccount

RESOURCES = [
    ("AccessGrantsInstance",),
    ("EmptiedBuckets",),
    ("LocationRole",),
    ("Location",),
    ("ProtectedLedger",),
    ("RevokedGrants",),
    ("ReconcileGrants",),
    ("CloseStudioRole",),
    ("Studio",),
    ("LoadedDataset",),
    ("LoadedDataset", "StartSparkJob", "Studio"),
]
NESTED = [("Vpc",), ("S3Endpoint",), ("Home",), ("Domain",), ("UserA", "UserB"), ("DeletedApps",)]


@pytest.mark.parametrize("names", RESOURCES, ids=" and ".join)
def test_a_creation_that_fails_after_this_resource_rolls_back_completely(
    account: EmptyAccount, names
):
    before, stack = account.list_resources(), account.build_stack()
    stack.fail_after(*names)

    assert stack.create() == "ROLLBACK_COMPLETE", stack.describe_failures()
    assert account.list_resources() - before == {"cloudformation stacks: grantor"}
    assert stack.delete() == "DELETE_COMPLETE"
    assert account.list_resources() == before


@pytest.mark.parametrize("names", NESTED, ids=" and ".join)
def test_a_creation_that_fails_in_the_studio_stack_rolls_back_completely(
    account: EmptyAccount, names
):
    before, stack = account.list_resources(), account.build_stack()
    stack.fail_nested_after(*names)

    assert stack.create() == "ROLLBACK_COMPLETE", stack.describe_failures()
    assert account.list_resources() - before == {"cloudformation stacks: grantor"}


def test_a_creation_whose_data_set_cannot_be_loaded_rolls_back_completely(
    account: EmptyAccount,
):
    before, stack = account.list_resources(), account.build_stack()
    account.inject_fault("s3", "PutObject", after=1, principal="grantor-LoadDataset*")

    assert stack.create() == "ROLLBACK_COMPLETE", stack.describe_failures()
    assert account.count_strikes() == [1]
    assert account.list_resources() - before == {"cloudformation stacks: grantor"}


@pytest.mark.parametrize("names", [("LoadedDataset",), ("Studio",)], ids=" and ".join)
def test_a_failed_creation_keeps_no_data_even_with_retain_data(account: EmptyAccount, names):
    before, stack = account.list_resources(), account.build_stack()
    stack.fail_after(*names)

    assert stack.create(RetainData="true") == "ROLLBACK_COMPLETE", stack.describe_failures()
    assert account.list_resources() - before == {"cloudformation stacks: grantor"}


def test_with_a_nat_gateway_studio_uses_the_private_subnets_and_everything_is_deleted(
    account: EmptyAccount,
):
    before, stack = account.list_resources(), account.build_stack()

    assert stack.create(NatGateway="true") == "CREATE_COMPLETE", stack.describe_failures()
    domain = account.client("sagemaker").describe_domain(DomainId=stack.find_physical_id("Domain"))
    [gateway] = account.client("ec2").describe_nat_gateways()["NatGateways"]
    assert (domain["AppNetworkAccessType"], gateway["SubnetId"]) == (
        "VpcOnly",
        stack.find_physical_id("PublicSubnet"),
    )
    assert domain["SubnetIds"] == [
        stack.find_physical_id("PrivateSubnetA"),
        stack.find_physical_id("PrivateSubnetB"),
    ]
    assert stack.delete() == "DELETE_COMPLETE", stack.describe_failures()
    assert account.list_resources() == before


def test_by_default_the_network_has_no_hourly_cost_and_nodes_reach_each_other(
    account: EmptyAccount,
):
    stack, ec2 = account.build_stack(), account.client("ec2")
    assert stack.create() == "CREATE_COMPLETE", stack.describe_failures()
    domain = account.client("sagemaker").describe_domain(DomainId=stack.find_physical_id("Domain"))
    nodes = stack.find_physical_id("Nodes")
    [rule] = ec2.describe_security_groups(GroupIds=[nodes])["SecurityGroups"][0]["IpPermissions"]

    assert domain["AppNetworkAccessType"] == "PublicInternetOnly"
    assert (ec2.describe_nat_gateways()["NatGateways"], ec2.describe_addresses()["Addresses"]) == (
        [],
        [],
    )
    assert [
        endpoint["VpcEndpointType"] for endpoint in ec2.describe_vpc_endpoints()["VpcEndpoints"]
    ] == ["Gateway"]
    assert ([pair["GroupId"] for pair in rule["UserIdGroupPairs"]], rule["IpProtocol"]) == (
        [nodes],
        "-1",
    )
