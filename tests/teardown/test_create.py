"""A creation that fails, wherever it does, takes back all that it made."""

import pytest

from tests.teardown.stage import Stage

PLACES = [
    ("AccessGrantsInstance",), ("EmptiedBuckets",), ("LocationRole",), ("Location",), ("RevokedGrants",), ("ReconcileGrants",),
    ("CloseStudioRole",), ("Studio",), ("LoadedDataset",), ("LoadedDataset", "StartSparkJob", "Studio"),
]  # fmt: skip
NESTED = [("Vpc",), ("S3Endpoint",), ("Home",), ("Domain",), ("UserA", "UserB"), ("DeletedApps",)]


@pytest.mark.parametrize("names", PLACES, ids=" and ".join)
def test_a_creation_that_fails_after_these_rolls_back_to_nothing(stage: Stage, names):
    before, stack = stage.things(), stage.stack()
    stack.broken_after(*names)

    assert stack.create() == "ROLLBACK_COMPLETE", stack.why()
    assert stage.things() - before == {"cloudformation stacks: grantor"}
    assert stack.delete() == "DELETE_COMPLETE"
    assert stage.things() == before


@pytest.mark.parametrize("names", NESTED, ids=" and ".join)
def test_a_creation_that_fails_in_the_studio_environment_rolls_back_to_nothing(stage: Stage, names):
    before, stack = stage.things(), stage.stack()
    stack.nested_broken_after(*names)

    assert stack.create() == "ROLLBACK_COMPLETE", stack.why()
    assert stage.things() - before == {"cloudformation stacks: grantor"}


def test_a_data_set_that_cannot_be_loaded_fails_the_creation_which_rolls_back_to_nothing(
    stage: Stage,
):
    before, stack = stage.things(), stage.stack()
    stage.fault("s3", "PutObject", after=1, principal="grantor-LoadDataset*")

    assert stack.create() == "ROLLBACK_COMPLETE", stack.why()
    assert stage.struck() == [1]
    assert stage.things() - before == {"cloudformation stacks: grantor"}


@pytest.mark.parametrize("names", [("LoadedDataset",), ("Studio",)], ids=" and ".join)
def test_a_creation_that_fails_keeps_no_data_even_where_data_is_to_stay(stage: Stage, names):
    before, stack = stage.things(), stage.stack()
    stack.broken_after(*names)

    assert stack.create(RetainData="true") == "ROLLBACK_COMPLETE", stack.why()
    assert stage.things() - before == {"cloudformation stacks: grantor"}


def test_with_a_nat_gateway_people_work_in_the_private_subnets_and_it_goes_with_the_rest(
    stage: Stage,
):
    before, stack = stage.things(), stage.stack()

    assert stack.create(NatGateway="true") == "CREATE_COMPLETE", stack.why()
    domain = stage.client("sagemaker").describe_domain(DomainId=stack.physical("Domain"))
    [gateway] = stage.client("ec2").describe_nat_gateways()["NatGateways"]
    assert (domain["AppNetworkAccessType"], gateway["SubnetId"]) == (
        "VpcOnly",
        stack.physical("PublicSubnet"),
    )
    assert domain["SubnetIds"] == [
        stack.physical("PrivateSubnetA"),
        stack.physical("PrivateSubnetB"),
    ]
    assert stack.delete() == "DELETE_COMPLETE", stack.why()
    assert stage.things() == before


def test_by_default_nothing_of_the_network_costs_by_the_hour_and_nodes_reach_each_other(
    stage: Stage,
):
    stack, ec2 = stage.stack(), stage.client("ec2")
    assert stack.create() == "CREATE_COMPLETE", stack.why()
    domain = stage.client("sagemaker").describe_domain(DomainId=stack.physical("Domain"))
    nodes = stack.physical("Nodes")
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
