"""The list of grants is held against the ledger: it may lag behind, so what it still shows may be gone, and what it lacks may stand.

listed as                       then the service is asked by id
another id than the ledger's    whether that one is there, and whether its tag says that we made it
not at all, and unwanted        whether the ledger's is there: what is forgotten while it stands nobody would ever take away

All else needs no call: what is wanted and not listed is found by making it.
"""

from collections.abc import Container, Mapping

from grantor.aws.access_grants import AccessGrants
from grantor.aws.grant_tags import OWNER
from grantor.core.decide import doubtful
from grantor.core.entry import Entry
from grantor.core.grant import Grant


def certain(
    grants: AccessGrants, entries: Mapping[Grant, Entry], wanted: Container[Grant], listed: Mapping[Grant, str]
) -> tuple[Mapping[Grant, str], frozenset[Grant]]:
    """The grants that exist, and those of them that are ours though the ledger does not know them by that id. A call for each doubt."""
    actual, ours, gone = dict(listed), set(), set()
    for grant in doubtful(entries, actual):
        tags = grants.tags(actual[grant])
        if tags is None:
            del actual[grant]
            gone.add(grant)
        elif tags.get(OWNER) == grants.stack:
            ours.add(grant)
    for grant, entry in entries.items():
        unlisted = entry.id and grant not in actual and (grant not in wanted or grant in gone)
        if unlisted and grants.tags(entry.id) is not None:
            actual[grant] = entry.id
    return actual, frozenset(ours)
