"""The folders of the splits, in any file system of Hadoop.

Spark can only write them as split=0, …, so they are renamed at the end.
"""

from collections.abc import Sequence

from pyspark.sql import SparkSession


class SplitFolders:
    """The folders that a pass writes below `target`."""

    def __init__(self, spark: SparkSession, target: str, splits: Sequence[str]) -> None:
        # pyspark has no public way to the JVM.
        self._path = spark.sparkContext._jvm.org.apache.hadoop.fs.Path  # noqa: SLF001
        self._settings = spark.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001
        self._target, self.staging, self._splits = target, f"{target}/apart", splits

    def delete_splits(self) -> None:
        """Delete what an earlier pass has written."""
        for name in ("apart", *self._splits):
            path = self._path(f"{self._target}/{name}")
            path.getFileSystem(self._settings).delete(path, True)

    def file_size(self, source: str) -> int:
        """Return the size of a file in bytes."""
        path = self._path(source)
        return int(path.getFileSystem(self._settings).getFileStatus(path).getLen())

    def rename_splits(self) -> None:
        """Give the folders the names of their splits."""
        files = self._path(self._target).getFileSystem(self._settings)
        for at, split in enumerate(self._splits):
            written, wanted = (
                self._path(f"{self.staging}/split={at}"),
                self._path(f"{self._target}/{split}"),
            )
            if files.exists(written) and not files.rename(written, wanted):
                raise OSError(f"cannot rename {written.toString()} to {wanted.toString()}")
        files.delete(self._path(self.staging), True)
