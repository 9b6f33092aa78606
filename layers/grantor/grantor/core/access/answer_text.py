"""Answers to questions about access as sentences, tables and the JSON documents of docs/json.md.

The first line is the answer. Each further line begins with a label.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from grantor.core.access.answers import AccessRow, AskedPrincipal, CanAnswer, RuleSource
from grantor.core.access.explain import Cause, Explanation, FileFault
from grantor.core.access.proposed_rule import ProposedRule
from grantor.core.data_access import STEWARD
from grantor.core.diagnostics import join_words
from grantor.core.grant import Reason, format_end
from grantor.core.planning.bounds import ALL_FILES
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
    Cause.APPLICATION: "{} gives it to sessions of another application",
    Cause.ON_HOLD: "what would give it is on hold",
    Cause.FILE_REJECTED: "a file that is not in force as it stands may give it",
}
TABLE_HEAD = ("permission", "scope", "to", "profiles", "because", "since", "until")
WIDE_HEAD = ("reaches", "line", "version", "owner", "id")


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
    if answer.fate:
        yield f"warning: {answer.fate}"
    yield f"credentials: for {answer.scope}"


def _describe_no(answer: CanAnswer, sources: Mapping[str, RuleSource], home: Home) -> Iterator[str]:
    expected = answer.expected
    if expected.grant:
        yield f"because: {answer.deferral}: {describe_grant(expected.grant, home)}"
        yield from (f"wanted: {describe_reason(reason, sources)}" for reason in expected.reasons)
        return
    if not expected.causes:
        yield "because: no grant of then gives it"
    yield from (f"because: {text}" for text in describe_causes(expected, sources))
    yield from (f"on hold: {hold.rule}: {hold.why}" for hold in expected.on_hold)
    yield from (f"file: {describe_fault(fault)}" for fault in expected.faults)
    if answer.proposal:
        yield from describe_proposal(answer.proposal)


def describe_causes(expected: Explanation, sources: Mapping[str, RuleSource]) -> Iterator[str]:
    """What keeps the rules from giving access, one cause a line."""
    rules = sorted({reason.rule for reason in expected.reasons})
    named = " and ".join(describe_rule(rule, sources) for rule in rules) or "a rule"
    yield from (CAUSES[cause].format(named) for cause in expected.causes)


def describe_fault(fault: FileFault) -> str:
    """A file that is not in force as it stands.

    >>> describe_fault(FileFault("policy/a.yaml", "line 3: unknown key 'alow'", "3Lg8"))
    "policy/a.yaml: line 3: unknown key 'alow'; its version 3Lg8 is in force"
    """
    instead = f"its version {fault.version} is in force" if fault.version else "nothing of it is"
    return f"{fault.file}: {fault.why}; {instead}"


def describe_proposal(proposal: ProposedRule) -> Iterator[str]:
    """Whom to ask, what is in the way, and last the rule, to paste."""
    yield f"ask: {join_words(proposal.owners or (STEWARD,), 'or')}"
    if not proposal.folder:
        yield f"in the way: {proposal.why}"
    where = proposal.folder or ALL_FILES
    yield f"to grant it, add below rules: in a policy file of {where}:"
    yield from proposal.text.splitlines()


def describe_moment(as_of: datetime) -> str:
    """Of which moment an answer is."""
    return f"as of: {format_timestamp(as_of)}"


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
    line = f"line {source.line}" if source.line else ""
    version = f"version {source.version}" if source.version else ""
    place = " of ".join(filter(None, (line, version)))
    known = ", ".join(filter(None, (place, source.owner and f"owner {source.owner}")))
    return f"{rule} ({known})" if known else rule


def build_table(
    rows: Iterable[AccessRow],
    profiles: Mapping[str, Sequence[str]],
    home: Home,
    sources: Mapping[str, RuleSource] | None = None,
) -> Iterator[tuple[str, ...]]:
    """The rows as cells, the head first. With the places of the rules it has all that is known, and
    says whether a grant reaches all that was asked about.
    """
    yield TABLE_HEAD if sources is None else (*TABLE_HEAD, *WIDE_HEAD)
    for row in rows:
        grant = row.grant
        wide = () if sources is None else _list_wide(row, sources)
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
            *wide,
        )


def _list_wide(row: AccessRow, sources: Mapping[str, RuleSource]) -> tuple[str, ...]:
    rules = sorted({reason.rule for reason in row.reasons})
    known = [source for rule in rules if (source := sources.get(rule))]
    return (
        "all" if row.is_whole else "part",
        " and ".join(str(source.line) for source in known if source.line),
        " and ".join(dict.fromkeys(source.version for source in known if source.version)),
        " and ".join(dict.fromkeys(source.owner for source in known if source.owner)),
        row.id,
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


def encode_can(
    answer: CanAnswer, sources: Mapping[str, RuleSource], as_of: datetime | None = None
) -> Json:
    """An answer to `can` as a document."""
    expected, proposal = answer.expected, answer.proposal
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "can",
        "as_of": format_timestamp(as_of) if as_of else None,
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
            "reasons": [encode_source(reason, sources) for reason in expected.reasons],
            "on_hold": [{"rule": hold.rule, "why": hold.why} for hold in expected.on_hold],
            "faults": [
                {"file": one.file, "why": one.why, "version": one.version or None}
                for one in expected.faults
            ],
        },
        "deferral": answer.deferral or None,
        "fate": answer.fate or None,
        "proposed_rule": proposal.text if proposal else None,
        "proposed_folder": proposal.folder or None if proposal else None,
        "obstacle": proposal.why or None if proposal else None,
        "owners": list(proposal.owners) if proposal else [],
    }


def encode_rows(
    kind: str,
    question: Json,
    rows: Iterable[AccessRow],
    sources: Mapping[str, RuleSource],
    as_of: datetime | None = None,
) -> Json:
    """Rows as a document: of `who`, or of `reach`."""
    listed = [encode_row(row, sources) for row in rows]
    moment = format_timestamp(as_of) if as_of else None
    head = {"schema_version": SCHEMA_VERSION, "kind": kind, "as_of": moment}
    return {**head, **question, "grants": listed}


def encode_row(row: AccessRow, sources: Mapping[str, RuleSource]) -> Json:
    """One grant of an answer."""
    return encode_grant(row.grant) | {
        "id": row.id or None,
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
