"""What a scope covers, and what is wrong with one: every way in which S3 would read it otherwise than its author.

A scope is `s3://bucket/*`, `s3://bucket/prefix/*` or, for one single object, `s3://bucket/key`. To S3 Access Grants a `*` at the
end is any rest of a key and a `*` elsewhere is a letter; there are no folders, only keys that begin alike.
"""

import re

from grantor.core.diagnostics import Fault, shown

VARIABLE = re.compile(r"\{[^{}]*\}")

LONGEST = 2_000  # S3Prefix in the service's model
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
ADDRESS = re.compile(r"(\d+\.){3}\d+")
RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
# What people write for a scope out of habit, and where its bucket begins in it.
HABIT = re.compile(r"(?i)(?:s3[an]?://|s3:/*|arn:aws[a-z-]*:s3:::)?/*(?P<rest>.*)", re.DOTALL)


def covers(outer: str, inner: str) -> bool:
    """Whether every key of the scope `inner` (or the key that it is) is also one of `outer`.

    >>> covers("s3://data/a/*", "s3://data/a/b/*"), covers("s3://data/a/*", "s3://data/ab/*"), covers("s3://data/a", "s3://data/a/b")
    (True, False, False)
    """
    return inner.startswith(outer[:-1]) if outer.endswith("*") else inner == outer


def whole(scope: str) -> str:
    """The one spelling of a scope: a bucket is `s3://bucket/*`, however it was written.

    >>> whole("s3://data"), whole("s3://data/"), whole("s3://data/a/*")
    ('s3://data/*', 's3://data/*', 's3://data/a/*')
    """
    bucket, _, key = scope.removeprefix("s3://").partition("/")
    return scope if key else f"s3://{bucket}/*"


def faults(scope: str, *, raw_prefix: bool = False) -> list[Fault]:
    """What is wrong with a scope; `raw_prefix` accepts one that ends inside a name, as `team*` does."""
    return _outside(scope) or [*_everywhere(scope), *_end(scope, raw_prefix)]


def except_faults(scope: str) -> list[Fault]:
    """What is wrong with an exception: a folder, or an object whose name has a dot."""
    ends = [fault._replace(remedy=f"write {_folder(scope)}") for fault in _end(scope, raw_prefix=False)]
    return _outside(scope) or [*_everywhere(scope), *ends]


def object_faults(scope: str) -> list[Fault]:
    """What is wrong with the scope of one single object."""
    if outside := _outside(scope):
        return outside
    key = _parts(scope)[1]
    if not key or key.endswith("/"):
        why = "an object has a key: what stands after the bucket, without a slash at its end"
        return [Fault(f"{shown(scope)} names no object", why, f"write {scope.rstrip('/')}/NAME")]
    if "*" in key:
        return [Fault(f"{shown(scope)} has a *", "here one single object is meant", "write it as scope, not as object")]
    return _everywhere(scope)


def base_faults(scope: str) -> list[Fault]:
    """What is wrong with a folder whose folders each get a grant."""
    if outside := _outside(scope):
        return outside
    if "*" in scope[:-1] or (scope.endswith("*") and not scope.endswith("/*")):
        why = "each_prefix names the one folder that holds them"
        return [Fault(f"{shown(scope)} has a *", why, "write that folder, as s3://BUCKET/FOLDER/")]
    if not scope.endswith("/"):
        why = "each_prefix names the folder that holds them, and ends with a slash"
        return [Fault(f"{shown(scope)} ends without a slash", why, f"write {_folder(scope)[:-1]}")]
    return _everywhere(scope)


def _parts(scope: str) -> tuple[str, str]:
    """Bucket and key, with a word in place of each variable."""
    bucket, _, key = bare(scope).removeprefix("s3://").partition("/")
    return bucket, key


def _folder(scope: str) -> str:
    return f"{scope.rstrip('*').rstrip('/')}/*"


def _outside(scope: str) -> list[Fault]:
    """What makes it no scope at all, so that nothing more can be said of it."""
    if not scope.startswith("s3://"):
        return [Fault(f"{shown(scope)} is no scope", "a scope begins with s3:// and a bucket", f"write {_habit(scope)}")]
    if (again := scope.find("s3://", 1)) > 0:
        why = "a variable's value may begin with it already"
        return [Fault(f"{shown(scope)} has s3:// twice", why, f"write {scope[again:]}")]
    if not _parts(scope)[0].strip("*"):
        return [Fault(f"{shown(scope)} names no bucket", "all of S3 can not be granted at once", "write s3://BUCKET/*")]
    return []


def _habit(scope: str) -> str:
    """What somebody most likely meant who wrote a place in S3 otherwise."""
    found = HABIT.fullmatch(scope)
    rest = found["rest"] if found else ""
    if "://" in rest:
        return "s3://BUCKET/PREFIX/*"
    meant = f"s3://{rest}"
    return f"s3://BUCKET/{rest}" if scope.startswith("/") or _bucket(meant, _parts(meant)[0]) else meant


def _everywhere(scope: str) -> list[Fault]:
    bucket, key = _parts(scope)
    found = [*_bucket(scope, bucket), *_segments(scope, key)]
    if len(scope) > LONGEST:
        found.append(Fault(f"a scope of {len(scope):,} characters", f"S3 Access Grants takes up to {LONGEST:,}", "shorten it"))
    return found


def _bucket(scope: str, bucket: str) -> list[Fault]:
    remedy = "write the name of a bucket of yours, as aws s3 ls lists it"
    if "*" in bucket:
        why = "a grant lies in one bucket, and a * is no part of its name"
    elif not BUCKET.fullmatch(bucket):
        why = "a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens, first and last a letter or digit"
    elif ".." in bucket or ADDRESS.fullmatch(bucket):
        why = "a bucket's name has no two dots in a row, and is no IP address"
    elif bucket.startswith(RESERVED_PREFIXES) or bucket.endswith(RESERVED_SUFFIXES):
        why = "AWS keeps that beginning or ending for itself"
    else:
        return []
    return [Fault(f"{shown(scope)} names a bucket that can not be", why, remedy)]


def _segments(scope: str, key: str) -> list[Fault]:
    segments = key.split("/")
    single = "s3://" + re.sub("/{2,}", "/", scope.removeprefix("s3://"))
    if key.startswith("/"):
        why = "keys begin without a slash, so it would cover none of them"
        return [Fault(f"{shown(scope)} has a key that begins with a slash", why, f"write {single}")]
    if "" in segments[:-1]:
        return [Fault(f"{shown(scope)} has an empty segment", "to S3 // is not the same as /", f"write {single}")]
    if "." in segments or ".." in segments:
        why = "S3 goes neither up nor down: to it a dot is a letter of the key"
        return [Fault(f"{shown(scope)} has a segment of dots", why, "write the path that is meant")]
    if "*" in key[:-1]:
        return [Fault(f"{shown(scope)} has a * in the middle", "S3 takes it for a letter there", _without_star(scope))]
    return []


def _without_star(scope: str) -> str:
    stars, (base, _, rest) = scope.count("*"), scope.partition("/*/")
    if scope.endswith("**") and stars == 2:
        return f"write {scope[:-1]}"
    if rest.endswith("/*") and stars == 2:
        return f'write on: {{each_prefix: "{base}/", scope: "{base}/{{prefix.name}}/{rest}"}}'
    folder = scope[: scope.index("*")].rpartition("/")[0]
    return f"write {folder}/* if all of the folder is meant, else a rule for each name"


def _end(scope: str, raw_prefix: bool) -> list[Fault]:
    key = _parts(scope)[1]
    last = key.rpartition("/")[2]
    if not key or "*" in key[:-1] or last == "*" or (raw_prefix and key.endswith("*")):
        return []
    if not last:
        return [Fault(f"{shown(scope)} ends with a slash", "it means the one object of that very name", f"write {scope}*")]
    if last.endswith("*"):
        name = scope[:-1].rpartition("/")[2]
        why = f"it also covers {name}-secret/, and all that begins so"
        return [Fault(f"{shown(scope)} ends inside a name", why, f"write {_folder(scope)}, or raw_prefix: true if that is meant")]
    if "." in last:
        return []
    what = f"{shown(scope)} means the single object of that name"
    remedy = f'write {_folder(scope)} for the folder, or on: {{object: "{scope}"}} for the object'
    return [Fault(what, "only a * at the end covers what lies below", remedy)]


def bare(text: str) -> str:
    """`text` with a word in place of each variable, to judge its form before the values are known.

    >>> bare("s3://data/{profile.folder}/*")
    's3://data/variable/*'
    """
    return VARIABLE.sub("variable", text) if "{" in text else text
