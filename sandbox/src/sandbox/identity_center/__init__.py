"""IAM Identity Center's directory as plain rules: one instance with users, groups and memberships.

sandbox/server/directory_adapter.py puts it on the wire as `identitystore` and `sso-admin`.
"""

from sandbox.identity_center import directory_operations  # noqa: F401  -- it registers operations
from sandbox.identity_center.directory import (
    DIRECTORY_KINDS,
    DIRECTORY_OPERATIONS,
    Directory,
    DirectoryError,
)

__all__ = ["DIRECTORY_KINDS", "DIRECTORY_OPERATIONS", "Directory", "DirectoryError"]
