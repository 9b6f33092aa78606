"""Valid policy files, each showing a part of the language."""

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
    '{name: a, to: [{user: "arn:aws:iam::{account}:user/a"}, {directory_group: G}], on: [s3://data/a/*, {object: s3://data/b}], allow: READ}',
    '{name: a, to: {profiles: {domain: [D, "*-x"], except: [a, "b*", {tags: {k: v}}]}}, on: s3://data/a/*, allow: READ, owner: ana}',
    '{name: a, to: {each_profile: {domain: "?"}}, on: "s3://data/{domain.name}/*", allow: READ, until: "{profile.tags.end}", description: x y}',
)
ROLE = "arn:aws:iam::111122223333:role/x/a"
MACHINES = "instances: {type: ml.m5.xlarge, count: 1, volume: 16384}, time_limit: 5d"
ACCESS = 'arguments: {access: "{profile.tags.access}", max_quarantine: "1%"}, shared_role: accepted'
EACH = "as: {each_profile: {domain: D}}, on: "
JOBS = (
    f'{{name: a, run: abalone, as: {{role: "{ROLE}"}}, on: "s3://{{data_bucket}}/a.csv", output: "s3://{{data_bucket}}/a/"}}',
    f'{{name: a, run: abalone, {EACH}"{{area}}/{{profile.folder}}/x", output: "{{area}}/{{profile.folder}}/b/", {MACHINES}}}',
    f'{{name: a, run: abalone, {EACH}"{{area}}/{{profile.name}}.csv", input: "{{area}}/b", output: "{{area}}/c/{{profile.name}}/", {ACCESS}}}',
)
SUSPENSIONS = (
    "{profile: D/ana, because: lost}",
    f'{{role: "{ROLE}", because: lost, until: 2027-01-31}}',
)
GIVEN = (
    "{profiles: {D/ana: {tags: {team: blue}, created: 2027-01-01}, D/ben: {role: arn:aws:iam::111122223333:role/a}}}",
    '{users: {ana: {groups: [G]}, ben: {groups: []}}, groups: [H], folders: ["{area}/teams/"]}',
)
TESTS = (
    "{can: D/ana READ s3://data/a/b.csv, because: a0, at: 2027-01-31T18:00Z, name: x y}",
    '{cannot: ["ana WRITE {area}/a/*", "directory_user:ana READ s3://data/a/x"], application: "'
    + APPLICATION
    + '"}',
    "{who: READ s3://data/a/*, exactly: [D/ana, directory_group:G]}",
    "{who: s3://data, exactly: []}",
    f'{{reach: "{ROLE}", exactly: ["READ s3://data/a/*"], at: 2027-03-31}}',
)
TOP = 'version: 1\nmode: additive\nowner: data@example.com\ndescription: "all of it"\nvars: {account: "111122223333", area: "s3://{data_bucket}/x"}\n'


def _lines(parts: tuple[str, ...]) -> str:
    return "".join(
        f"  - {part.replace('name: a', f'name: a{number}')}\n" for number, part in enumerate(parts)
    )


GOOD = [
    *(path.read_text() for path in sorted(ROOT.glob("policy/*.yaml"))),
    *(f"{TOP}rules: [{rule}]\n" for rule in RULES),
    *(f"{TOP}jobs: [{job}]\n" for job in JOBS),
    *(
        f"{TOP}{part}:\n{lines}"
        for part, lines in (("rules", _lines(RULES)), ("jobs", _lines(JOBS)))
    ),
    f"{TOP}rules:\n{_lines(RULES)}jobs:\n{_lines(JOBS)}",
    f"{TOP}suspend: [{', '.join(SUSPENSIONS)}]\n",
    *(f"{TOP}rules:\n{_lines(RULES)}given: {given}\ntests: [{TESTS[-1]}]\n" for given in GIVEN),
    *(f"{TOP}rules:\n{_lines(RULES)}tests: [{test}]\n" for test in TESTS),
]
