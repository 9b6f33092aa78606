"""The operations of sso-admin: which instance there is."""

from typing import Any

from sandbox.directory.service import Directory, Refused, Request, operation


@operation("sso-admin")
def list_instances(directory: Directory, _: Request) -> dict[str, Any]:
    return {"Instances": [_shown(directory)]}


@operation("sso-admin")
def describe_instance(directory: Directory, request: Request) -> dict[str, Any]:
    if request["InstanceArn"] != directory.arn:
        raise Refused("ResourceNotFoundException", f"Instance not found: {request['InstanceArn']}")
    return _shown(directory)


def _shown(directory: Directory) -> dict[str, Any]:
    return {
        "InstanceArn": directory.arn,
        "IdentityStoreId": directory.store,
        "IdentityStoreArn": directory.store_arn,
        "OwnerAccountId": directory.account,
        "CreatedDate": directory.created,
        "Status": "ACTIVE",
        "PrimaryRegion": directory.region,
    }
