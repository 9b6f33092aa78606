"""What each grant is tagged with: that it is ours and why, so that a lost ledger can be rebuilt from the grants themselves."""

from collections.abc import Mapping

from grantor.aws.grant_tags import tags_of
from grantor.core.plan import Change
from grantor.core.reason import ends


def signature(change: Change, run: str, versions: Mapping[str, str]) -> dict[str, str]:
    """The tags of the grant besides its owner's; `versions` are those of the policy files that are followed."""
    files = {reason.file for reason in change.reasons}
    until = ends(change.reasons)
    return tags_of(
        rules=sorted({reason.rule for reason in change.reasons}),
        run=run,
        until=until.isoformat() if until else "",
        policy=versions.get(files.pop(), "") if len(files) == 1 else "",
    )
