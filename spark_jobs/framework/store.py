"""Where Spark reads and writes: in S3 itself, or in the cluster's file system.

    s3a      S3A asks Access Grants for each request, on the driver and on every executor
    staged   only the driver calls S3, with boto3: it moves the input into the cluster and the
             output to S3; works on every image, and with READ and WRITE in two grants

Either way, the files of a run end up in its folder in S3, and are not published yet.
"""

import gzip
import re
import shutil
import tempfile
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from framework.exits import CONTRACT, JobFailed
from framework.inputs import FoundInput
from framework.manifest import ALL_SPLITS
from framework.objects import FoundObject, ObjectFolder, map_parallel
from framework.publish import RunFolder

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# What a key may not contain if S3A is to read or write it: an empty, "." or ".." segment; a hidden
# file; a glob pattern of Hadoop; and, with Access Grants, any character that must be escaped in a
# URI, such as a space: AWS's plugin (2.3.0) takes the key for a URI.
S3A_UNSAFE_KEY = re.compile(
    r"[^\w/.!~'()=@:,;&$+-]|//|(?:^|/)\.{1,2}(?:/|$)|^/|(?:^|/)[._][^/]*$", re.ASCII
)
COPIED_BYTES = 1 << 20
JOB_VOLUME = Path("/opt/ml/processing")  # the disk that SageMaker gives a job


class RunStore(Protocol):
    """The file that Spark reads, and the folder that it writes the splits into."""

    @property
    def mode(self) -> str:
        """The access mode, "s3a" or "staged"."""

    @property
    def sources(self) -> tuple[str, ...]:
        """The files of the input, as URIs or paths for Spark."""

    @property
    def target(self) -> str:
        """The output folder, as a URI or path for Spark."""

    def keep_splits(self, splits: tuple[str, ...] = ALL_SPLITS) -> None:
        """Make the run's folder in S3 hold what Spark wrote for these splits, and nothing else."""


@dataclass(frozen=True)
class S3AStore:
    """Spark's S3A reads and writes S3 itself."""

    output: RunFolder
    run_id: str
    sources: tuple[str, ...]
    mode: str = "s3a"

    @property
    def target(self) -> str:
        """The run's folder: below the granted prefix, never the prefix itself, which no grant
        covers.
        """
        return f"s3a://{self.output.objects.bucket}/{self.output.run_prefix(self.run_id)}".rstrip(
            "/"
        )

    def keep_splits(self, splits: tuple[str, ...] = ALL_SPLITS) -> None:
        """Delete the other splits."""
        for split in ALL_SPLITS:
            if split not in splits:
                folder = f"{self.output.run_prefix(self.run_id)}{split}/"
                self.output.objects.delete_objects(
                    found.key for found in self.output.objects.list_objects(folder)
                )


@dataclass(frozen=True)
class StagedStore:
    """Spark reads and writes the cluster's file system, which is HDFS in the container."""

    output: RunFolder
    run_id: str
    cluster: "ClusterFolder"
    sources: tuple[str, ...]
    target: str
    mode: str = "staged"

    def keep_splits(self, splits: tuple[str, ...] = ALL_SPLITS) -> None:
        """Upload the splits: several files at a time, and a large file in parts."""
        here = self.cluster.move_from_cluster("output")
        made = [path for split in splits for path in sorted((here / split).glob("part-*"))]
        folder = self.output.run_prefix(self.run_id)
        map_parallel(
            lambda path: self.output.objects.upload_file(
                path, f"{folder}{path.relative_to(here).as_posix()}"
            ),
            made,
        )


@contextmanager
def open_staged_store(
    spark: "SparkSession",
    objects: ObjectFolder,
    found: FoundInput,
    output: RunFolder,
    run_id: str,
) -> Iterator[StagedStore]:
    """Move the input into the cluster; at the end, delete everything there and on this machine.

    An input that is compressed by gzip is decompressed on the way. Spark could not share the work
    on a compressed file, and could not tell how many bytes of it it has read.
    """
    with open_cluster_folder(spark) as place:

        def stage(numbered: tuple[int, FoundObject]) -> str:
            name = f"input-{numbered[0]:05d}"
            objects.download_object(numbered[1], place.here / name)
            if found.compression:
                _decompress_file(place.here / name, numbered[1].key)
            return place.move_to_cluster(name)

        sources: list[str] = map_parallel(stage, enumerate(found.objects))
        yield StagedStore(output, run_id, place, tuple(sources), place.format_uri("output"))


def _decompress_file(path: Path, key: str) -> None:
    """Replace a file by its content. Raises JobFailed with CONTRACT if gzip finds it damaged."""
    plain = path.with_suffix(".plain")
    try:
        with gzip.open(path) as packed, plain.open("wb") as file:
            shutil.copyfileobj(packed, file, COPIED_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        why = f"{key} is damaged: gzip cannot decompress it ({error})"
        raise JobFailed(CONTRACT, f"{why}. Upload it again.") from error
    plain.replace(path)


@dataclass(frozen=True)
class ClusterFolder:
    """A folder on this machine, and one in the cluster's file system.

    They are the same folder if the cluster's file system is this machine's (`is_local`).
    """

    here: Path
    there: str
    files: Any  # org.apache.hadoop.fs.FileSystem
    path: Any  # org.apache.hadoop.fs.Path
    is_local: bool

    def format_uri(self, name: str) -> str:
        """Return the URI of a file in the cluster."""
        return f"{self.there}/{name}"

    def move_to_cluster(self, name: str) -> str:
        """Move a file from this machine into the cluster; return its URI."""
        if not self.is_local:
            self.files.moveFromLocalFile(
                self.path(str(self.here / name)), self.path(self.format_uri(name))
            )
        return self.format_uri(name)

    def move_from_cluster(self, name: str) -> Path:
        """Move a folder from the cluster to this machine; return its path."""
        if not self.is_local:
            self.files.moveToLocalFile(
                self.path(self.format_uri(name)), self.path(str(self.here / name))
            )
        return self.here / name


@contextmanager
def open_cluster_folder(spark: "SparkSession") -> Iterator[ClusterFolder]:
    """Make a folder for this run alone, on Spark's default file system; delete it at the end."""
    jvm = spark.sparkContext._jvm  # noqa: SLF001  -- pyspark has no public way to the JVM
    configuration = spark.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001
    files = jvm.org.apache.hadoop.fs.FileSystem.get(configuration)
    root = files.getUri().toString()
    with tempfile.TemporaryDirectory(
        prefix="grantor-", dir=JOB_VOLUME if JOB_VOLUME.is_dir() else None
    ) as folder:
        one = root.startswith("file:")
        there = (
            f"file://{folder}"
            if one
            else f"{files.getHomeDirectory().toString()}/grantor-{uuid.uuid4().hex}"
        )
        place = ClusterFolder(Path(folder), there, files, jvm.org.apache.hadoop.fs.Path, one)
        try:
            yield place
        finally:
            if not one:
                files.delete(place.path(there), True)
