"""The variables of profiles and folders in a rule's texts, filled in, and what they may not stand for.

{profile.name}, {profile.folder}, {profile.tags.KEY} and {prefix.name} each stand for one name between two slashes, or a part of it.
A value that would make more or less of it (a slash, a star, "..", nothing) is refused, never put right.
"""

import re
from collections.abc import Mapping

from grantor.core.expansion.refusal import Refused
from grantor.core.facts import Profile
from grantor.core.problem import Fault, shown

VARIABLE = re.compile(r"\{([^{}]*)\}")
OWN = ("{profile.name}", "{profile.folder}")  # no two profiles of a domain are meant to have the same value
TAGS = "{profile.tags."
NO_NAME = ("", ".", "..")
HARMFUL = re.compile(r"[/*\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with its variables filled in, all in one pass: a value that looks like a variable stays as it is. Raises Refused.

    >>> fill("s3://data/{profile.folder}/*", {"profile.folder": "UserA"})
    's3://data/UserA/*'
    """
    return VARIABLE.sub(lambda found: _value(found[1], values), text) if "{" in text else text


def of_profile(profile: Profile) -> dict[str, str]:
    """What a profile's variables stand for.

    >>> of_profile(Profile("Product-Domain", "userA", "arn:aws:iam::111122223333:role/a", None, (("team", "blue"),)))
    {'profile.name': 'userA', 'profile.folder': 'UserA', 'profile.tags.team': 'blue'}
    """
    tags = {f"profile.tags.{key}": value for key, value in profile.tags}
    return {"profile.name": profile.name, "profile.folder": profile.folder} | tags


def of_prefix(name: str) -> dict[str, str]:
    """What a folder's variable stands for.

    >>> of_prefix("blue")
    {'prefix.name': 'blue'}
    """
    return {"prefix.name": name}


def _value(name: str, values: Mapping[str, str]) -> str:
    value = values.get(name)
    if value is None:
        raise Refused(Fault(f"{{{name}}} has no value", "nothing can stand in its place", _missing(name)))
    if value in NO_NAME or HARMFUL.search(value):
        why = "it must be one name, without slash, * and control characters, and not . or .."
        raise Refused(Fault(f"{{{name}}} is {shown(value)}", why, "choose another name, or leave the variable out"))
    return value


def _missing(name: str) -> str:
    key = name.removeprefix("profile.tags.")
    return "use a variable that is known here" if key == name else f"give the profile a tag {key}, or leave the variable out"
