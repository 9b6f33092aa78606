"""Where Spark reads and writes: straight from and to S3, or in the cluster, where the driver brings the input and fetches what was made.

    s3a      S3A asks Access Grants for each request, on the driver and on every executor
    staged   only the driver talks to S3, by boto3; works on every image, and with READ and WRITE granted apart

Both leave the files of a run in its folder in S3, and nothing of it is published yet.
"""

import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from abalone.manifest import SPLITS
from abalone.objects import Found, Objects, side_by_side
from abalone.publish import Output

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# What a key may not hold to be read or written by S3A: an empty step or one that goes up; a hidden file; a pattern of Hadoop's; and, with
# Access Grants, any sign that does not stand for itself in a URI, such as a space: AWS's plugin (2.3.0) takes the key for one.
UNNAMEABLE = re.compile(r"[^\w/.!~'()=@:,;&$+-]|//|(?:^|/)\.{1,2}(?:/|$)|^/|(?:^|/)[._][^/]*$", re.ASCII)
VOLUME = Path("/opt/ml/processing")  # the job's own disk, where SageMaker gives it one


class Store(Protocol):
    """What Spark reads (`source`) and the folder that it writes train/, validation/ and quarantine/ into (`target`)."""

    @property
    def mode(self) -> str:
        """s3a or staged."""

    @property
    def source(self) -> str:
        """A file, as Spark calls it."""

    @property
    def target(self) -> str:
        """A folder, as Spark calls it."""

    def keep(self, splits: tuple[str, ...] = SPLITS) -> None:
        """What Spark wrote for these splits stands in the run's folder in S3, and nothing else does."""


@dataclass(frozen=True)
class Straight:
    """Spark's S3A does it all."""

    output: Output
    run_id: str
    source: str
    mode: str = "s3a"

    @property
    def target(self) -> str:
        """The run's folder: below what is granted, never at its root, whose own name no grant covers."""
        return f"s3a://{self.output.objects.bucket}/{self.output.folder(self.run_id)}".rstrip("/")

    def keep(self, splits: tuple[str, ...] = SPLITS) -> None:
        """What is not to be kept goes."""
        for split in SPLITS:
            if split not in splits:
                folder = f"{self.output.folder(self.run_id)}{split}/"
                self.output.objects.delete(found.key for found in self.output.objects.list(folder))


@dataclass(frozen=True)
class Staged:
    """In a folder of the cluster's file system, which is HDFS in the container, and of this machine's."""

    output: Output
    run_id: str
    cluster: "Cluster"
    source: str
    target: str
    mode: str = "staged"

    def keep(self, splits: tuple[str, ...] = SPLITS) -> None:
        """Several files at a time, and a large one in parts."""
        here = self.cluster.fetched("output")
        made = [path for split in splits for path in sorted((here / split).glob("part-*"))]
        folder = self.output.folder(self.run_id)
        side_by_side(lambda path: self.output.objects.upload(path, f"{folder}{path.relative_to(here).as_posix()}"), made)


@contextmanager
def staged(spark: "SparkSession", objects: Objects, found: Found, output: Output, run_id: str) -> Iterator[Staged]:
    """The input is brought into the cluster; nothing of it is left there, or here, in the end."""
    with cluster(spark) as place:
        objects.download(found, place.here / "input")
        yield Staged(output, run_id, place, place.brought("input"), place.uri("output"))


@dataclass(frozen=True)
class Cluster:
    """A folder of this machine, and one of the cluster's file system; they are one where that is this machine's."""

    here: Path
    there: str
    files: Any  # org.apache.hadoop.fs.FileSystem
    path: Any  # org.apache.hadoop.fs.Path
    one: bool

    def uri(self, name: str) -> str:
        """What Spark calls it."""
        return f"{self.there}/{name}"

    def brought(self, name: str) -> str:
        """A file of this machine is in the cluster, and there only."""
        if not self.one:
            self.files.moveFromLocalFile(self.path(str(self.here / name)), self.path(self.uri(name)))
        return self.uri(name)

    def fetched(self, name: str) -> Path:
        """A folder of the cluster is on this machine."""
        if not self.one:
            self.files.moveToLocalFile(self.path(self.uri(name)), self.path(str(self.here / name)))
        return self.here / name


@contextmanager
def cluster(spark: "SparkSession") -> Iterator[Cluster]:
    """A folder for this run alone, on the file system that Spark has for its default."""
    jvm = spark.sparkContext._jvm  # noqa: SLF001  -- pyspark has no public way to the JVM
    files = jvm.org.apache.hadoop.fs.FileSystem.get(spark.sparkContext._jsc.hadoopConfiguration())  # noqa: SLF001
    root = files.getUri().toString()
    with tempfile.TemporaryDirectory(prefix="abalone-", dir=VOLUME if VOLUME.is_dir() else None) as folder:
        one = root.startswith("file:")
        there = f"file://{folder}" if one else f"{files.getHomeDirectory().toString()}/abalone-{uuid.uuid4().hex}"
        place = Cluster(Path(folder), there, files, jvm.org.apache.hadoop.fs.Path, one)
        try:
            yield place
        finally:
            if not one:
                files.delete(place.path(there), True)
