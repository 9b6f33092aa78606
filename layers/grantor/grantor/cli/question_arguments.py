"""The arguments of commands that answer questions about access, for their parsers.

This module imports little of Grantor, as commands.py does.
"""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, datetime

from grantor.core.grant import Permission
from grantor.settings import REVIEW_LIST_DAYS

PRINCIPAL = (
    "a profile as DOMAIN/NAME, the ARN of a role or user, directory_user:NAME or "
    "directory_group:NAME"
)


def parse_time(text: str) -> datetime:
    """Read a date or a date with a time in ISO 8601; UTC without a zone. Raises ArgumentTypeError.

    >>> print(parse_time("2026-12-01"), parse_time("2026-12-01T10:00+02:00"), sep=", ")
    2026-12-01 00:00:00+00:00, 2026-12-01 08:00:00+00:00
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(
            f"{text} is no time: write a date such as 2026-12-01, or 2026-12-01T09:30"
        ) from None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def list_permissions() -> list[str]:
    """List the permissions as they are written."""
    return [str(permission) for permission in Permission]


def add_can_arguments(parser: ArgumentParser) -> None:
    add_principal_argument(parser)
    parser.add_argument("permission", metavar="PERMISSION", choices=list_permissions(),
                        help="READ, WRITE or READWRITE")  # fmt: skip
    add_place_argument(parser)
    parser.add_argument(
        "--expect", choices=["yes", "no"], help="exit with 0 for this answer (default: yes)"
    )
    add_source_arguments(parser)


def add_who_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("permission", nargs="?", metavar="PERMISSION", choices=list_permissions(),
                        help="READ, WRITE or READWRITE (default: any)")  # fmt: skip
    add_place_argument(parser)
    add_table_arguments(parser)
    add_source_arguments(parser)


def add_reach_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("who", nargs="?", metavar="WHO", help=f"{PRINCIPAL} (default: yourself)")
    add_table_arguments(parser)
    add_source_arguments(parser)
    parser.add_argument(
        "--account", metavar="ID", help="without WHO: the account of the data (default: your own)"
    )
    parser.add_argument(
        "--region", help="without WHO: the Region of the data (default: AWS_REGION)"
    )


def add_compare_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "old",
        metavar="OLD",
        help="a folder of policy files, or a checkout with policy/ in it; live for the stack's "
        "files; policy/FILE@VERSION for these with one file in another version; @TIME for the "
        "grants of then",
    )
    parser.add_argument("new", metavar="NEW", help="what to compare it with; as OLD")
    parser.add_argument(
        "--no-new-access",
        action="store_true",
        help="exit with 6 if NEW gives anybody what OLD does not, else with 0",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--profiles",
        metavar="FILE",
        help="without AWS, with the inventory that grantor inventory has saved in this file",
    )
    source.add_argument(
        "--rules-only",
        action="store_true",
        help="compare folders without AWS, for any profiles and folders that there may be",
    )


def add_changes_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "about",
        nargs="?",
        metavar="S3URL|WHO",
        help="place in S3, or a profile, role, user or group as in can (default: everything)",
    )
    parser.add_argument(
        "--since",
        type=parse_time,
        metavar="TIME",
        help="only what happened since this date or time, UTC (default: 30 days ago)",
    )
    add_csv_argument(parser)


def add_report_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--html", metavar="DIR", required=True, help="folder to write the pages to")
    add_profiles_argument(parser)


def add_review_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=["list", "sign"], help="list, or sign")
    parser.add_argument(
        "rules", nargs="*", metavar="RULE", help="FILE#NAME of a rule (default: all rules)"
    )
    parser.add_argument("--owner", help="the rules of this owner; - for those of nobody")
    parser.add_argument(
        "--days",
        type=int,
        default=REVIEW_LIST_DAYS,
        help=f"for list: not reviewed for so many days (default: {REVIEW_LIST_DAYS})",
    )
    parser.add_argument("--seen", metavar="DIGEST", help="for sign: the digest of what you saw")
    parser.add_argument("--because", metavar="TEXT", help="for sign: what you have checked")


def add_profiles_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--profiles",
        metavar="FILE",
        help="without AWS, by the inventory that grantor inventory has saved in this file",
    )


def add_principal_argument(parser: ArgumentParser) -> None:
    parser.add_argument("who", metavar="WHO", help=PRINCIPAL)


def add_place_argument(parser: ArgumentParser) -> None:
    parser.add_argument(
        "url", metavar="S3URL", help="s3://BUCKET/KEY, or s3://BUCKET/PREFIX/* for all below it"
    )


def add_csv_argument(parser: ArgumentParser) -> None:
    parser.add_argument("--csv", action="store_true", help="print the table as CSV")


def add_table_arguments(parser: ArgumentParser) -> None:
    add_csv_argument(parser)
    parser.add_argument(
        "--wide", action="store_true", help="with the line, version and owner of each rule"
    )


def add_source_arguments(parser: ArgumentParser) -> None:
    """Take where a question is answered from, as cli/sources.py reads it."""
    parser.add_argument(
        "--policy", metavar="DIR", help="as it would be with the policy files of this folder"
    )
    add_profiles_argument(parser)
    parser.add_argument(
        "--as-of",
        type=parse_time,
        metavar="TIME",
        help="as it was: 2026-11-30, or 2026-11-30T18:00Z",
    )
