"""Can this Spark reach S3 by Access Grants, and is it told to? Asked before the first byte is read.

A Hadoop that does not know the property ignores it without a word, and every request would be signed with the role's own key. So the class
that reads the property is asked whether it has it, and the configuration what it says for each bucket.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

CONSTANTS = "org.apache.hadoop.fs.s3a.Constants"
ENABLED, FALLBACK = "AWS_S3_ACCESS_GRANTS_ENABLED", "AWS_S3_ACCESS_GRANTS_FALLBACK_TO_IAM_ENABLED"
PLUGIN = "software.amazon.awssdk.s3accessgrants.plugin.S3AccessGrantsPlugin"
CREDENTIALS = ("fs.s3a.access.key", "fs.s3a.secret.key", "fs.s3a.session.token")


def missing(spark: "SparkSession", *buckets: str) -> str:
    """What keeps S3A from asking Access Grants for every request on these buckets; empty if nothing does."""
    jvm = spark.sparkContext._jvm  # noqa: SLF001  -- pyspark has no public way to the JVM
    enabled, fallback = (_constant(jvm, CONSTANTS, name) for name in (ENABLED, FALLBACK))
    if enabled is None or fallback is None:
        return f"the Hadoop of this image does not know S3 Access Grants ({CONSTANTS} has no {ENABLED})"
    if _class(jvm, PLUGIN) is None:
        return f"the Access Grants plugin is not there ({PLUGIN})"
    configured = spark.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001
    return next(filter(None, (_wrong(configured, enabled, fallback, bucket) for bucket in buckets)), "")


def _wrong(configured: Any, enabled: str, fallback: str, bucket: str) -> str:
    """What is wrong with the configuration for one bucket."""
    if _told(configured, enabled, bucket) != "true":
        return f"{enabled} is not true for the bucket {bucket}: S3A would use the role's own rights"
    if _told(configured, fallback, bucket) == "true":
        return f"{fallback} is true for the bucket {bucket}: S3A would use the role's own rights where no grant is"
    static = [name for name in CREDENTIALS if _told(configured, name, bucket)]
    return f"{static[0]} is set: keys do not belong into a configuration" if static else ""


def _told(configured: Any, name: str, bucket: str) -> str:
    """The value that S3A goes by: the bucket's own, else that for all."""
    own = name.replace("fs.s3a.", f"fs.s3a.bucket.{bucket}.", 1)
    return str(configured.get(own) or configured.get(name) or "").strip().lower()


def _constant(jvm: Any, of: str, name: str) -> str | None:
    """The text of a constant of a class; None if there is no such class or constant."""
    found = _class(jvm, of)
    names = [field.getName() for field in found.getFields()] if found is not None else []
    return str(found.getField(name).get(None)) if name in names else None


def _class(jvm: Any, name: str) -> Any:
    """A class that the driver can load, or None."""
    from py4j.protocol import Py4JJavaError

    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    try:
        return jvm.java.lang.Class.forName(name, False, loader)
    except Py4JJavaError:
        return None
