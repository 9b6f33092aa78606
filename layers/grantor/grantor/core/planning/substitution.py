"""The values of the variables {…} in rules and jobs, and when a rule ends for a profile."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from grantor.core.diagnostics import Fault, quote_text
from grantor.core.planning.holds import NotRead, RuleRejected
from grantor.core.rules import ProfileQuery
from grantor.core.snapshot import Profile

VARIABLE = re.compile(r"\{([^{}]*)\}")
NOT_NAMES = ("", ".", "..")
HARMFUL = re.compile(r"[/*\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
LAST_MOMENT = datetime.max.replace(tzinfo=UTC)  # a rule that lasts longer ends here


def fill_variables(text: str, values: Mapping[str, str]) -> str:
    """`text` with its variables filled in, in one pass: a value that looks like a variable stays as
    it is.

    Raises RuleRejected if a variable has no value, or one that is not a single name.

    >>> fill_variables("s3://data/{profile.folder}/*", {"profile.folder": "UserA"})
    's3://data/UserA/*'
    """
    return VARIABLE.sub(lambda found: _find_value(found[1], values), text) if "{" in text else text


def profile_values(profile: Profile) -> dict[str, str]:
    """The values of a profile's variables.

    >>> profile_values(Profile("Product-Domain", "userA", "role/a", None, (("team", "blue"),)))
    {'profile.name': 'userA', 'profile.folder': 'UserA', 'profile.tags.team': 'blue'}
    """
    tags = {f"profile.tags.{key}": value for key, value in profile.tags}
    return {"profile.name": profile.name, "profile.folder": profile.folder} | tags


def prefix_values(name: str) -> dict[str, str]:
    """The value of a folder's variable.

    >>> prefix_values("blue")
    {'prefix.name': 'blue'}
    """
    return {"prefix.name": name}


def _find_value(name: str, values: Mapping[str, str]) -> str:
    value = values.get(name)
    if value is None:
        fault = Fault(
            f"{{{name}}} has no value", "nothing can stand in its place", _suggest_value(name)
        )
        raise RuleRejected(fault)
    if value in NOT_NAMES or HARMFUL.search(value):
        why = "it must be one name, without slash, * and control characters, and not . or .."
        remedy = "choose another name, or leave the variable out"
        raise RuleRejected(Fault(f"{{{name}}} is {quote_text(value)}", why, remedy))
    return value


def _suggest_value(name: str) -> str:
    key = name.removeprefix("profile.tags.")
    if key == name:
        return "use a variable that is known here"
    return f"give the profile a tag {key}, or leave the variable out"


def find_end(query: ProfileQuery, profile: Profile) -> datetime | None:
    """When the rule ends for this profile; None for never. Raises NotRead if that depends on an
    unknown time.
    """
    if query.lasts is None:
        return query.until
    if profile.created is None:
        raise NotRead(
            f"the rule's time runs from the creation of {profile.subject}, which is not known"
        )
    return profile.created + min(query.lasts, LAST_MOMENT - profile.created)


def has_passed(until: datetime | None, now: datetime) -> bool:
    """Whether an end has been reached; at its very moment it has.

    >>> has_passed(None, LAST_MOMENT), has_passed(LAST_MOMENT, LAST_MOMENT)
    (False, True)
    """
    return until is not None and until <= now
