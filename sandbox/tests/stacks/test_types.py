"""The types and properties that the sandbox adds to its server work for real.

Each is read back through the service's own API.
"""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.running import ACCOUNT

ROLE = """
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: {Service: [access-grants.s3.amazonaws.com, sagemaker.amazonaws.com, lambda.amazonaws.com]}
            Action: ["sts:AssumeRole", "sts:SetSourceIdentity"]
"""
GRANTS = f"""
Resources:
{ROLE}
  Data: {{Type: AWS::S3::Bucket, Properties: {{BucketName: data}}}}
  Instance: {{Type: AWS::S3::AccessGrantsInstance, Properties: {{Tags: [{{Key: team, Value: data}}]}}}}
  Location:
    Type: AWS::S3::AccessGrantsLocation
    DependsOn: Instance
    Properties: {{LocationScope: !Sub "s3://${{Data}}/", IamRoleArn: !GetAtt Role.Arn}}
  Grant:
    Type: AWS::S3::AccessGrant
    Properties:
      AccessGrantsLocationId: !Ref Location
      AccessGrantsLocationConfiguration: {{S3SubPrefix: Product/*}}
      Permission: READ
      Grantee: {{GranteeType: IAM, GranteeIdentifier: !GetAtt Role.Arn}}
Outputs:
  Instance: {{Value: !Ref Instance}}
  InstanceId: {{Value: !GetAtt Instance.AccessGrantsInstanceId}}
  Location: {{Value: !GetAtt Location.AccessGrantsLocationArn}}
  Grant: {{Value: !GetAtt Grant.AccessGrantArn}}
  Scope: {{Value: !GetAtt Grant.GrantScope}}
"""


def grants(stacks: Any) -> list[tuple[str, str, str]]:
    """Permission, scope and ARN of each grant."""
    listed = stacks.client("s3control").list_access_grants(AccountId=ACCOUNT)["AccessGrantsList"]
    return [(grant["Permission"], grant["GrantScope"], grant["AccessGrantArn"]) for grant in listed]


def test_instance_location_and_grant_are_the_services_own(stacks):
    control = stacks.client("s3control")
    before = stacks.things()

    assert stacks.create("grants", GRANTS) == "CREATE_COMPLETE", stacks.why("grants")
    reported = stacks.outputs("grants")
    instance = control.get_access_grants_instance(AccountId=ACCOUNT)
    location = control.list_access_grants_locations(AccountId=ACCOUNT)["AccessGrantsLocationsList"][
        0
    ]
    assert (reported["Instance"], reported["InstanceId"]) == (
        instance["AccessGrantsInstanceArn"],
        instance["AccessGrantsInstanceId"],
    )
    assert (location["LocationScope"], location["AccessGrantsLocationArn"]) == (
        "s3://data/",
        reported["Location"],
    )
    assert grants(stacks) == [("READ", "s3://data/Product/*", reported["Grant"])]
    assert reported["Scope"] == "s3://data/Product/*"
    tags = control.list_tags_for_resource(AccountId=ACCOUNT, ResourceArn=reported["Instance"])[
        "Tags"
    ]
    assert tags == [{"Key": "team", "Value": "data"}]
    assert stacks.delete("grants") == "DELETE_COMPLETE"
    assert stacks.things() == before


def test_a_grant_that_changes_is_another_grant(stacks):
    stacks.create("grants", GRANTS)
    first = stacks.outputs("grants")["Grant"]

    assert (
        stacks.update("grants", GRANTS.replace("Permission: READ", "Permission: READWRITE"))
        == "UPDATE_COMPLETE"
    )
    second = stacks.outputs("grants")["Grant"]
    assert grants(stacks) == [("READWRITE", "s3://data/Product/*", second)]
    assert first != second


def test_a_locations_role_changes_in_place_and_its_grants_stay(stacks):
    stacks.create("grants", GRANTS)
    ids = stacks.physical("grants")
    other = ROLE.replace("Role:", "Other:", 1)

    status = stacks.update(
        "grants",
        GRANTS.replace(ROLE, ROLE + other).replace(
            "IamRoleArn: !GetAtt Role", "IamRoleArn: !GetAtt Other"
        ),
    )

    assert status == "UPDATE_COMPLETE", stacks.why("grants")
    location = stacks.client("s3control").list_access_grants_locations(AccountId=ACCOUNT)[
        "AccessGrantsLocationsList"
    ][0]
    assert location["IAMRoleArn"].endswith("/" + stacks.physical("grants")["Other"])
    assert ids.items() < stacks.physical("grants").items()


def test_a_second_instance_in_another_stack_fails_as_the_service_says_and_the_first_stays(stacks):
    stacks.create("first", GRANTS)
    before = stacks.things()

    status = stacks.create(
        "second",
        "Resources: "
        "{EventQueue: {Type: AWS::SQS::Queue}, Instance: {Type: AWS::S3::AccessGrantsInstance}}",
    )

    assert (status, list(stacks.why("second"))) == ("ROLLBACK_COMPLETE", ["Instance"])
    assert "AccessGrantsInstanceAlreadyExists" in stacks.why("second")["Instance"]
    assert stacks.things() - before == {"cloudformation stacks: second"}


def test_a_location_with_a_grant_that_is_not_the_stacks_keeps_its_stack(stacks):
    stacks.create("grants", GRANTS)
    control, ids = stacks.client("s3control"), stacks.physical("grants")
    foreign = control.create_access_grant(
        AccountId=ACCOUNT,
        AccessGrantsLocationId=ids["Location"],
        AccessGrantsLocationConfiguration={"S3SubPrefix": "Other/*"},
        Grantee={
            "GranteeType": "IAM",
            "GranteeIdentifier": f"arn:aws:iam::{ACCOUNT}:role/{ids['Role']}",
        },
        Permission="READ",
    )["AccessGrantId"]

    assert stacks.delete("grants") == "DELETE_FAILED"
    assert "AccessGrantsLocationNotEmptyError" in stacks.why("grants")["Location"]
    control.delete_access_grant(AccountId=ACCOUNT, AccessGrantId=foreign)
    assert stacks.delete("grants") == "DELETE_COMPLETE"


STUDIO = f"""
Resources:
{ROLE}
  Vpc: {{Type: AWS::EC2::VPC, Properties: {{CidrBlock: 10.0.0.0/16}}}}
  Subnet: {{Type: AWS::EC2::Subnet, Properties: {{VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/20}}}}
  Domain:
    Type: AWS::SageMaker::Domain
    Properties:
      DomainName: Product-Domain
      AuthMode: IAM
      VpcId: !Ref Vpc
      SubnetIds: [!Ref Subnet]
      DefaultUserSettings: {{ExecutionRole: !GetAtt Role.Arn}}
      Tags: [{{Key: team, Value: data}}, {{Key: stage, Value: test}}]
  Profile:
    Type: AWS::SageMaker::UserProfile
    Properties:
      DomainId: !Ref Domain
      UserProfileName: userA
      UserSettings: {{ExecutionRole: !GetAtt Role.Arn}}
Outputs:
  Domain: {{Value: !Ref Domain}}
  DomainArn: {{Value: !GetAtt Domain.DomainArn}}
  ProfileArn: {{Value: !GetAtt Profile.UserProfileArn}}
"""


def test_a_domain_and_its_profile_are_in_service_when_their_stack_is(stacks):
    studio = stacks.client("sagemaker")
    before = stacks.things()

    assert stacks.create("studio", STUDIO) == "CREATE_COMPLETE", stacks.why("studio")
    reported = stacks.outputs("studio")
    domain = studio.describe_domain(DomainId=reported["Domain"])
    profile = studio.describe_user_profile(DomainId=reported["Domain"], UserProfileName="userA")
    assert (domain["DomainArn"], domain["DomainName"], domain["Status"]) == (
        reported["DomainArn"],
        "Product-Domain",
        "InService",
    )
    assert (profile["UserProfileArn"], profile["Status"]) == (reported["ProfileArn"], "InService")
    assert stacks.delete("studio") == "DELETE_FAILED"
    leave_home(stacks, domain["HomeEfsFileSystemId"])
    assert stacks.delete("studio") == "DELETE_COMPLETE"
    assert stacks.things() == before


def leave_home(stacks: Any, files: str) -> None:
    """Delete what SageMaker makes with a domain, which CloudFormation leaves."""
    efs, ec2 = stacks.client("efs"), stacks.client("ec2")
    for target in efs.describe_mount_targets(FileSystemId=files)["MountTargets"]:
        efs.delete_mount_target(MountTargetId=target["MountTargetId"])
    efs.delete_file_system(FileSystemId=files)
    wanted = [{"Name": "group-name", "Values": nfs_groups(stacks)}]
    groups = {
        group["GroupId"] for group in ec2.describe_security_groups(Filters=wanted)["SecurityGroups"]
    }
    for rule in ec2.describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": sorted(groups)}]
    )["SecurityGroupRules"]:
        revoke = (
            ec2.revoke_security_group_egress
            if rule["IsEgress"]
            else ec2.revoke_security_group_ingress
        )
        revoke(GroupId=rule["GroupId"], SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
    for group in groups:
        ec2.delete_security_group(GroupId=group)


def nfs_groups(stacks: Any) -> list[str]:
    listed = stacks.client("ec2").describe_security_groups()["SecurityGroups"]
    return sorted(group["GroupName"] for group in listed if "-nfs-d-" in group["GroupName"])


def test_what_sagemaker_makes_with_a_domain_keeps_its_network_until_it_is_deleted(stacks):
    stacks.create("studio", STUDIO)
    domain, subnet = (stacks.physical("studio")[name] for name in ("Domain", "Subnet"))
    files = stacks.client("sagemaker").describe_domain(DomainId=domain)["HomeEfsFileSystemId"]

    stacks.delete("studio")

    assert stacks.why("studio").keys() == {"Subnet"}
    assert (
        f"The subnet '{subnet}' has dependencies and cannot be deleted."
        in stacks.why("studio")["Subnet"]
    )
    assert nfs_groups(stacks) == [
        f"security-group-for-inbound-nfs-{domain}",
        f"security-group-for-outbound-nfs-{domain}",
    ]
    ec2 = stacks.client("ec2")
    group = ec2.describe_security_groups(
        Filters=[{"Name": "group-name", "Values": nfs_groups(stacks)}]
    )["SecurityGroups"][0]
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_security_group(GroupId=group["GroupId"])
    with pytest.raises(ClientError, match="FileSystemInUse"):
        stacks.client("efs").delete_file_system(FileSystemId=files)


PARTS = """
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  Subnet: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/20}}
  Gateway: {Type: AWS::EC2::InternetGateway}
  Attached: {Type: AWS::EC2::VPCGatewayAttachment, Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref Gateway}}
  Address: {Type: AWS::EC2::EIP, DependsOn: Attached, Properties: {Domain: vpc}}
  Nat: {Type: AWS::EC2::NatGateway, Properties: {SubnetId: !Ref Subnet, AllocationId: !GetAtt Address.AllocationId}}
  Routes: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  Used: {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {SubnetId: !Ref Subnet, RouteTableId: !Ref Routes}}
  Nodes: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: nodes, VpcId: !Ref Vpc}}
  Inside: {Type: AWS::EC2::SecurityGroupIngress, Properties: {GroupId: !Ref Nodes, IpProtocol: "-1", SourceSecurityGroupId: !Ref Nodes}}
Outputs:
  Allocation: {Value: !GetAtt Address.AllocationId}
"""


@pytest.mark.parametrize(
    ("operation", "member", "name"),
    [
        ("delete_vpc", "VpcId", "Vpc"),
        ("delete_subnet", "SubnetId", "Subnet"),
        ("delete_internet_gateway", "InternetGatewayId", "Gateway"),
        ("delete_route_table", "RouteTableId", "Routes"),
    ],
    ids=["network", "subnet", "gateway", "routes"],
)
def test_a_part_of_a_network_that_is_in_use_cannot_be_deleted(stacks, operation, member, name):
    stacks.create("network", PARTS)

    with pytest.raises(ClientError, match="DependencyViolation"):
        getattr(stacks.client("ec2"), operation)(**{member: stacks.physical("network")[name]})


def test_an_address_of_a_nat_gateway_keeps_itself_and_the_way_out(stacks):
    stacks.create("network", PARTS)
    ec2, ids = stacks.client("ec2"), stacks.physical("network")

    with pytest.raises(ClientError, match="mapped public address"):
        ec2.detach_internet_gateway(InternetGatewayId=ids["Gateway"], VpcId=ids["Vpc"])
    with pytest.raises(ClientError, match=r"InvalidIPAddress\.InUse"):
        ec2.release_address(AllocationId=stacks.outputs("network")["Allocation"])


def test_a_group_may_admit_itself_and_is_deleted_with_its_network(stacks):
    before = stacks.things()
    assert stacks.create("network", PARTS) == "CREATE_COMPLETE", stacks.why("network")
    group = stacks.physical("network")["Nodes"]
    described = stacks.client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"][0]

    assert [
        pair["GroupId"] for rule in described["IpPermissions"] for pair in rule["UserIdGroupPairs"]
    ] == [group]
    assert stacks.delete("network") == "DELETE_COMPLETE", stacks.why("network")
    assert stacks.things() == before


def test_a_domain_takes_new_tags_and_settings_and_stays_the_same(stacks):
    stacks.create("studio", STUDIO)
    ids = stacks.physical("studio")
    changed = STUDIO.replace("Value: data}, {Key: stage, Value: test}", "Value: product}").replace(
        "AuthMode: IAM", "AuthMode: IAM\n      AppNetworkAccessType: VpcOnly"
    )

    assert stacks.update("studio", changed) == "UPDATE_COMPLETE", stacks.why("studio")
    studio, arn = stacks.client("sagemaker"), stacks.outputs("studio")["DomainArn"]
    assert studio.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "product"}]
    assert studio.describe_domain(DomainId=ids["Domain"])["AppNetworkAccessType"] == "VpcOnly"
    assert stacks.physical("studio") == ids


def test_a_domain_of_another_name_is_another_domain_and_its_profile_follows(stacks):
    stacks.create("studio", STUDIO)
    ids = stacks.physical("studio")

    assert (
        stacks.update("studio", STUDIO.replace("Product-Domain", "Other-Domain"))
        == "UPDATE_COMPLETE"
    ), stacks.why("studio")
    studio, reported = stacks.client("sagemaker"), stacks.outputs("studio")
    assert [domain["DomainName"] for domain in studio.list_domains()["Domains"]] == ["Other-Domain"]
    assert [profile["DomainId"] for profile in studio.list_user_profiles()["UserProfiles"]] == [
        reported["Domain"]
    ]
    assert {name for name, it in stacks.physical("studio").items() if it != ids[name]} == {
        "Domain",
        "Profile",
    }


def test_a_domain_with_a_profile_that_is_not_the_stacks_keeps_its_stack(stacks):
    stacks.create("studio", STUDIO)
    domain = stacks.outputs("studio")["Domain"]
    stacks.client("sagemaker").create_user_profile(DomainId=domain, UserProfileName="userC")

    assert stacks.delete("studio") == "DELETE_FAILED"
    assert "userC" in stacks.why("studio")["Domain"]


NETWORK = """
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  Subnet: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/20}}
  Address: {Type: AWS::EC2::EIP, Properties: {Domain: vpc, Tags: [{Key: team, Value: data}]}}
  Gateway:
    Type: AWS::EC2::NatGateway
    Properties: {SubnetId: !Ref Subnet, AllocationId: !GetAtt Address.AllocationId, Tags: [{Key: team, Value: data}]}
Outputs:
  Address: {Value: !Ref Address}
  Gateway: {Value: !GetAtt Gateway.NatGatewayId}
"""


def gateway(stacks: Any) -> dict[str, Any]:
    asked = stacks.outputs("network")["Gateway"]
    return dict(stacks.client("ec2").describe_nat_gateways(NatGatewayIds=[asked])["NatGateways"][0])


def test_a_nat_gateway_is_in_its_subnet_behind_its_address(stacks):
    before = stacks.things()

    assert stacks.create("network", NETWORK) == "CREATE_COMPLETE", stacks.why("network")
    address = stacks.client("ec2").describe_addresses(
        PublicIps=[stacks.outputs("network")["Address"]]
    )["Addresses"][0]
    assert gateway(stacks)["SubnetId"] == stacks.physical("network")["Subnet"]
    assert gateway(stacks)["NatGatewayAddresses"][0]["AllocationId"] == address["AllocationId"]
    assert gateway(stacks)["Tags"] == address["Tags"] == [{"Key": "team", "Value": "data"}]
    assert stacks.delete("network") == "DELETE_COMPLETE"
    assert stacks.things() == before


def test_an_address_and_a_gateway_are_tagged_anew_in_place(stacks):
    stacks.create("network", NETWORK)
    ids = stacks.physical("network")

    assert (
        stacks.update("network", NETWORK.replace("Value: data", "Value: product"))
        == "UPDATE_COMPLETE"
    )
    assert gateway(stacks)["Tags"] == [{"Key": "team", "Value": "product"}]
    assert stacks.physical("network") == ids


TABLE = """
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: ledger
      BillingMode: PAY_PER_REQUEST
      KeySchema: [{AttributeName: who, KeyType: HASH}]
      AttributeDefinitions: [{AttributeName: who, AttributeType: S}]
      TimeToLiveSpecification: {Enabled: true, AttributeName: until}
      PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}
"""


def kept(stacks: Any) -> tuple[str, str]:
    """Whether the table forgets what is over, and whether it can be restored."""
    table = stacks.client("dynamodb")
    backups = table.describe_continuous_backups(TableName="ledger")["ContinuousBackupsDescription"]
    return (
        table.describe_time_to_live(TableName="ledger")["TimeToLiveDescription"][
            "TimeToLiveStatus"
        ],
        backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"],
    )


@pytest.mark.parametrize(
    ("left_out", "after"),
    [
        ("TimeToLiveSpecification", ("DISABLED", "ENABLED")),
        ("PointInTimeRecoverySpecification", ("ENABLED", "DISABLED")),
    ],
)
def test_a_tables_settings_are_set_and_removed_with_its_template(stacks, left_out, after):
    stacks.create("ledger", TABLE)
    assert kept(stacks) == ("ENABLED", "ENABLED")

    shorter = "\n".join(line for line in TABLE.splitlines() if left_out not in line)
    assert stacks.update("ledger", shorter) == "UPDATE_COMPLETE", stacks.why("ledger")
    assert kept(stacks) == after


BUCKET = """
Resources:
  Data:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: data
      Tags: [{Key: team, Value: R&D}]
      BucketEncryption:
        ServerSideEncryptionConfiguration:
          - {ServerSideEncryptionByDefault: {SSEAlgorithm: "aws:kms", KMSMasterKeyID: own}, BucketKeyEnabled: true}
"""


def test_a_buckets_encryption_and_tags_are_its_own(stacks):
    stacks.create("bucket", BUCKET)
    s3 = stacks.client("s3")

    rule = s3.get_bucket_encryption(Bucket="data")["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": "own",
    }
    assert rule["BucketKeyEnabled"] is True
    assert {"Key": "team", "Value": "R&D"} in s3.get_bucket_tagging(Bucket="data")["TagSet"]


def test_a_functions_reserved_concurrency_is_set_and_removed(stacks):
    template = f"""
Resources:
{ROLE}
  Function:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: one-at-a-time
      Runtime: python3.12
      Handler: index.handler
      Role: !GetAtt Role.Arn
      ReservedConcurrentExecutions: 1
      Code: {{ZipFile: "def handler(event, context): return event"}}
"""
    stacks.create("function", template)
    asked = stacks.client("lambda").get_function_concurrency
    assert asked(FunctionName="one-at-a-time")["ReservedConcurrentExecutions"] == 1

    stacks.update("function", template.replace("      ReservedConcurrentExecutions: 1\n", ""))
    assert "ReservedConcurrentExecutions" not in asked(FunctionName="one-at-a-time")


BOUNDED = """
Resources:
  Boundary:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}
  Bounded:
    Type: AWS::IAM::Role
    Properties:
      RoleName: bounded
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]}
      PermissionsBoundary: !Ref Boundary
"""


def test_a_roles_boundary_is_set_and_removed(stacks):
    stacks.create("role", BOUNDED)
    iam = stacks.client("iam")
    boundary = iam.get_role(RoleName="bounded")["Role"]["PermissionsBoundary"]

    assert ":policy/role-Boundary-" in boundary["PermissionsBoundaryArn"]
    without = "\n".join(line for line in BOUNDED.splitlines() if "PermissionsBoundary" not in line)
    assert stacks.update("role", without) == "UPDATE_COMPLETE", stacks.why("role")
    assert "PermissionsBoundary" not in iam.get_role(RoleName="bounded")["Role"]
