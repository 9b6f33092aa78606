"""IAM Identity Center's directory as plain rules: one instance, its identity store, users, groups, who is in which.

sandbox/server/directory.py puts it on the wire as `identitystore` and `sso-admin`.
"""

from sandbox.directory import groups, instances, users
from sandbox.directory.service import OPERATIONS, Directory, Refused

OPERATION_MODULES = (groups, instances, users)  # imported for what they register

__all__ = ["OPERATIONS", "Directory", "Refused"]
