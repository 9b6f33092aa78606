"""The forms of text that the policy language knows: names, ARNs, scopes, dates and so on."""

from dataclasses import replace

from grantor.core.policy.value_types import Form
from grantor.limits import MAX_CONTAINER_ARGUMENT_CHARACTERS

TEST_SUFFIXES = (".test.yaml", ".test.yml")  # of a file that has tests alone
IAM_PATH_AND_NAME = r"(?:[\w+=,.@-]+/)*[\w+=,.@-]{1,64}"

RULE_NAME = Form(
    "a rule's name",
    "a name has up to 63 letters, digits, dots, hyphens and underscores, "
    "and starts with a letter or digit",
    "own-folder",
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}",
)
VARIABLE_NAME = Form(
    "a variable's name",
    "a name has up to 63 lower-case letters, digits and underscores, and starts with a letter",
    "team_area",
    r"[a-z][a-z0-9_]{0,62}",
)
VALUE = Form(
    "a text",
    "it may use {data_bucket} and the variables above it",
    '"s3://{data_bucket}/teams"',
    variables=True,
)
SCOPE = Form(
    "a scope",
    "a scope is s3://BUCKET/PREFIX/*, or s3://BUCKET/KEY.EXT for one object",
    "s3://{data_bucket}/Product/*",
    r"s3://.*",
    variables=True,
)
OBJECT = Form(
    "an object",
    "an object is s3://BUCKET/KEY, without a *",
    '"s3://{data_bucket}/Product/README"',
    r"s3://.*",
    variables=True,
)
BASE = Form(
    "a folder of folders",
    "it is s3://BUCKET/FOLDER/, with a slash at the end and no *",
    '"s3://{data_bucket}/teams/"',
    r"s3://.*/",
    variables=True,
)
ROLE = Form(
    "an IAM role's ARN",
    "it names the account and the role, with the role's path",
    "arn:aws:iam::111122223333:role/auditor",
    rf"arn:aws[a-z-]*:iam::\d{{12}}:role/{IAM_PATH_AND_NAME}",
    2048,
    variables=True,
)
USER = Form(
    "an IAM user's ARN",
    "it names the account and the user, with the user's path",
    "arn:aws:iam::111122223333:user/ana",
    rf"arn:aws[a-z-]*:iam::\d{{12}}:user/{IAM_PATH_AND_NAME}",
    2048,
    variables=True,
)
DIRECTORY_USER = Form(
    "a user of IAM Identity Center",
    "name the user by user name, of up to 128 characters, or by ID",
    "ana@example.com",
    longest=128,
    variables=True,
)
DIRECTORY_GROUP = Form(
    "a group of IAM Identity Center",
    "name the group by its name, of up to 1,024 characters, or by ID",
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
# DomainName and UserProfileName in SageMaker's model have the same form.
DOMAIN = Form(
    "a Studio domain's name",
    "a domain's name has up to 63 letters, digits and hyphens, "
    "and starts and ends with a letter or digit",
    "Product-Domain",
    r"[A-Za-z0-9](?:-*[A-Za-z0-9])*",
    63,
    variables=True,
)
DOMAINS = replace(
    DOMAIN,
    name="a Studio domain's name or a glob",
    description="a domain's name has up to 63 letters, digits and hyphens, "
    "and in a glob * matches any number of them and ? matches one",
    pattern=r"[A-Za-z0-9*?](?:-*[A-Za-z0-9*?])*",
)
PROFILE_NAME = Form(
    "a profile's name or a glob",
    "a profile's name has up to 63 letters, digits and hyphens, "
    "and in a glob * matches any number of them and ? matches one",
    "user*",
    r"[A-Za-z0-9*?](?:-*[A-Za-z0-9*?])*",
    63,
    variables=True,
)
PROFILE_ID = Form(
    "a profile as DOMAIN/NAME",
    "name one profile by its domain and its name, with a slash between them",
    "Product-Domain/userB",
    r"[A-Za-z0-9](?:-*[A-Za-z0-9]){0,62}/[A-Za-z0-9](?:-*[A-Za-z0-9]){0,62}",
    127,
    variables=True,
)
BECAUSE = Form(
    "a reason",
    "say in up to 500 characters why, for whoever asks later",
    '"laptop stolen, ticket 4711"',
    longest=500,
)
OWNER = Form(
    "an owner",
    "say in up to 200 characters whom to ask: a team, an address or a channel",
    "data-platform@example.com",
    longest=200,
)
DESCRIPTION = Form(
    "a description",
    "say in up to 500 characters what it is for",
    '"notebooks of the product team"',
    longest=500,
)
TAG_KEY = Form("a tag's key", "a tag's key has up to 128 characters", "team", longest=128)
TAG_VALUE = Form(
    "a tag's value",
    "a tag's value has up to 256 characters",
    "blue",
    longest=256,
    variables=True,
    may_be_empty=True,
)
END = Form(
    "a date or a time",
    "a date includes the whole day in UTC, and a time is in UTC",
    "2027-03-31",
    r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?Z)?",
    unquoted=True,
)
UNTIL = replace(
    END,
    name="a date or a time, or a profile's tag that holds one",
    description="a date includes the whole day in UTC, a time is in UTC, and "
    '"{profile.tags.KEY}" is what each profile\'s tag says',
    variables=True,
)
SPAN = Form(
    "a length of time",
    "write a whole number and h, d or w, for hours, days or weeks",
    "30d",
    r"[1-9]\d{0,3}[hdw]",
    unquoted=True,
)
REVIEW = Form(
    "how long a review holds",
    "write a whole number and d or w, for days or weeks",
    "90d",
    r"[1-9]\d{0,3}[dw]",
    unquoted=True,
)

# Of jobs. The bounds are those of SageMaker's model.
JOB_NAME = replace(RULE_NAME, name="a job's name", example="abalone")
JOB_TYPE_NAME = Form(
    "a job type's name",
    "it is the name of a folder in spark_jobs/: up to 63 lower-case letters, digits, hyphens and "
    "underscores, with a letter first",
    "abalone",
    r"[a-z][a-z0-9_-]{0,62}",
    variables=True,  # parse_jobs.py explains what is wrong with it
)
UPLOAD = Form(
    "an object or a pattern of objects",
    "it is s3://BUCKET/KEY, s3://BUCKET/FOLDER/* for everything below a folder, or a key with * "
    "and {word} for parts of it",
    '"s3://{data_bucket}/{profile.folder}/abalone.csv"',
    r"s3://.*[^/]",
    variables=True,
)
OUTPUT = Form(
    "a folder",
    "a folder is s3://BUCKET/FOLDER/, with a slash at the end and no *",
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
    "a time limit",
    "write a whole number and m, h or d, for minutes, hours or days, up to 5d",
    "1h",
    r"[1-9]\d{0,3}[mhd]",
    unquoted=True,
)
QUIET = Form(
    "a length of time",
    "write a whole number and s or m, for seconds or minutes, from 10s to 15m",
    "30s",
    r"[1-9]\d{0,3}[sm]",
    unquoted=True,
)
AUTO = Form(
    "auto",
    "auto chooses the machines by the size of the input",
    "auto",
    "auto",
    variables=True,  # as above
)
INTEGER_VALUE = Form(
    "a whole number",
    "a whole number has up to 15 digits",
    "10",
    r"-?(?:0|[1-9]\d{0,14})",
    unquoted=True,
    scalar=True,
)
NUMBER_VALUE = Form(
    "a number",
    "a number has digits, and perhaps a point and more digits",
    "0.5",
    r"-?\d{1,15}(?:\.\d{1,15})?",
    unquoted=True,
    scalar=True,
)
BOOLEAN_VALUE = Form(
    "true or false", "write true or false", "true", "true|false", unquoted=True, scalar=True
)
ARGUMENT_NAME = Form(
    "an argument's name",
    "a name has up to 254 lower-case letters, digits and underscores, and starts with a letter",
    "max_quarantine",
    r"[a-z][a-z0-9_]{0,253}",
)
ARGUMENT = Form(
    "a value",
    f"a value has up to {MAX_CONTAINER_ARGUMENT_CHARACTERS} characters",
    '"1%"',
    longest=MAX_CONTAINER_ARGUMENT_CHARACTERS,
    variables=True,
    unquoted=True,
    scalar=True,
)
QUARANTINE = Form(
    "a number of lines or a share",
    "100 is a number of lines, and 1% is a share of them",
    '"1%"',
    r"[0-9]{1,9}(?:\.[0-9]{1,6})?%|[0-9]{1,18}",
    variables=True,
)
ACCESS = Form(
    "a way to access the data",
    "access must be auto, s3a or staged",
    "auto",
    "auto|s3a|staged",
    variables=True,
)
