"""The tests of the policy language: what a file says about who can do what, to be checked."""

from dataclasses import replace

from grantor.core.policy.text_forms import (
    APPLICATION,
    DIRECTORY_GROUP,
    DIRECTORY_USER,
    END,
    PROFILE_ID,
    ROLE,
    RULE_NAME,
    TAG_KEY,
    TAG_VALUE,
    VALUE,
    VARIABLE_NAME,
)
from grantor.core.policy.value_types import (
    Clash,
    Form,
    Key,
    Listing,
    Mapping,
    OneOrMore,
    Table,
    version_key,
)

PERMISSION_WORDS = "READ|WRITE|READWRITE"
CAN_QUESTION = Form(
    "a question",
    "a question is WHO PERMISSION S3URL, as grantor can takes it",
    "Product-Domain/userA READ s3://{data_bucket}/UserA/abalone.csv",
    rf".+ (?:{PERMISSION_WORDS}) s3://.*",
    variables=True,
)
WHO_QUESTION = Form(
    "a question",
    "a question is PERMISSION S3URL, or S3URL for any permission, as grantor who takes it",
    "READ s3://{data_bucket}/Product/*",
    rf"(?:(?:{PERMISSION_WORDS}) )?s3://.*",
    variables=True,
)
PRINCIPAL = Form(
    "a principal",
    "a principal is a profile as DOMAIN/NAME, the ARN of a role or user, directory_user:NAME or "
    "directory_group:NAME",
    "Product-Domain/userA",
    variables=True,
)
SCOPE_ANSWER = Form(
    "a scope that somebody reaches",
    "it is PERMISSION SCOPE, as grantor reach lists it",
    "READWRITE s3://{data_bucket}/UserA/*",
    rf"(?:{PERMISSION_WORDS}) s3://.*",
    variables=True,
)
ANSWER = Form(
    "an answer",
    "of who it is a principal, and of reach it is PERMISSION SCOPE",
    "Product-Domain/userA",
    variables=True,
)
RULE_REFERENCE = Form(
    "a rule",
    "a rule is its name, with its file and # before it if other files have such a rule",
    "own-folder",
    rf"(?:[^#]+#)?{RULE_NAME.pattern}",
)
TEST_NAME = Form(
    "a test's name",
    "say in up to 200 characters what should hold",
    "everybody has a folder",
    longest=200,
)
GIVEN_FOLDER = Form(
    "a folder",
    "a folder is s3://BUCKET/FOLDER/, with a slash at the end and no *",
    '"s3://{data_bucket}/teams/blue/"',
    r"s3://.*/",
    variables=True,
)
MOMENT = replace(
    END, name="a date or a time", description="a date is its first moment, and a time is in UTC"
)
GIVEN_NAME = replace(PROFILE_ID, variables=False)
GIVEN_USER_NAME = replace(DIRECTORY_USER, variables=False)
GIVEN_PROFILE = Mapping(
    "a profile",
    (
        Key(
            "role",
            ROLE,
            "The execution role. Default: one that no other profile has.",
            "arn:aws:iam::111122223333:role/analysts",
            slips=("execution_role", "role_arn", "arn"),
        ),
        Key(
            "tags",
            Table("tags", TAG_KEY, TAG_VALUE),
            "The profile's tags.",
            "{team: blue}",
            slips=("tag", "labels"),
        ),
        Key(
            "created",
            MOMENT,
            "When it was created, for rules with `for` in a test with `at`.",
            "2027-01-15",
            slips=("since", "creation", "created_at"),
        ),
    ),
    "{tags: {team: blue}}",
)
GIVEN_USER = Mapping(
    "a user",
    (
        Key(
            "groups",
            Listing("a group", DIRECTORY_GROUP, may_be_empty=True),
            "The user's groups, which then exist.",
            "[Auditors]",
            required=True,
            slips=("group", "member_of"),
        ),
    ),
    "{groups: [Auditors]}",
)
GIVEN = Mapping(
    "given",
    (
        Key(
            "profiles",
            Table("profiles", GIVEN_NAME, GIVEN_PROFILE),
            "The Studio profiles, each as `Domain/name`; `{}` is one without tags.",
            "{Product-Domain/userA: {tags: {team: blue}}}",
            slips=("profile", "people"),
        ),
        Key(
            "users",
            Table("users", GIVEN_USER_NAME, GIVEN_USER),
            "The users of IAM Identity Center, each with its groups.",
            "{ana@example.com: {groups: [Auditors]}}",
            slips=("user", "directory_users"),
        ),
        Key(
            "groups",
            Listing("a group", DIRECTORY_GROUP),
            "Groups of IAM Identity Center besides those of the users.",
            "[Auditors]",
            slips=("group", "directory_groups"),
        ),
        Key(
            "folders",
            Listing("a folder", GIVEN_FOLDER),
            "The folders, for `each_prefix` and `except`; those above them exist too.",
            '["s3://{data_bucket}/teams/blue/"]',
            slips=("folder", "prefixes"),
        ),
    ),
    "{profiles: {Product-Domain/userA: {}}}",
    one_of=("profiles", "users", "groups", "folders"),
)
YES_OR_NO = "its answer is yes or no"
LISTED = "its answer is a list, whose grants may have many reasons"
TEST = Mapping(
    "a test",
    (
        Key(
            "can",
            OneOrMore("a question", CAN_QUESTION),
            "Who gets credentials for what where.",
            CAN_QUESTION.example,
            slips=("allow", "allowed", "yes", "may"),
        ),
        Key(
            "cannot",
            OneOrMore("a question", CAN_QUESTION),
            "Who gets none.",
            "Product-Domain/userB READ s3://{data_bucket}/UserA/abalone.csv",
            slips=("can_not", "deny", "denied", "no", "may_not"),
        ),
        Key(
            "who",
            WHO_QUESTION,
            "Who reaches a place or a part of it: those in `exactly`, and nobody else.",
            WHO_QUESTION.example,
            slips=("who_can", "whom"),
        ),
        Key(
            "reach",
            PRINCIPAL,
            "What somebody reaches: the scopes in `exactly`, and nothing else.",
            PRINCIPAL.example,
            slips=("reaches", "what"),
        ),
        Key(
            "exactly",
            Listing("an answer", ANSWER, may_be_empty=True),
            "The whole answer to `who` (principals) or `reach` (`PERMISSION SCOPE`); `[]` is "
            "nobody, or nothing.",
            "[Product-Domain/userA, Product-Domain/userB]",
            slips=("is", "are", "equals", "only", "expect", "expected"),
        ),
        Key(
            "because",
            OneOrMore("a rule", RULE_REFERENCE),
            "The rules that give it; beside `cannot`, the rules that would, but for their end, an "
            "exception or a suspension.",
            RULE_REFERENCE.example,
            slips=("rule", "reason", "by", "through"),
        ),
        Key(
            "at",
            MOMENT,
            "When it is asked: the first moment of a date, or a time in UTC. Default: before every "
            "end.",
            "2027-04-01",
            slips=("time", "when", "now", "date", "on"),
        ),
        Key(
            "application",
            APPLICATION,
            "The Identity Center application that the user has signed in to.",
            APPLICATION.example,
            slips=("app", "application_arn"),
        ),
        Key(
            "name",
            TEST_NAME,
            "What should hold. Default: the question.",
            TEST_NAME.example,
            slips=("title", "id", "description", "test"),
        ),
    ),
    "{can: …}",
    one_of=("can", "cannot", "who", "reach"),
    only_one="a test asks one question",
    part="test",
    clashes=(
        Clash("can", "exactly", YES_OR_NO, "remove exactly, or ask who or reach"),
        Clash("cannot", "exactly", YES_OR_NO, "remove exactly, or ask who or reach"),
        Clash("who", "because", LISTED, "write a test with can, and because there"),
        Clash("reach", "because", LISTED, "write a test with can, and because there"),
        Clash("who", "application", "it lists everybody", "remove application"),
        Clash("reach", "application", "it lists every grant", "remove application"),
    ),
)
GIVEN_KEY = Key(
    "given",
    GIVEN,
    "What exists, for the tests.",
    GIVEN.example,
    slips=("inventory", "fixtures", "setup", "givens"),
)
TESTS_KEY = Key(
    "tests",
    Listing("a test", TEST),
    "Who can do what, and who cannot; a file whose tests fail is a wrong file.",
    f"[{TEST.example}]",
    slips=("test", "expect", "checks", "assertions", "expectations"),
)
TEST_FILE = Mapping(
    "a test file",
    (
        version_key("the policy language"),
        Key(
            "vars",
            Table("vars", VARIABLE_NAME, VALUE),
            "Variables of this file.",
            '{team_area: "s3://{data_bucket}/teams"}',
            slips=("variables", "var"),
        ),
        GIVEN_KEY,
        replace(TESTS_KEY, required=True, description="Who can do what, and who cannot."),
    ),
    "version: 1, and tests: with a list below it",
)
