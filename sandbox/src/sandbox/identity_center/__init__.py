"""IAM Identity Center as plain rules: one instance with users, groups, memberships, applications.

sandbox/server/directory_adapter.py puts it on the wire as `identitystore`, `sso-admin` and
`sso-oidc`.
"""

from sandbox.identity_center import applications, directory_operations
from sandbox.identity_center.directory import (
    DIRECTORY_KINDS,
    DIRECTORY_OPERATIONS,
    Directory,
    DirectoryError,
    SignIn,
)

OPERATION_MODULES = (applications, directory_operations)  # imported for what they register

__all__ = ["DIRECTORY_KINDS", "DIRECTORY_OPERATIONS", "Directory", "DirectoryError", "SignIn"]
