"""The few shapes that a value in a policy file can have. language.py is written in them; shape.py and schema.py read them."""

import re
from dataclasses import dataclass, field, replace
from functools import cached_property

from grantor.core.diagnostics import Fault, shown
from grantor.core.scope import bare


@dataclass(frozen=True)
class Form:
    """A text. `name` is what it is, with its article; `says` is a sentence on its form; `pattern` is of all of it, in ASCII.

    With `variables`, {…} may stand in it, and only its meaning tells whether it has the form. With `unquoted`, it does not
    matter that YAML would take the word for something else than a text, and its meaning tells as well.
    """

    name: str
    says: str
    example: str
    pattern: str = ""
    longest: int = 0
    variables: bool = False
    may_be_empty: bool = False
    unquoted: bool = False

    def fits(self, text: str) -> bool:
        """Whether `text` has the form; a variable in it counts as a word."""
        word = bare(text) if self.variables else text
        short = not self.longest or len(word) <= self.longest
        return short and (not self.pattern or re.fullmatch(self.pattern, word, re.ASCII) is not None)

    @property
    def flow(self) -> str:
        """The example as it can stand in [] and {}."""
        return f'"{self.example}"' if "{" in self.example and '"' not in self.example else self.example

    def fault(self, text: str, lead: str = "") -> Fault:
        """That `text` has not the form; `lead` is what stands before it, like `name: `."""
        return Fault(f"{shown(text)} is not {self.name}", self.says, f"write for example {lead}{self.example}")


@dataclass(frozen=True)
class Choice:
    """One of a few words, each with what it means; `slips` are what people write instead, their letters only and small."""

    name: str
    words: dict[str, str]
    slips: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """The number of the language's version."""

    number: int


@dataclass(frozen=True)
class Number:
    """A whole number from `least` to `most`, without quotes; `usual` is the one to write where nothing better is known."""

    least: int
    most: int
    usual: int

    @property
    def name(self) -> str:
        """What it is."""
        return f"a whole number from {self.least:,} to {self.most:,}"


@dataclass(frozen=True)
class Flag:
    """true or false."""


@dataclass(frozen=True)
class Listing:
    """A list of one or more; `item` is what one is called. Equal texts in it are a mistake."""

    item: str
    of: "Form | Mapping"


@dataclass(frozen=True)
class Table:
    """A mapping whose keys are the author's own."""

    name: str
    key: Form
    value: Form


@dataclass(frozen=True)
class Reserved:
    """Nothing yet: the word is kept, and `says` is why."""

    says: str


@dataclass(frozen=True)
class Either:
    """A text, or something longer where the text does not say enough."""

    text: Form
    other: "Listing | Mapping"


@dataclass(frozen=True)
class Key:
    """A key of a mapping: its name, what it takes, a sentence on it, and words that people write for it by mistake."""

    name: str
    takes: "Kind"
    says: str
    example: str
    needed: bool = False
    slips: tuple[str, ...] = ()


@dataclass(frozen=True)
class Clash:
    """Two keys that can not stand together, why, and what to write instead."""

    first: str
    second: str
    why: str
    remedy: str


@dataclass(frozen=True)
class Idle:
    """A key that has no meaning where the mapping under `beside` has one of the keys `among`."""

    key: str
    beside: str
    among: tuple[str, ...]
    why: str
    remedy: str


@dataclass(frozen=True)
class Mapping:
    """A mapping with known keys, and an example of one. Of those in `one_of` at least one is needed; `only_one` says why there can not be two of them.

    `part` is what a list of them is made of, if it is one: a rule or a job. `never` says of keys that people write here why they can not.
    """

    name: str
    keys: tuple[Key, ...]
    example: str
    one_of: tuple[str, ...] = ()
    only_one: str = ""
    clashes: tuple[Clash, ...] = ()
    idle: tuple[Idle, ...] = ()
    part: str = ""
    never: dict[str, Fault] = field(default_factory=dict)

    @cached_property
    def known(self) -> dict[str, Key]:
        """The keys by name."""
        return {key.name: key for key in self.keys}

    @property
    def needed(self) -> list[str]:
        """The names of the keys that can not be left out."""
        return [key.name for key in self.keys if key.needed]

    @property
    def open(self) -> list[str]:
        """The names of the keys that can be written today."""
        return [key.name for key in self.keys if not isinstance(key.takes, Reserved)]


Kind = Form | Choice | Version | Number | Flag | Listing | Table | Reserved | Either | Mapping


RULE_NAME = Form(
    "a rule's name",
    "a name has up to 63 letters, digits, dots, hyphens and underscores, and begins with a letter or digit",
    "own-folder",
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}",
)
VARIABLE_NAME = Form(
    "a variable's name",
    "a name has up to 63 lower-case letters, digits and underscores, and begins with a letter",
    "team_area",
    r"[a-z][a-z0-9_]{0,62}",
)
VALUE = Form("a text", "it may use {data_bucket} and the variables above it", '"s3://{data_bucket}/teams"', variables=True)
SCOPE = Form(
    "a scope",
    "a scope is s3://BUCKET/PREFIX/*, or s3://BUCKET/KEY.EXT for one object",
    "s3://{data_bucket}/Product/*",
    r"s3://.*",
    variables=True,
)
OBJECT = Form(
    "an object", "an object is s3://BUCKET/KEY, without a *", '"s3://{data_bucket}/Product/README"', r"s3://.*", variables=True
)
BASE = Form(
    "a folder of folders",
    "it is s3://BUCKET/FOLDER/, with a slash at its end and no *",
    '"s3://{data_bucket}/teams/"',
    r"s3://.*/",
    variables=True,
)
ROLE = Form(
    "an IAM role's ARN",
    "it names the account and the role, with the role's path",
    "arn:aws:iam::111122223333:role/auditor",
    r"arn:aws[a-z-]*:iam::\d{12}:role/(?:[\w+=,.@-]+/)*[\w+=,.@-]{1,64}",
    2048,
    variables=True,
)
USER = Form(
    "an IAM user's ARN",
    "it names the account and the user, with the user's path",
    "arn:aws:iam::111122223333:user/ana",
    r"arn:aws[a-z-]*:iam::\d{12}:user/(?:[\w+=,.@-]+/)*[\w+=,.@-]{1,64}",
    2048,
    variables=True,
)
DIRECTORY_USER = Form(
    "a user of IAM Identity Center",
    "a user is named by the user name, of up to 128 characters, or by the id",
    "ana@example.com",
    longest=128,
    variables=True,
)
DIRECTORY_GROUP = Form(
    "a group of IAM Identity Center",
    "a group is named by its name, of up to 1,024 characters, or by its id",
    "Auditors",
    longest=1024,
    variables=True,
)
APPLICATION = Form(
    "the ARN of an Identity Center application",
    "it names the account, the instance and the application",
    "arn:aws:sso::111122223333:application/ssoins-1234567890abcdef/apl-1234567890abcdef",
    r"arn:aws[a-z-]*:sso::\d{12}:application/[\w+=,.@/-]+",
    1224,
    variables=True,
)
# DomainName and UserProfileName in SageMaker's model are of the same form.
DOMAIN = Form(
    "a Studio domain's name",
    "a domain's name has up to 63 letters, digits and hyphens, first and last a letter or digit",
    "Product-Domain",
    r"[A-Za-z0-9](?:-*[A-Za-z0-9])*",
    63,
    variables=True,
)
PROFILE_NAME = Form(
    "a profile's name or a glob",
    "a profile's name has up to 63 letters, digits and hyphens; in a glob * stands for any of them and ? for one",
    "user*",
    r"[A-Za-z0-9*?](?:-*[A-Za-z0-9*?])*",
    63,
    variables=True,
)
TAG_KEY = Form("a tag's key", "a tag's key has up to 128 characters", "team", longest=128)
TAG_VALUE = Form(
    "a tag's value", "a tag's value has up to 256 characters", "blue", longest=256, variables=True, may_be_empty=True
)
END = Form(
    "a date or a time",
    "a date is meant through its end, in UTC; a time is in UTC",
    "2027-03-31",
    r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?Z)?",
    unquoted=True,
)
SPAN = Form("a length of time", "a whole number and h, d or w: hours, days or weeks", "30d", r"[1-9]\d{0,3}[hdw]", unquoted=True)
# A job's, from here on; the bounds are those of SageMaker's model.
JOB_NAME = replace(RULE_NAME, name="a job's name", example="abalone")
UPLOAD = Form(
    "one object",
    "one object is s3://{data_bucket}/KEY, without a *",
    '"s3://{data_bucket}/{profile.folder}/abalone.csv"',
    r"s3://.*[^/*]",
    variables=True,
)
OUTPUT = Form(
    "a folder",
    "a folder is s3://{data_bucket}/FOLDER/, with a slash at its end and no *",
    '"s3://{data_bucket}/{profile.folder}/output/"',
    r"s3://.*/",
    variables=True,
)
INSTANCE = Form(
    "an instance type",
    "SageMaker calls its instance types ml.FAMILY.SIZE",
    "ml.m5.xlarge",
    r"ml\.[a-z0-9]+(?:-[a-z0-9]+)*\.(?:medium|large|[0-9]{0,2}xlarge)",
    unquoted=True,
)
TIME_LIMIT = Form(
    "a time limit", "a whole number and m, h or d: minutes, hours or days, up to 5d", "1h", r"[1-9]\d{0,3}[mhd]", unquoted=True
)
ARGUMENT_NAME = Form(
    "an argument's name",
    "a name has up to 254 lower-case letters, digits and underscores, and begins with a letter",
    "max_quarantine",
    r"[a-z][a-z0-9_]{0,253}",
)
ARGUMENT = Form("a value", "a value has up to 256 characters", '"1%"', longest=256, variables=True)
QUARANTINE = Form(
    "a number of lines or a share",
    "100 stands for a number of lines, 1% for a share of them",
    '"1%"',
    r"[0-9]{1,9}(?:\.[0-9]{1,6})?%|[0-9]{1,18}",
    variables=True,
)
ACCESS = Form("a way to the data", "it is auto, s3a or staged", "auto", "auto|s3a|staged", variables=True)


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
