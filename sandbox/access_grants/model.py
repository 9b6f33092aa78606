"""What the service's published model says of each operation, and the limits in it that AWS's clients do not check."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.access_grants.errors import refused
from sandbox.published import Service, Wrong

OWN = re.compile(r"AccessGrant|DataAccess|IdentityCenter|^(Tag|Untag)Resource$|^ListTagsForResource$")
# A value that the model forbids is refused in the words of the thing it belongs to.
CODES = {
    "IAMRoleArn": "InvalidIamRole",
    "IdentityCenterArn": "InvalidIdentityCenterInstance",
    "Policy": "InvalidResourcePolicy",
    "Permission": "InvalidAccessGrant",
    "S3PrefixType": "InvalidAccessGrant",
    "GranteeType": "InvalidAccessGrant",
    "LocationScope": "InvalidAccessGrantsLocation",
}
TAGS = frozenset({"Tags"})  # they have errors of their own, see tags.py


@dataclass(frozen=True)
class Model:
    """The operations of Access Grants and the shapes of S3 Control, as the published model has them."""

    operations: dict[str, Any]
    published: Service

    @property
    def shapes(self) -> dict[str, Any]:
        return self.published.shapes

    @classmethod
    def read(cls, folder: Path) -> "Model":
        """The model in a botocore data folder (…/botocore/data); FileNotFoundError if it has none."""
        published = Service.read("s3control", folder)
        return cls({name: operation for name, operation in published.operations.items() if OWN.search(name)}, published)

    def input(self, operation: str) -> dict[str, Any]:
        """The shape of an operation's request."""
        return self.published.input(operation)

    def output(self, operation: str) -> dict[str, Any]:
        """The shape of an operation's answer; without members where it answers nothing."""
        return self.published.output(operation)

    def check(self, operation: str, request: dict[str, Any], default: str) -> None:
        """Refuse what the model forbids; with the code `default` where no part of the request has its own."""
        try:
            self.published.check(operation, request, TAGS)
        except Wrong as wrong:
            code = default if wrong.why == "is missing" else CODES.get(wrong.member, default)
            raise refused(code, why=str(wrong)) from wrong
