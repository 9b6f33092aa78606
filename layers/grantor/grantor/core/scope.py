"""The form of a scope, and what is wrong with one: every way in which S3 would read it differently.

A scope is `s3://bucket/*`, `s3://bucket/prefix/*` or, for a single object, `s3://bucket/key`. To S3
Access Grants, a `*` at the end stands for the rest of any key, and a `*` elsewhere is an ordinary
character. There are no folders, only keys with the same beginning.
"""

import re

from grantor.core.diagnostics import Fault, quote_text
from grantor.limits import MAX_SCOPE_CHARACTERS

VARIABLE = re.compile(r"\{[^{}]*\}")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
IP_ADDRESS = re.compile(r"(\d+\.){3}\d+")
RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
# What IAM may read in a scope, because S3 puts it into the policy of the credentials. Whether S3
# escapes it is unknown.
IAM_PATTERNS = {"?": "any one character", "${": "the start of a variable"}
# What people write instead of a scope; `rest` begins with the bucket.
LOOSE_SCOPE = re.compile(r"(?i)(?:s3[an]?://|s3:/*|arn:aws[a-z-]*:s3:::)?/*(?P<rest>.*)", re.DOTALL)


def normalize_scope(scope: str) -> str:
    """The one spelling of a scope: a bucket is `s3://bucket/*`, however it was written.

    >>> normalize_scope("s3://data"), normalize_scope("s3://data/"), normalize_scope("s3://data/a")
    ('s3://data/*', 's3://data/*', 's3://data/a')
    """
    bucket, _, key = scope.removeprefix("s3://").partition("/")
    return scope if key else f"s3://{bucket}/*"


def replace_variables(text: str) -> str:
    """`text` with a word in place of each variable, to check its form before values are known.

    >>> replace_variables("s3://data/{profile.folder}/*")
    's3://data/variable/*'
    """
    return VARIABLE.sub("variable", text) if "{" in text else text


def find_scope_faults(scope: str, *, raw_prefix: bool = False) -> list[Fault]:
    """What is wrong with a scope; `raw_prefix` accepts one that ends inside a name, as `team*`."""
    if faults := _find_form_faults(scope):
        return faults
    return [*_find_common_faults(scope), *_find_end_faults(scope, raw_prefix)]


def find_exception_faults(scope: str) -> list[Fault]:
    """What is wrong with an exception: it is a folder, or an object whose name has a dot."""
    if faults := _find_form_faults(scope):
        return faults
    remedy = f"write {_to_folder(scope)}"
    ends = _find_end_faults(scope, raw_prefix=False)
    return [*_find_common_faults(scope), *(fault._replace(remedy=remedy) for fault in ends)]


def find_object_faults(scope: str) -> list[Fault]:
    """What is wrong with the scope of a single object."""
    if faults := _find_form_faults(scope):
        return faults
    key = _split_scope(scope)[1]
    if not key or key.endswith("/"):
        why = "an object has a key, which follows the bucket and does not end with a slash"
        remedy = f"write {scope.rstrip('/')}/NAME"
        return [Fault(f"{quote_text(scope)} does not name an object", why, remedy)]
    if "*" in key:
        what, why = f"{quote_text(scope)} contains a *", "object names a single object"
        return [Fault(what, why, "write it as scope, not as object")]
    return _find_common_faults(scope)


def find_folder_faults(scope: str) -> list[Fault]:
    """What is wrong with a folder whose folders each get a grant."""
    if faults := _find_form_faults(scope):
        return faults
    if "*" in scope[:-1] or (scope.endswith("*") and not scope.endswith("/*")):
        why = "each_prefix names the one folder whose folders get grants"
        remedy = "write that folder, as s3://BUCKET/FOLDER/"
        return [Fault(f"{quote_text(scope)} contains a *", why, remedy)]
    if not scope.endswith("/"):
        why = "each_prefix names the folder whose folders get grants, with a slash at the end"
        remedy = f"write {_to_folder(scope)[:-1]}"
        return [Fault(f"{quote_text(scope)} does not end with a slash", why, remedy)]
    return _find_common_faults(scope)


def _split_scope(scope: str) -> tuple[str, str]:
    """Bucket and key, with a word in place of each variable."""
    bucket, _, key = replace_variables(scope).removeprefix("s3://").partition("/")
    return bucket, key


def _to_folder(scope: str) -> str:
    return f"{scope.rstrip('*').rstrip('/')}/*"


def _find_form_faults(scope: str) -> list[Fault]:
    """What keeps it from being a scope at all, so that nothing more can be said about it."""
    if not scope.startswith("s3://"):
        why = "a scope starts with s3:// and a bucket"
        return [Fault(f"{quote_text(scope)} is not a scope", why, f"write {_guess_scope(scope)}")]
    if (again := scope.find("s3://", 1)) > 0:
        why = "a variable's value may already start with it"
        return [Fault(f"{quote_text(scope)} contains s3:// twice", why, f"write {scope[again:]}")]
    if not _split_scope(scope)[0].strip("*"):
        why = "one grant cannot cover all of S3"
        return [Fault(f"{quote_text(scope)} does not name a bucket", why, "write s3://BUCKET/*")]
    return []


def _guess_scope(scope: str) -> str:
    """The scope that was most likely meant by a place in S3 that is written differently."""
    found = LOOSE_SCOPE.fullmatch(scope)
    rest = found["rest"] if found else ""
    if "://" in rest:
        return "s3://BUCKET/PREFIX/*"
    meant = f"s3://{rest}"
    lacks_bucket = scope.startswith("/") or _find_bucket_faults(meant, _split_scope(meant)[0])
    return f"s3://BUCKET/{rest}" if lacks_bucket else meant


def _find_common_faults(scope: str) -> list[Fault]:
    bucket, key = _split_scope(scope)
    found = [*_find_bucket_faults(scope, bucket), *_find_key_faults(scope, key)]
    if len(scope) > MAX_SCOPE_CHARACTERS:
        why = f"S3 Access Grants accepts at most {MAX_SCOPE_CHARACTERS:,}"
        found.append(Fault(f"the scope has {len(scope):,} characters", why, "shorten it"))
    return found


def _find_bucket_faults(scope: str, bucket: str) -> list[Fault]:
    if "*" in bucket:
        why = "a grant covers one bucket, and a bucket's name has no *"
    elif not BUCKET_NAME.fullmatch(bucket):
        why = (
            "a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens, "
            "and starts and ends with a letter or digit"
        )
    elif ".." in bucket or IP_ADDRESS.fullmatch(bucket):
        why = "a bucket's name has no two dots in a row and is not an IP address"
    elif bucket.startswith(RESERVED_PREFIXES) or bucket.endswith(RESERVED_SUFFIXES):
        why = "AWS reserves that beginning or ending"
    else:
        return []
    remedy = "write the name of one of your buckets, as aws s3 ls lists it"
    return [Fault(f"{quote_text(scope)} has an invalid bucket name", why, remedy)]


def _find_key_faults(scope: str, key: str) -> list[Fault]:
    if fault := _explain_key(scope, key, key.split("/")):
        return [fault._replace(what=f"{quote_text(scope)} has {fault.what}")]
    return []


def _explain_key(scope: str, key: str, segments: list[str]) -> Fault | None:
    for sign, meaning in IAM_PATTERNS.items():
        if sign in key or (sign == "${" and sign in scope):
            why = f"IAM reads it as {meaning} in the policy of the credentials"
            return Fault(f"{sign} in it", why, "write the folder above it, or rename the objects")
    if key.startswith("/"):
        why = "keys do not start with a slash, so it would cover none of them"
        return Fault("a key that starts with a slash", why, f"write {_merge_slashes(scope)}")
    if "" in segments[:-1]:
        why = "to S3, // is not the same as /"
        return Fault("an empty segment", why, f"write {_merge_slashes(scope)}")
    if "." in segments or ".." in segments:
        why = "S3 does not resolve them, because a dot is an ordinary character of a key"
        return Fault("a segment of dots", why, "write the path that you mean")
    if "*" in key[:-1]:
        why = "S3 treats it there as an ordinary character"
        return Fault("a * in the middle", why, _suggest_without_star(scope))
    return None


def _merge_slashes(scope: str) -> str:
    return "s3://" + re.sub("/{2,}", "/", scope.removeprefix("s3://"))


def _suggest_without_star(scope: str) -> str:
    stars, (base, _, rest) = scope.count("*"), scope.partition("/*/")
    if scope.endswith("**") and stars == 2:
        return f"write {scope[:-1]}"
    if rest.endswith("/*") and stars == 2:
        return f'write on: {{each_prefix: "{base}/", scope: "{base}/{{prefix.name}}/{rest}"}}'
    folder = scope[: scope.index("*")].rpartition("/")[0]
    return f"write {folder}/* if you mean the whole folder, else a rule for each name"


def _find_end_faults(scope: str, raw_prefix: bool) -> list[Fault]:
    key = _split_scope(scope)[1]
    last = key.rpartition("/")[2]
    if not key or "*" in key[:-1] or last == "*" or (raw_prefix and key.endswith("*")):
        return []
    if not last:
        why = "it means the single object of exactly that name"
        return [Fault(f"{quote_text(scope)} ends with a slash", why, f"write {scope}*")]
    if last.endswith("*"):
        name = scope[:-1].rpartition("/")[2]
        why = f"it also covers {name}-secret/ and everything else that starts like that"
        remedy = f"write {_to_folder(scope)}, or raw_prefix: true if you mean that"
        return [Fault(f"{quote_text(scope)} ends inside a name", why, remedy)]
    if "." in last:
        return []
    why = "only a * at the end covers what is below"
    folder = f"write {_to_folder(scope)} for the folder"
    remedy = f'{folder}, or on: {{object: "{scope}"}} for the object'
    return [Fault(f"{quote_text(scope)} means the single object of that name", why, remedy)]
