"""What rules and jobs say alike of Studio profiles."""

from grantor.core.policy.forms import DOMAIN, PROFILE_NAME, TAG_KEY, TAG_VALUE
from grantor.core.policy.kinds import Choice, Either, Key, Listing, Mapping, Table

CHOSEN = (
    Key("domain", DOMAIN, "The Studio domain.", "Product-Domain", needed=True, slips=("domain_name", "domain_id", "studio")),
    Key(
        "names",
        Either(PROFILE_NAME, Listing("a name", PROFILE_NAME)),
        "Only profiles with one of these names; `*` and `?` as in file names. Without it: all of the domain.",
        '["user*"]',
        slips=("name", "profile", "profiles", "users"),
    ),
    Key(
        "tags",
        Table("tags", TAG_KEY, TAG_VALUE),
        "Only profiles that carry all of these tags.",
        "{team: blue}",
        slips=("tag", "labels"),
    ),
)
PROFILES = Mapping("profiles", CHOSEN, "{domain: Product-Domain}")
EACH_PROFILE = Mapping("each_profile", CHOSEN, PROFILES.example)
SHARED_ROLE = Key(
    "shared_role",
    Choice(
        "word for shared_role",
        {"accepted": "all who have the role get the grant"},
        {"true": "accepted", "yes": "accepted"},
    ),
    "That a profile shares its execution role with others, who will have the grant as well, is meant.",
    "accepted",
    slips=("share_role", "shared", "accept_shared_role"),
)
