"""S3 Access Grants, whole, as plain rules: requests and answers are values, the world and the clock are handed in.

    service = AccessGrants(account, region, world, clock, model)
    service.call("CreateAccessGrant", request, caller)   # → the answer as botocore has it, or Refused

Two thin adapters put it on the wire: sandbox/server/access_grants.py and sandbox/in_process.py.
"""

from sandbox.access_grants import access, grants, instances, locations
from sandbox.access_grants.errors import CODES, Refused
from sandbox.access_grants.model import Model
from sandbox.access_grants.service import OPERATIONS, AccessGrants
from sandbox.access_grants.switches import Switches
from sandbox.access_grants.world import Caller, Role, World

OPERATION_MODULES = (access, grants, instances, locations)  # imported for what they register

__all__ = ["CODES", "OPERATIONS", "AccessGrants", "Caller", "Model", "Refused", "Role", "Switches", "World"]
