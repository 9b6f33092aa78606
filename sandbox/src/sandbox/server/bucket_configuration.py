"""Policy and notification configuration of a bucket: kept letter by letter, and within S3's limits.

The server by itself writes notifications anew: it sorts them by kind and drops what it does not
act on, so that a client that loses or reorders somebody else's entries goes unnoticed. It takes XML
that it cannot read for an empty configuration, and a policy of any size. Sources: S3 API reference,
PutBucketNotificationConfiguration; S3 User Guide, "Bucket policies are limited to 20 KB in size".
Whether S3 itself returns the letters that it was sent is a switch, `bucket_texts_kept`, and so is
the code for a large policy, `large_policy_code`.
"""

import re
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import ParseError

from sandbox.server.control import current_switches
from sandbox.server.s3_addresses import S3
from sandbox.server.seams import use_seam, wrap_seam
from sandbox.switches import ObjectSwitches

Answer = tuple[int, dict[str, str], bytes]
MAX_POLICY_BYTES = 20 * 1024
ROOT = "NotificationConfiguration"
ENTRY = re.compile(
    r"<((?:Queue|Topic|CloudFunction|LambdaFunction)Configuration)>(.*?)</\1>", re.DOTALL
)
SKIPS = "x-amz-skip-destination-validation"


def install() -> None:
    """Keep notifications as they were sent, and refuse what S3 refuses."""
    wrap_seam(S3, "_put_bucket_notification", "name, body, headers=None", _keep_text)
    wrap_seam(S3, "_put_bucket_policy", "name, body", _limit_policy)


def _keep_text(original: Callable[..., Answer]) -> Callable[..., Answer]:
    error = use_seam(S3, "_error", "code, message, status, resource='', extra=None, headers=None")
    stored = use_seam(S3, "_bucket_notifications")

    def put(name: str, body: bytes, headers: Any = None) -> Answer:
        text = body.decode("utf-8", errors="replace")
        if not _is_configuration(text):
            why = "The XML you provided was not well-formed or did not validate against our schema"
            return tuple(error("MalformedXML", why, 400))
        named = _add_ids(text)
        answer: Answer = original(name, named.encode(), headers)
        if answer[0] == 200 and current_switches(ObjectSwitches).bucket_texts_kept:
            stored[name] = named
        return answer

    return put


def _is_configuration(text: str) -> bool:
    parse = use_seam("defusedxml.ElementTree", "fromstring")
    try:
        root = parse(text)
    except (ParseError, ValueError):
        return False
    return str(root.tag).rpartition("}")[2] == ROOT


def _add_ids(text: str) -> str:
    """Give each entry without an id one, as S3 does."""
    make = use_seam(S3, "_generated_notification_id", "")

    def add(found: re.Match[str]) -> str:
        kind, inner = found[1], found[2]
        own = "" if "<Id>" in inner else f"<Id>{make()}</Id>"
        return f"<{kind}>{own}{inner}</{kind}>"

    return ENTRY.sub(add, text)


def _limit_policy(original: Callable[..., Answer]) -> Callable[..., Answer]:
    error = use_seam(S3, "_error", "code, message, status, resource='', extra=None, headers=None")

    def put(name: str, body: bytes) -> Answer:
        if len(body) > MAX_POLICY_BYTES:
            why = f"Bucket policies are limited to {MAX_POLICY_BYTES} bytes in size"
            return tuple(error(current_switches(ObjectSwitches).large_policy_code, why, 400))
        return original(name, body)

    return put
