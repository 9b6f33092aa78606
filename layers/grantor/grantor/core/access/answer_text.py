"""Answers to questions about access as sentences, tables and the JSON documents of docs/json.md.

The first line is the answer. Each further line begins with a label.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from grantor.core.access.answers import AccessRow, AskedPrincipal, CanAnswer, RuleSource
from grantor.core.access.explain import Cause, Explanation
from grantor.core.grant import Reason, format_end
from grantor.core.planning.rendering import (
    SCHEMA_VERSION,
    Home,
    Json,
    describe_grant,
    describe_grantee,
    describe_holder,
    encode_grant,
    encode_reason,
    format_timestamp,
)

# What each cause means; {} are the rules that it concerns.
CAUSES = {
    Cause.NO_RULE: "no rule gives it",
    Cause.ENDED: "{} has ended",
    Cause.EXCEPTED: "{} excepts it",
    Cause.SUSPENDED: "a suspension takes everything from whom it names, whatever rules give",
    Cause.OUT_OF_BOUNDS: "{} would give more than the bounds of its file allow",
    Cause.SHARED_ROLE: "{} is refused, because profiles that it does not mean share the role",
}
TABLE_HEAD = ("permission", "scope", "to", "profiles", "because", "since", "until")


def describe_can(answer: CanAnswer, sources: Mapping[str, RuleSource], home: Home) -> Iterator[str]:
    """An answer to `can` in lines."""
    who = describe_principal(answer.who, home)
    verb = "may" if answer.is_yes else "may not"
    yield f"{'yes' if answer.is_yes else 'no'}: {who} {verb} {answer.permission} {answer.target}"
    if answer.row:
        yield from _describe_yes(answer, answer.row, sources, home)
        return
    yield from _describe_no(answer, sources, home)


def describe_principal(who: AskedPrincipal, home: Home) -> str:
    """Whom a question is about.

    A profile is named together with its role, because S3 Access Grants knows roles only.
    """
    holder = describe_grantee(who.principal.grantees[-1], home)
    return f"{who.subject} ({holder})" if who.subject else holder


def _describe_yes(
    answer: CanAnswer, row: AccessRow, sources: Mapping[str, RuleSource], home: Home
) -> Iterator[str]:
    yield f"through: {describe_grant(row.grant, home)}, {format_end(row.until)}"
    yield from (f"because: {describe_reason(reason, sources)}" for reason in row.reasons)
    if not row.is_managed:
        yield "because: the grant is unmanaged: it is not in the ledger, and no rule takes it away"
    elif not answer.is_settled:
        yield "warning: no rule gives it now; the next run takes the grant away, unless it is kept"
    yield f"credentials: for {answer.scope}"


def _describe_no(answer: CanAnswer, sources: Mapping[str, RuleSource], home: Home) -> Iterator[str]:
    expected = answer.expected
    if expected.grant:
        yield f"because: {answer.deferral}: {describe_grant(expected.grant, home)}"
        yield from (f"wanted: {describe_reason(reason, sources)}" for reason in expected.reasons)
        return
    yield from (f"because: {text}" for text in describe_causes(expected, sources))
    yield from (f"on hold: {hold.rule}: {hold.why}" for hold in expected.on_hold)
    if Cause.SUSPENDED not in expected.causes:
        yield "to grant it, add below rules: in a policy file:"
        yield from answer.proposal.splitlines()


def describe_causes(expected: Explanation, sources: Mapping[str, RuleSource]) -> Iterator[str]:
    """What keeps the rules from giving access, one cause a line."""
    rules = sorted({reason.rule for reason in expected.reasons})
    named = " and ".join(describe_rule(rule, sources) for rule in rules) or "a rule"
    yield from (CAUSES[cause].format(named) for cause in expected.causes)


def describe_reason(reason: Reason, sources: Mapping[str, RuleSource]) -> str:
    """A reason with the place of its rule."""
    whom = f" for {', '.join(reason.subjects)}" if reason.subjects else ""
    return f"{describe_rule(reason.rule, sources)}{whom}"


def describe_rule(rule: str, sources: Mapping[str, RuleSource]) -> str:
    """A rule, its line, the version of its file and its owner, as far as they are known.

    >>> source = RuleSource("policy/a.yaml#team", 3, "3Lg8", "platform")
    >>> print(describe_rule("policy/a.yaml#team", {"policy/a.yaml#team": source}))
    policy/a.yaml#team (line 3 of version 3Lg8, owner platform)
    >>> print(describe_rule("policy/a.yaml#team", {}))
    policy/a.yaml#team
    """
    source = sources.get(rule)
    if source is None:
        return rule
    version = f" of version {source.version}" if source.version else ""
    owner = f", owner {source.owner}" if source.owner else ""
    return f"{rule} (line {source.line}{version}{owner})"


def build_table(
    rows: Iterable[AccessRow], profiles: Mapping[str, Sequence[str]], home: Home
) -> Iterator[tuple[str, ...]]:
    """The rows as cells, the head first. A prefix that only a part of is reached is marked."""
    yield TABLE_HEAD
    for row in rows:
        grant = row.grant
        yield (
            str(grant.permission),
            grant.scope,
            describe_holder(grant, home),
            ", ".join(name_profiles(row, profiles)),
            " and ".join(sorted({reason.rule for reason in row.reasons}))
            if row.is_managed
            else "unmanaged",
            row.since,
            format_timestamp(row.until) if row.until else "",
        )


def name_profiles(row: AccessRow, profiles: Mapping[str, Sequence[str]]) -> list[str]:
    """The profiles that run as the grant's role, as DOMAIN/NAME."""
    return [one.partition(" ")[2] for one in profiles.get(row.grant.grantee.identifier, ())]


def align_table(table: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """The table as lines, its columns aligned.

    >>> list(align_table([("a", "b"), ("long", "c")]))
    ['a     b', 'long  c']
    """
    rows = list(table)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def encode_can(answer: CanAnswer, sources: Mapping[str, RuleSource]) -> Json:
    """An answer to `can` as a document."""
    expected = answer.expected
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "can",
        "who": encode_principal(answer.who),
        "permission": str(answer.permission),
        "target": answer.target,
        "answer": "yes" if answer.is_yes else "no",
        "through": encode_row(answer.row, sources) if answer.row else None,
        "credentials_scope": answer.scope or None,
        "expected": {
            "answer": "yes" if expected.grant else "no",
            "grant": encode_grant(expected.grant) if expected.grant else None,
            "causes": [str(cause) for cause in expected.causes],
            "reasons": [encode_reason(reason) for reason in expected.reasons],
            "on_hold": [{"rule": hold.rule, "why": hold.why} for hold in expected.on_hold],
        },
        "deferral": answer.deferral or None,
        "proposed_rule": answer.proposal or None,
    }


def encode_rows(
    kind: str, question: Json, rows: Iterable[AccessRow], sources: Mapping[str, RuleSource]
) -> Json:
    """Rows as a document: of `who`, or of `reach`."""
    listed = [encode_row(row, sources) for row in rows]
    return {"schema_version": SCHEMA_VERSION, "kind": kind, **question, "grants": listed}


def encode_row(row: AccessRow, sources: Mapping[str, RuleSource]) -> Json:
    """One grant of an answer."""
    return encode_grant(row.grant) | {
        "managed": row.is_managed,
        "covers_all": row.is_whole,
        "since": row.since or None,
        "until": format_timestamp(row.until) if row.until else None,
        "reasons": [encode_source(reason, sources) for reason in row.reasons],
    }


def encode_source(reason: Reason, sources: Mapping[str, RuleSource]) -> Json:
    """A reason with the place of its rule."""
    source = sources.get(reason.rule, RuleSource(reason.rule, 0))
    return encode_reason(reason) | {
        "line": source.line or None,
        "version": source.version or None,
        "owner": source.owner or None,
    }


def encode_principal(who: AskedPrincipal) -> Json:
    """Whom a question is about."""
    grantees = [{"type": one.kind, "identifier": one.identifier} for one in who.principal.grantees]
    return {"subject": who.subject or None, "grantees": grantees}
