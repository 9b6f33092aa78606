"""Policy files for the tests of several commands."""


def build_rules(role: str, number: int) -> str:
    """Build so many rules for one role: s3://data/00/*, s3://data/01/* …"""
    rules = (
        f"  - {{name: r{n:02}, to: {{role: '{role}'}}, on: 's3://data/{n:02}/*', allow: READ}}\n"
        for n in range(number)
    )
    return "version: 1\nrules:\n" + "".join(rules)


def build_rule(
    role: str, scope: str, *, name: str = "one", allow: str = "READ", mode: str = "authoritative"
) -> str:
    """Build a policy file with one rule for a role."""
    rule = f"  - {{name: {name}, to: {{role: '{role}'}}, on: '{scope}', allow: {allow}}}\n"
    return f"version: 1\nmode: {mode}\nrules:\n{rule}"
