"""S3 Access Grants, whole, as plain rules: requests and answers are values.

The account and the clock are passed in. Two thin adapters put the service on the wire:
sandbox/server/grants_adapter.py and sandbox/in_process.py.

    service = AccessGrants(account_id, region, account, clock, model)
    service.call("CreateAccessGrant", request, caller)

`call` returns the answer as botocore has it, or raises AccessGrantsError.
"""

from sandbox.access_grants import data_access, grants, instances, locations
from sandbox.access_grants.errors import ERROR_CODES, AccessGrantsError
from sandbox.access_grants.protocol import GrantsModel
from sandbox.access_grants.service import (
    CONTEXT_PROVIDER,
    GRANTS_OPERATIONS,
    AccessGrants,
    Account,
    Caller,
    DirectoryIdentity,
    Role,
)
from sandbox.switches import GrantSwitches

OPERATION_MODULES = (data_access, grants, instances, locations)  # imported for what they register

__all__ = [
    "CONTEXT_PROVIDER",
    "ERROR_CODES",
    "GRANTS_OPERATIONS",
    "AccessGrants",
    "AccessGrantsError",
    "Account",
    "Caller",
    "DirectoryIdentity",
    "GrantSwitches",
    "GrantsModel",
    "Role",
]
