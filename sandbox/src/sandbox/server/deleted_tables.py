"""A DynamoDB table that is deleted: its protection also binds CloudFormation, and what is left of
it is a system backup.

Source: DynamoDB Developer Guide, "Point-in-time recovery for DynamoDB": if a table with
point-in-time recovery is deleted, a backup of its last state is created at once, kept for 35 days,
and named with `$DeletedTableBackup`; without it, nothing is left. A table that is restored from it
has neither time to live, nor point-in-time recovery, nor deletion protection, nor tags.
"""

import json
from collections.abc import Callable
from typing import Any

from sandbox.server.seams import use_seam, wrap_seam

TABLES = "ministack.services.dynamodb"
HANDLERS = ("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS")
Answer = tuple[int, dict[str, str], bytes]


def install() -> None:
    """Back a table up before it goes, and have CloudFormation delete it as everybody else does."""
    wrap_seam(TABLES, "_delete_table", "data", _back_up_first)
    use_seam(*HANDLERS)["AWS::DynamoDB::Table"] |= {"delete": _delete_for_stack}


def _back_up_first(
    original: Callable[[dict[str, Any]], Answer],
) -> Callable[[dict[str, Any]], Answer]:
    def delete(data: dict[str, Any]) -> Answer:
        name = use_seam(TABLES, "_normalize_table_name", "value")(data.get("TableName"))
        backup = _create_backup(name) if use_seam(TABLES, "_pitr_settings").get(name) else ""
        answer = original(data)
        if backup and answer[0] != 200:  # it stays
            use_seam(TABLES, "_backups").pop(backup, None)
        return answer

    return delete


def _delete_for_stack(name: str, _: dict[str, Any]) -> None:
    """Delete the table of a stack. Raises ValueError if it is protected."""
    if name not in use_seam(TABLES, "_tables"):
        return
    status, _headers, body = use_seam(TABLES, "_delete_table", "data")({"TableName": name})
    if status != 200:
        raise ValueError(f"{json.loads(body).get('message', body)} (Service: DynamoDb)")


def _create_backup(name: str) -> str:
    """Create the system backup of a table; return its ARN, "" if there is no such table."""
    create = use_seam(TABLES, "_create_backup", "data")
    status, _, body = create({"TableName": name, "BackupName": f"{name}$DeletedTableBackup"})
    if status != 200:
        return ""
    arn = str(json.loads(body)["BackupDetails"]["BackupArn"])
    backups = use_seam(TABLES, "_backups")
    kept = backups[arn]
    kept["BackupDetails"] = kept["BackupDetails"] | {"BackupType": "SYSTEM"}
    backups[arn] = kept
    return arn
