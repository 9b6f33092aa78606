"""Near misses: uploads that start nothing, and that nearly have the name of a job's input."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from grantor.core.grant import split_uri
from grantor.core.jobs.match import list_starts
from grantor.core.key_pattern import OPEN, TOKEN, KeyPattern
from grantor.core.rules import Job
from grantor.core.snapshot import Inventory

# What people's machines add to the name of a file, once case, blanks and the like are gone: the
# number of a copy, the word for one, and one suffix more.
COPY_MARK = re.compile(r"\(\d+\)|^copyof|copy\d*$")
FILE_SUFFIXES = re.compile(r"(?:\.(?:csv|tsv|txt|gz|zip|bz2|xz|zst|xlsx?|bak|part))+$")
IGNORED_SIGNS = re.compile(r"[\s_+-]|%20")
COMPRESSED = (".gz", ".zip", ".bz2", ".xz", ".zst")
ADDED_SUFFIXES = re.compile(r"(?:\.(?:gz|zip|bz2|xz|zst|bak|part|txt))+$")  # to the name of a glob


@dataclass(frozen=True)
class NearMiss:
    """An upload that starts nothing, and that nearly has the name of a job's input."""

    upload: str  # s3://bucket/key
    nearest: str  # s3://bucket/key or a pattern, whose upload starts the job
    job: str  # policy/a.yaml#abalone

    def __str__(self) -> str:
        file, _, name = self.job.partition("#")
        how = ", not compressed" if self.upload.casefold().endswith(COMPRESSED) else ""
        as_name = "a name that matches" if OPEN.search(self.nearest) else "that name"
        return (
            f"{_quote_key(self.upload)} starts nothing: job {name} of {file} waits for "
            f"{_quote_key(self.nearest)}, and names are compared letter by letter; "
            f"upload it under {as_name}{how}"
        )


def _quote_key(uri: str) -> str:
    return uri if uri.isascii() and uri.isprintable() and " " not in uri else repr(uri)


def may_be_near_miss(jobs: Iterable[Job], upload: str) -> bool:
    """Whether the upload is nearly the input of a job, for some profile that may exist.

    It needs no reads, since it is asked about every object that starts nothing.
    """
    return any(_is_near(job.on, upload) for job in jobs)


def find_near_miss(jobs: Iterable[Job], upload: str, inventory: Inventory) -> NearMiss | None:
    """Return the input of a job that the upload was most likely meant for; None if there is none.

    The inventory needs every profile of the jobs.
    """
    near = [job for job in jobs if _is_near(job.on, upload)]
    found = [
        NearMiss(upload, start.upload, start.job.id)
        for start in list_starts(near, inventory)
        if _is_near(start.upload, upload)
    ]
    exact = any(KeyPattern(one.nearest).match(upload) is not None for one in found)
    return None if exact else min(found, key=lambda one: (one.nearest, one.job), default=None)


def _is_near(on: str, upload: str) -> bool:
    """Whether the upload is the object, or matches the pattern, but for what people get wrong."""
    if OPEN.search(on):
        return _loose_pattern(on).fullmatch(_tidy_key(upload)) is not None
    return _near_pattern(on).fullmatch(_simplify_key(upload)) is not None


@lru_cache(4096)
def _simplify_key(uri: str) -> str:
    """Return the URI without what people get wrong in names: case, blanks, marks of copies, one
    suffix more, slashes at the beginning or doubled.

    >>> _simplify_key("s3://b/usera/abalone (1).CSV"), _simplify_key("s3://b//User A/abalone.gz")
    ('s3://b/usera/abalone', 's3://b/usera/abalone')
    """
    bucket, key = split_uri(uri)
    plain = IGNORED_SIGNS.sub("", unicodedata.normalize("NFKC", key).casefold())
    *folders, name = [part for part in plain.split("/") if part] or [""]
    return "/".join((f"s3://{bucket}", *folders, COPY_MARK.sub("", FILE_SUFFIXES.sub("", name))))


@lru_cache(1024)
def _near_pattern(on: str) -> re.Pattern[str]:
    """Compile `on` as simplified names match it; each variable is a name or a part of one."""
    parts = _simplify_key(TOKEN.sub("\0", on)).split("\0")
    return re.compile("[^/]*".join(map(re.escape, parts)))


@lru_cache(4096)
def _tidy_key(uri: str) -> str:
    """Return the URI as a pattern's author may have meant it: in one case, without blanks, slashes
    too many and suffixes that programs add. Its name is left alone, since any name may match.

    >>> _tidy_key("s3://b//in/A 1.CSV.gz")
    's3://b/in/a1.csv'
    """
    bucket, key = split_uri(uri)
    plain = IGNORED_SIGNS.sub("", unicodedata.normalize("NFKC", key).casefold())
    *folders, name = [part for part in plain.split("/") if part] or [""]
    return "/".join((f"s3://{bucket}", *folders, ADDED_SUFFIXES.sub("", name)))


@lru_cache(1024)
def _loose_pattern(on: str) -> re.Pattern[str]:
    """Compile a pattern as tidy keys match it."""
    bucket, key = split_uri(on)
    deep = key.endswith("/*")
    parts = [
        IGNORED_SIGNS.sub("", part.casefold()) for part in TOKEN.split(key[: -2 * deep or None])
    ]
    below = "/.+" if deep else ""
    return re.compile(re.escape(f"s3://{bucket}/") + "[^/]+".join(map(re.escape, parts)) + below)
