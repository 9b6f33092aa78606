"""Policy files that are good, each showing something of the language."""

from tests.conftest import ROOT

APPLICATION = "arn:aws:sso::111122223333:application/ssoins-1/apl-1"
RULES = (
    "{name: a, to: {role: arn:aws:iam::111122223333:role/x/a}, on: s3://data/a/*, allow: READ, until: 2027-03-31}",
    "{name: a, to: {user: arn:aws:iam::111122223333:user/ana}, on: s3://data, allow: WRITE, until: 2027-03-31T18:00Z}",
    "{name: a, to: {profiles: {domain: D}}, on: {scope: s3://data/*, except: [s3://data/a/*, s3://data/b.csv]}, allow: READ}",
    '{name: a, to: {profiles: {domain: D, names: "user*", tags: {team: blue, x: ""}}}, on: s3://data/a.csv, allow: READ, for: 30d}',
    '{name: a, to: {each_profile: {domain: D, names: [a, "b?"]}}, on: "s3://{data_bucket}/{profile.folder}/*", allow: READWRITE}',
    '{name: a, to: {each_profile: {domain: D}}, on: "s3://data/{profile.tags.team}*", allow: READ, raw_prefix: true, for: 1w}',
    "{name: a, to: {profiles: {domain: D}}, on: {object: s3://data/README}, allow: READ, shared_role: accepted, raw_prefix: false}",
    '{name: a, to: {profiles: {domain: D, tags: {team: "{prefix.name}"}}}, on: {each_prefix: s3://data/teams/}, allow: READWRITE}',
    '{name: a, to: {directory_group: "t-{prefix.name}"}, on: {each_prefix: s3://d-1/, scope: "s3://x-1/{prefix.name}.csv"}, allow: READ}',
    f"{{name: a, to: {{directory_user: ana@example.com}}, on: s3://data/a/*, allow: READ, application: {APPLICATION}}}",
    '{name: a, to: {role: "arn:aws:iam::{account}:role/a"}, on: "{area}/*", allow: READ}',
)
TOP = 'version: 1\nmode: additive\nvars: {account: "111122223333", area: "s3://{data_bucket}/x"}\n'
GOOD = [
    *(path.read_text() for path in sorted(ROOT.glob("policy/*.yaml"))),
    *(f"{TOP}rules: [{rule}]\n" for rule in RULES),
    f"{TOP}rules:\n" + "".join(f"  - {rule.replace('name: a', f'name: a{number}')}\n" for number, rule in enumerate(RULES)),
]
