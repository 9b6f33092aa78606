"""Save the company's inventory as `grantor inventory` does, without AWS.

    PYTHONPATH=layers/grantor python -m examples.company.save_inventory

All grants that the policy files give have been made. `saved-inventory.json` is what it prints; a
test compares the two. `grantor can`, `who`, `reach` and `compare` read it with `--profiles`.
"""

import json
from dataclasses import replace
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import yaml

from examples.company.list_grants import COMPANY, build_inventory, read_bounds, read_policies
from grantor.core.access.inventory_document import encode_inventory
from grantor.core.access.saved_inventory import SavedFile, SavedGrants, SavedInventory
from grantor.core.grant import Grant, LedgerEntry, State
from grantor.core.planning.bounds import BOUNDS_FILE
from grantor.core.planning.expand import expand_rules
from grantor.core.planning.rendering import Home, format_timestamp
from grantor.core.snapshot import Inventory

REGION = "eu-central-1"


def save_inventory(folder: Path = COMPANY) -> SavedInventory:
    """The company as it is once a run has made all grants."""
    facts = yaml.safe_load((folder / "inventory.yaml").read_text())
    known = share_roles(build_inventory(facts))
    wanted = expand_rules(read_policies(folder, facts), known, bounds=read_bounds(folder, facts))
    since = format_timestamp(known.now)
    entries = {
        grant: LedgerEntry(grant, State.LIVE, reasons, make_id(grant), since)
        for grant, reasons in wanted.grants.items()
    }
    return SavedInventory(
        "grantor", Home("aws", facts["account"]), REGION, facts["data_bucket"], known,
        [read_file(folder, f"policy/{path.name}") for path in sorted(folder.glob("policy/*.yaml"))],
        read_file(folder, BOUNDS_FILE),
        grants=SavedGrants.collect(entries, {grant: one.id for grant, one in entries.items()}),
    )  # fmt: skip


def share_roles(known: Inventory) -> Inventory:
    """The inventory with the profiles of each role, and an Identity Center."""
    sharing: dict[str, frozenset[str]] = {}
    for profile in known.profiles:
        sharing[profile.role] = sharing.get(profile.role, frozenset()) | {profile.subject}
    center = "arn:aws:sso:::instance/ssoins-1234567890abcdef"
    return replace(known, sharing=sharing, identity_center=center)


def read_file(folder: Path, name: str) -> SavedFile:
    """A file in its first version."""
    return SavedFile(name, "v1", (folder / name).read_text())


def make_id(grant: Grant) -> str:
    """The id of a grant: the same in each run."""
    return str(uuid5(NAMESPACE_URL, str(grant)))


if __name__ == "__main__":
    print(json.dumps(encode_inventory(save_inventory()), ensure_ascii=False))
