"""The policy files of a folder in place of the bucket's, to see what they would change."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from grantor.aws.s3 import FOLDER, LARGEST_POLICY, File, Listed, PolicyFiles, TooLarge, too_large
from grantor.cli.output import count
from grantor.cli.session import Call, Misused
from grantor.core.diagnostics import Problem
from grantor.core.grant import Location
from grantor.core.planning.expand import expand
from grantor.core.planning.lint import lint
from grantor.core.policy.parser import read
from grantor.core.rules import Policy
from grantor.core.snapshot import Facts

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


LOCAL = "local"  # the version of a file that S3 has not seen


class LocalFiles(PolicyFiles):
    """A folder that stands for `policy/`. A file that is the same in the bucket is the bucket's; accepted versions are in the bucket only."""

    def __init__(self, client: "S3Client", bucket: str, folder: Path) -> None:
        super().__init__(client, bucket)
        self._paths = {f"{FOLDER}{path.relative_to(folder).as_posix()}": path for path in files(folder)}

    def listed(self) -> Mapping[str, Listed]:
        """The files of the folder, by the key that each would have. Costs a call: the bucket's own are listed, too."""
        super().listed()
        return {key: self._local(path) for key, path in self._paths.items()}

    def read(self, key: str, version: str = "") -> File:
        """As PolicyFiles does, of the file in the folder unless a version is asked for."""
        if version:
            return super().read(key, version)
        ours = body(self._paths[key])
        if len(ours) > LARGEST_POLICY:
            raise TooLarge(too_large(len(ours)))
        there = self._there(key) if key in self._listed else None
        return there if there and there.body == ours else File(ours, LOCAL, _etag(ours))

    def gone(self, key: str) -> bool:
        """Whether the folder has no such file."""
        return key not in self._paths

    def _there(self, key: str) -> File | None:
        try:
            return super().read(key)
        except (ClientError, TooLarge):
            return None

    def _local(self, path: Path) -> Listed:
        told = path.stat()
        return Listed("", told.st_size, datetime.fromtimestamp(told.st_mtime, UTC))


def _etag(content: bytes) -> str:
    return f'"{md5(content, usedforsecurity=False).hexdigest()}"'


ENDINGS = (".yaml", ".yml")
ANYWHERE = Location("anywhere", "s3://")  # where the locations are is a fact, and facts are not asked for here


def run_check(call: Call) -> int:
    """0 if nothing is wrong, whatever it warns of; 1 after saying what is."""
    found = [read(name, content) for name, content in _bodies(call.asked.paths, call.asked.name)]
    policies = [one for one in found if isinstance(one, Policy)]
    problems = [problem for one in found if not isinstance(one, Policy) for problem in one]
    warnings = _warnings(policies)
    call.show.lines(map(str, problems))
    call.show.lines(f"{one.file}:{one.line}:{one.column}: warning: {one.what}: {one.why}; {one.remedy}" for one in warnings)
    if not problems:
        rules, jobs = sum(len(policy.rules) for policy in policies), sum(len(policy.jobs) for policy in policies)
        said = f"{count(rules, 'rule')} and {count(jobs, 'job')}" if jobs else count(rules, "rule")
        call.show.line(f"{count(len(policies), 'policy file')} with {said}: nothing is wrong")
    told = {"problems": problems, "warnings": warnings}
    call.show.value({"files": len(found), **{kind: [asdict(one) for one in several] for kind, several in told.items()}})
    return 1 if problems else 0


def files(folder: Path) -> list[Path]:
    """The policy files of a folder and of the folders in it. Misused if there is none: nothing is not the same as empty."""
    found = sorted(path for path in folder.rglob("*") if path.suffix in ENDINGS and path.is_file())
    if not found:
        raise Misused(f"{folder}: there is no policy file in this folder; one ends with {' or '.join(ENDINGS)}")
    return found


def body(file: Path) -> bytes:
    """What is in the file. Misused if it can not be read."""
    try:
        return file.read_bytes()
    except OSError as wrong:
        raise Misused(f"{file}: it can not be read: {wrong.strerror}") from wrong


def _bodies(paths: Iterable[str], name: str) -> Iterator[tuple[str, bytes]]:
    for given in paths:
        if given == "-":
            yield name, sys.stdin.buffer.read()
            continue
        path = Path(given)
        for file in files(path) if path.is_dir() else [path]:
            yield str(file), body(file)


def _warnings(policies: list[Policy]) -> list[Problem]:
    """As far as they follow from the files alone: rules for profiles and folders need to know which there are."""
    wanted = expand(policies, Facts(datetime.now(UTC), locations=(ANYWHERE,)))
    return sorted({*wanted.warnings, *lint(wanted, policies)})
