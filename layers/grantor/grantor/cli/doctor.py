"""grantor doctor: what would go wrong, before a deployment and after it. It only reads."""

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from grantor.aws.bucket_facts import read_connected_buckets, read_named_buckets
from grantor.aws.doctor_facts import (
    StackOutline,
    attempt,
    read_account,
    read_outline,
    read_stack,
    read_vacancy,
)
from grantor.aws.dynamodb import DynamoDBTable
from grantor.aws.role_rights import RightsReader
from grantor.aws.run_store import RunStore
from grantor.aws.studio import Studio
from grantor.cli.output import Progress, format_count
from grantor.cli.session import CommandError, Session, UsageError, read_samconfig
from grantor.core.bucket_checks import (
    check_connected_buckets,
    check_named_buckets,
    list_bucket_names,
)
from grantor.core.deployment_checks import (
    DEFAULT_PARAMETERS,
    AccountFacts,
    check_account,
    check_vacancy,
)
from grantor.core.findings import Finding, Severity, report_skipped
from grantor.core.jobs.request import IMAGE_ACCOUNTS
from grantor.core.planning.rendering import SCHEMA_VERSION, Json
from grantor.core.stack_checks import check_profiles, check_stack

STACK_CHECKS = ("ledger", "trigger", "bucket-events", "clock", "profiles")  # that need a stack
INCOMPLETE = ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE")  # there is nothing of such a stack


def run_doctor(session: Session) -> int:
    """Exits with 0 if nothing is wrong, and with 1 for a failure, or if something is unread."""
    with Progress("examining the account"):
        outline = read_outline(session.clients, session.stack)
        if outline and outline.is_foreign:
            raise CommandError(
                f"stack {session.stack} is not a stack of Grantor: name another with --stack, or "
                "the name that you will deploy under"
            )
        findings = list(_examine(session, outline))
    for finding in findings:
        session.output.print_lines(_describe_finding(finding))
    counts = Counter(str(finding.severity) for finding in findings)
    session.output.print_line(_describe_counts(counts))
    session.output.print_json(_encode_findings(session, findings, counts))
    return int(bool(counts[Severity.FAILURE] or counts[Severity.UNKNOWN]))


def _examine(session: Session, outline: StackOutline | None) -> Iterator[Finding]:
    clients, owner = session.clients, session.caller.account
    deployed = outline is not None and outline.is_deployed
    configured = read_samconfig(Path("samconfig.toml"))
    given = (
        dict(outline.parameters) if outline and deployed else read_parameters(session, configured)
    )
    region = str(configured.get("region", ""))
    account = read_account(clients, session.stack, given, region, clients.region in IMAGE_ACCOUNTS)
    yield from check_account(account)
    if outline and deployed:
        yield from _examine_stack(session, account, outline)
        return
    status = outline.status if outline and outline.status not in INCOMPLETE else ""
    yield from check_vacancy(account, read_vacancy(clients, account, owner, status))
    named = list_bucket_names(account.parameters)
    yield from check_named_buckets(read_named_buckets(clients, owner, named))
    yield from (report_skipped(kind, "the stack is not deployed") for kind in STACK_CHECKS)


def _examine_stack(
    session: Session, account: AccountFacts, outline: StackOutline
) -> Iterator[Finding]:
    clients, caller = session.clients, session.caller
    store = RunStore(DynamoDBTable(clients.dynamodb, outline.outputs["Ledger"]))
    stack = read_stack(
        clients, session.stack, caller.account, outline, lambda: store.read_last_sweep().at
    )
    yield from check_stack(account, stack)
    first = outline.outputs["DataBucket"]  # which check_stack looks at
    others = [one for one in list_bucket_names(account.parameters) if one != first]
    connected = read_connected_buckets(clients, caller.account, others)
    yield from check_connected_buckets(connected)
    studio = Studio(clients.sagemaker)
    domains = attempt("sagemaker:ListDomains", studio.list_domains)
    known = domains if isinstance(domains, dict) else {}
    reader = RightsReader(clients, caller.account, caller.arn.split(":")[1], outline.outputs, known)
    found = attempt("sagemaker:ListUserProfiles", lambda: studio.list_profiles(known, False, {}))
    facts = reader.read_profiles(found if isinstance(domains, dict) else domains)
    yield from check_profiles(stack, facts)


def read_parameters(session: Session, configured: Mapping[str, Any]) -> dict[str, str]:
    """The parameters that a deployment would get: those of samconfig.toml, and over them those of
    --parameter. Raises UsageError for what is no parameter that the doctor knows.
    """
    stored = configured.get("parameter_overrides", "")
    written = shlex.split(stored) if isinstance(stored, str) else [str(one) for one in stored]
    asked = list(session.arguments.parameter or ())
    for text in asked:
        name, equals, _ = text.partition("=")
        if not equals or name not in DEFAULT_PARAMETERS:
            known = ", ".join(sorted(DEFAULT_PARAMETERS))
            raise UsageError(f"--parameter {text}: write NAME=VALUE; the doctor knows {known}")
    return dict(_split_pairs([*written, *asked]))


def _split_pairs(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        name, _, value = text.partition("=")
        yield name, value


def _describe_finding(finding: Finding) -> Iterator[str]:
    yield f"{finding.severity:<8} {finding.id:<18} {finding.what}"
    if finding.meaning:
        yield f"{'':9}means: {finding.meaning}"
        yield f"{'':9}to do: {finding.remedy}"


def _describe_counts(counts: Mapping[str, int]) -> str:
    wrong = [
        format_count(counts[name], word)
        for name, word in (
            (Severity.FAILURE, "failure"),
            (Severity.WARNING, "warning"),
        )
    ]
    rest = f"{counts[Severity.UNKNOWN]} unknown, {counts[Severity.SKIPPED]} skipped"
    return f"{', '.join(wrong)}, {rest}, {counts[Severity.OK]} ok"


def _encode_findings(session: Session, findings: list[Finding], counts: Mapping[str, int]) -> Json:
    """The findings as a document of docs/json.md."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "doctor",
        "stack": session.stack,
        "region": session.clients.region,
        "counts": {str(one): counts[one] for one in Severity},
        "findings": [finding.to_json() for finding in findings],
    }
