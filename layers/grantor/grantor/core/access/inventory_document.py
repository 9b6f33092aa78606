"""The saved inventory as a document of docs/json.md: written, and read again.

Whoever reads it may have changed it, or have it from another version of Grantor: what cannot be
understood is a fault, and never left out.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from grantor.core.access.explain import FileFault
from grantor.core.access.saved_inventory import SavedFile, SavedGrants, SavedInventory
from grantor.core.data_buckets import ConnectedBuckets
from grantor.core.diagnostics import Fault, quote_text
from grantor.core.grant import Grantee, Location, Permission, State
from grantor.core.planning.rendering import (
    SCHEMA_VERSION,
    Home,
    Json,
)
from grantor.core.rules import Suspension, parse_suspended
from grantor.core.snapshot import Inventory, Profile

KIND = "inventory"
# The columns of a reason's row, and of a grant's; SavedGrants says what they mean.
REASON_COLUMNS = {"rule": int, "subjects": list, "until": str, "additive": bool}
COLUMNS = {
    "grantee": int,
    "permission": str,
    "scope": str,
    "application": str,
    "id": str,
    "state": str,
    "since": str,
    "reasons": list,
    "tried": str,
    "refusal": str,
}
STATES = frozenset(("", *map(str, State)))
PERMISSION_NAMES = frozenset(map(str, Permission))
REMEDY = "save it again with grantor inventory"


def encode_inventory(saved: SavedInventory) -> Json:
    """The document."""
    known, grants = saved.inventory, saved.grants
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": KIND,
        "time": _format_exact(known.now),
        "stack": saved.stack,
        "partition": saved.home.partition,
        "account": saved.home.account,
        "region": saved.region,
        "data_bucket": saved.data_bucket,
        "connected_buckets": list(saved.buckets.names),
        "leaving_buckets": list(saved.buckets.leaving),
        "policies": [vars(file) for file in saved.files],
        "bounds": vars(saved.bounds_file) if saved.bounds_file else None,
        "suspensions": [_encode_suspension(one) for one in saved.suspensions],
        "faults": [vars(one) for one in saved.faults],
        "locations": [{"id": one.id, "scope": one.scope} for one in known.locations],
        "identity_center": known.identity_center,
        "domains": sorted(known.domains),
        "profiles": [_encode_profile(one) for one in known.profiles],
        "sharing": {role: sorted(subjects) for role, subjects in sorted(known.sharing.items())},
        "folders": {base: list(names) for base, names in sorted(known.folders.items())},
        "directory": [
            {"type": kind, "name": name, "id": found}
            for (kind, name), found in sorted(known.directory.items())
        ],
        "unread": dict(sorted(known.unread.items())),
        "reviews": {rule: _format_exact(time) for rule, time in sorted(known.reviews.items())},
        "grantees": [{"type": one.kind, "identifier": one.identifier} for one in grants.grantees],
        "rules": list(grants.rules),
        "reason_columns": list(REASON_COLUMNS),
        "reasons": grants.reasons,
        "grant_columns": list(COLUMNS),
        "grants": grants.rows,
    }


def parse_inventory(content: bytes, name: str) -> SavedInventory | Fault:
    """The inventory of a document; `name` is its file, for messages."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        return Fault(f"{name} is no JSON", str(error), REMEDY)
    if not isinstance(value, dict) or value.get("kind") != KIND:
        kind = value.get("kind") if isinstance(value, dict) else None
        why = f"its kind is {quote_text(str(kind))}" if kind else "it has no kind"
        return Fault(f"{name} is no inventory", why, REMEDY)
    if (version := value.get("schema_version")) != SCHEMA_VERSION:
        why = f"this version of Grantor reads {SCHEMA_VERSION}"
        return Fault(f"{name} has the schema version {version}", why, REMEDY)
    try:
        return _decode(value)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        return Fault(f"{name} is no complete inventory", why, REMEDY)


def _decode(value: Mapping[str, Any]) -> SavedInventory:
    bounds = value["bounds"]
    return SavedInventory(
        value["stack"],
        Home(value["partition"], value["account"]),
        value["region"],
        value["data_bucket"],
        _decode_known(value),
        tuple(SavedFile(**one) for one in value["policies"]),
        SavedFile(**bounds) if bounds else None,
        ConnectedBuckets(tuple(value["connected_buckets"]), tuple(value["leaving_buckets"])),
        tuple(map(_decode_suspension, value["suspensions"])),
        tuple(FileFault(**one) for one in value["faults"]),
        _decode_grants(value),
    )


def _decode_known(value: Mapping[str, Any]) -> Inventory:
    directory = {(one["type"], one["name"]): one["id"] for one in value["directory"]}
    return Inventory(
        _parse_exact(value["time"]),
        tuple(Location(one["id"], one["scope"]) for one in value["locations"]),
        tuple(map(_decode_profile, value["profiles"])),
        frozenset(value["domains"]),
        {base: tuple(names) for base, names in value["folders"].items()},
        directory,
        {role: frozenset(subjects) for role, subjects in value["sharing"].items()},
        dict(value["unread"]),
        identity_center=value["identity_center"],
        reviews={rule: _parse_exact(time) for rule, time in value.get("reviews", {}).items()},
    )


def _decode_grants(value: Mapping[str, Any]) -> SavedGrants:
    """The grants. Checks are by column, because there may be 100,000 rows."""
    grantees = [Grantee(one["type"], one["identifier"]) for one in value["grantees"]]
    rules, reasons, rows = value["rules"], value["reasons"], value["grants"]
    because = _check_columns(reasons, value["reason_columns"], REASON_COLUMNS)
    columns = _check_columns(rows, value["grant_columns"], COLUMNS)
    named = set(chain.from_iterable(columns["reasons"]))
    checks = {
        "rules": set(because["rule"]) <= set(range(len(rules))),
        "until": all(map(_parse_exact, filter(None, set(because["until"])))),
        "grantees": set(columns["grantee"]) <= set(range(len(grantees))),
        "permissions": set(columns["permission"]) <= PERMISSION_NAMES,
        "states": set(columns["state"]) <= STATES,
        "reasons": named <= set(range(len(reasons))),
    }
    if wrong := [name for name, fits in checks.items() if not fits]:
        raise ValueError(f"its grants name {wrong[0]} that are not there")
    return SavedGrants(grantees, rules, reasons, rows)


def _check_columns(
    rows: Sequence[Sequence[Any]], names: Sequence[str], known: Mapping[str, type]
) -> Mapping[str, Sequence[Any]]:
    """The columns of rows by their names. Raises ValueError or TypeError if they are others."""
    if names != list(known):
        raise ValueError(f"the columns are not {', '.join(known)}")
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(known)
    found = dict(zip(known, columns, strict=True))
    for name, column in found.items():
        if not set(map(type, column)) <= {known[name]}:
            raise TypeError(f"the column {name} has something else")
    return found


def _encode_profile(profile: Profile) -> Json:
    return {
        "domain": profile.domain,
        "name": profile.name,
        "role": profile.role,
        "created": _format_exact(profile.created) if profile.created else None,
        "tags": dict(profile.tags),
    }


def _decode_profile(value: Mapping[str, Any]) -> Profile:
    created = _parse_exact(value["created"]) if value["created"] else None
    tags = tuple(sorted(value["tags"].items()))
    return Profile(value["domain"], value["name"], value["role"], created, tags)


def _encode_suspension(one: Suspension) -> Json:
    until = _format_exact(one.until) if one.until else None
    return {"file": one.file, "who": one.name, "because": one.because, "until": until}


def _decode_suspension(value: Mapping[str, Any]) -> Suspension:
    until = _parse_exact(value["until"]) if value["until"] else None
    return Suspension(value["file"], parse_suspended(value["who"]), value["because"], until)


def _format_exact(time: datetime) -> str:
    return f"{time.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"


def _parse_exact(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return time
