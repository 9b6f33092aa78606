"""What the service's published model says of each operation, and the limits in it that AWS's clients do not check.

The model is botocore's `service-2.json` (the newest that is at hand: the one of the Lambda runtime); it is read as plain
data, so that these rules need no client library.
"""

import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.access_grants.errors import Refused, refused

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


@dataclass(frozen=True)
class Model:
    """The operations of Access Grants and their shapes, as the model's JSON has them."""

    operations: dict[str, Any]
    shapes: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "Model":
        """The model in a botocore data folder (…/botocore/data); FileNotFoundError if it has none."""
        found = next(folder.glob("s3control/2018-08-20/service-2.json*"), None)
        if found is None:
            raise FileNotFoundError(f"{folder} holds no model of s3control")
        raw = gzip.decompress(found.read_bytes()) if found.suffix == ".gz" else found.read_bytes()
        model = json.loads(raw)
        own = {name: operation for name, operation in model["operations"].items() if OWN.search(name)}
        return cls(own, model["shapes"])

    def input(self, operation: str) -> dict[str, Any]:
        """The shape of an operation's request."""
        return dict(self.shapes[self.operations[operation]["input"]["shape"]])

    def output(self, operation: str) -> dict[str, Any]:
        """The shape of an operation's answer; without members where it answers nothing."""
        given = self.operations[operation].get("output")
        return dict(self.shapes[given["shape"]]) if given else {"type": "structure", "members": {}}

    def check(self, operation: str, request: dict[str, Any], default: str) -> None:
        """Refuse what the model forbids: a missing member, a wrong enum, more than a maximum, a text outside its pattern."""
        self._check("request", self.input(operation), request, default)

    def _check(self, name: str, shape: dict[str, Any], value: Any, code: str) -> None:
        match shape["type"]:
            case "structure":
                self._structure(shape, value, code)
            case "list":
                if not name.endswith("Tags") and len(value) > shape.get("max", len(value)):
                    raise _bad(name, f"has more than {shape['max']} members", code)
                for item in value:
                    self._check(name, self.shapes[shape["member"]["shape"]], item, code)
            case "string":
                self._string(name, shape, value, code)
            case "integer":
                if not shape.get("min", value) <= value <= shape.get("max", value):
                    raise _bad(name, f"must lie between {shape.get('min')} and {shape.get('max')}", code)

    def _structure(self, shape: dict[str, Any], value: dict[str, Any], code: str) -> None:
        for needed in shape.get("required", []):
            if value.get(needed) is None:
                raise _bad(needed, "is missing", code)
        for member, given in value.items():
            # Tags have errors of their own, see tags.py.
            if member != "Tags" and member in shape["members"] and given is not None:
                self._check(member, self.shapes[shape["members"][member]["shape"]], given, code)

    def _string(self, name: str, shape: dict[str, Any], value: str, code: str) -> None:
        if "enum" in shape and value not in shape["enum"]:
            raise _bad(name, f"must be one of {', '.join(shape['enum'])}", code)
        if not shape.get("min", 0) <= len(value) <= shape.get("max", len(value)):
            raise _bad(name, f"must have {shape.get('min', 0)} to {shape.get('max')} characters", code)
        if "pattern" in shape and not re.search(_python(shape["pattern"]), value):
            raise _bad(name, f"does not match {shape['pattern']}", code)


def _bad(name: str, why: str, code: str) -> Refused:
    chosen = CODES.get(name, code) if why != "is missing" else code
    return refused(chosen, why=f"{name} {why}")


def _python(pattern: str) -> str:
    """A pattern of the model, which writes Unicode classes that Python's `re` does not have."""
    for theirs, ours in (("\\p{L}", "\\w"), ("\\p{Z}", "\\s"), ("\\p{N}", "\\d")):
        pattern = pattern.replace(theirs, ours)
    return f"^(?:{pattern})$"
