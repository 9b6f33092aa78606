"""Everything that exists in an account, service by service: to compare before and after a test."""

from collections.abc import Callable, Iterator
from typing import Any

# service, operation, the list's member, the member that names an item
LISTINGS = (
    ("cloudformation", "list_stacks", "StackSummaries", "StackName"),
    ("s3", "list_buckets", "Buckets", "Name"),
    ("lambda", "list_functions", "Functions", "FunctionName"),
    ("lambda", "list_layers", "Layers", "LayerName"),
    ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("iam", "list_policies", "Policies", "PolicyName"),
    ("sqs", "list_queues", "QueueUrls", None),
    ("events", "list_rules", "Rules", "Name"),
    ("scheduler", "list_schedules", "Schedules", "Name"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("dynamodb", "list_tables", "TableNames", None),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
    ("ec2", "describe_subnets", "Subnets", "SubnetId"),
    ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    ("ec2", "describe_nat_gateways", "NatGateways", "NatGatewayId"),
    ("ec2", "describe_addresses", "Addresses", "AllocationId"),
    ("ec2", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
    ("sagemaker", "list_domains", "Domains", "DomainName"),
    ("sagemaker", "list_user_profiles", "UserProfiles", "UserProfileName"),
    ("sagemaker", "list_spaces", "Spaces", "SpaceName"),
    ("sagemaker", "list_apps", "Apps", "AppName"),
    ("efs", "describe_file_systems", "FileSystems", "FileSystemId"),
    ("cloudtrail", "describe_trails", "trailList", "TrailARN"),
    (
        "s3control",
        "list_access_grants_instances",
        "AccessGrantsInstancesList",
        "AccessGrantsInstanceArn",
    ),
    ("s3control", "list_access_grants_locations", "AccessGrantsLocationsList", "LocationScope"),
    ("s3control", "list_access_grants", "AccessGrantsList", "AccessGrantArn"),
)
GONE = {"DELETE_COMPLETE", "deleted", "Deleted"}


def list_everything(client: Callable[[str], Any], account: str) -> frozenset[str]:
    """Return everything that exists, as "service kind: name" lines.

    What AWS keeps a record of after its deletion is left out.
    """
    return frozenset(
        f"{service} {operation.partition('_')[2]}: {item[name] if name else item}"
        for service, operation, where, name in LISTINGS
        for item in _list_items(client(service), operation, where, account)
        if not (name and {item.get("StackStatus"), item.get("State"), item.get("Status")} & GONE)
    )


def _list_items(client: Any, operation: str, where: str, account: str) -> Iterator[Any]:
    asked = {"AccountId": account} if client.meta.service_model.service_name == "s3control" else {}
    asked |= {"Scope": "Local"} if operation == "list_policies" else {}
    try:
        while True:
            page = getattr(client, operation)(**asked)
            yield from page.get(where, [])
            if not (token := page.get("NextToken") or page.get("nextToken")):
                return
            asked["nextToken" if "nextToken" in page else "NextToken"] = token
    except client.exceptions.ClientError as refused:
        # Without an instance there is nothing of Access Grants to list. Any other error
        # is one.
        if refused.response["Error"]["Code"] != "AccessGrantsInstanceNotExistsError":
            raise
