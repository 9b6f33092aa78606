"""Check that this Spark can reach S3 through Access Grants, and is configured to.

A Hadoop that does not know the property ignores it silently, and would sign every request with the
role's own key. So before the first byte is read, the job checks that the class of constants has the
property, and what the configuration holds for each bucket.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

S3A_CONSTANTS = "org.apache.hadoop.fs.s3a.Constants"
ENABLED_CONSTANT, FALLBACK_CONSTANT = (
    "AWS_S3_ACCESS_GRANTS_ENABLED",
    "AWS_S3_ACCESS_GRANTS_FALLBACK_TO_IAM_ENABLED",
)
PLUGIN_CLASS = "software.amazon.awssdk.s3accessgrants.plugin.S3AccessGrantsPlugin"
STATIC_CREDENTIALS = ("fs.s3a.access.key", "fs.s3a.secret.key", "fs.s3a.session.token")


def find_missing_capability(spark: "SparkSession", *buckets: str) -> str:
    """Return what keeps S3A from asking Access Grants for every request on these buckets, or ""."""
    jvm = spark.sparkContext._jvm  # noqa: SLF001  -- pyspark has no public way to the JVM
    enabled, fallback = (
        _read_constant(jvm, S3A_CONSTANTS, name) for name in (ENABLED_CONSTANT, FALLBACK_CONSTANT)
    )
    if enabled is None or fallback is None:
        return (
            f"the Hadoop of this image does not know S3 Access Grants ({S3A_CONSTANTS} has no "
            f"{ENABLED_CONSTANT})"
        )
    if _load_class(jvm, PLUGIN_CLASS) is None:
        return f"the Access Grants plugin is not there ({PLUGIN_CLASS})"
    configured = spark.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001
    return next(
        filter(
            None,
            (_find_misconfiguration(configured, enabled, fallback, bucket) for bucket in buckets),
        ),
        "",
    )


def _find_misconfiguration(configured: Any, enabled: str, fallback: str, bucket: str) -> str:
    """Return what is wrong with the configuration for one bucket, or ""."""
    if _read_setting(configured, enabled, bucket) != "true":
        return f"{enabled} is not true for the bucket {bucket}: S3A would use the role's own rights"
    if _read_setting(configured, fallback, bucket) == "true":
        return (
            f"{fallback} is true for the bucket {bucket}: S3A would use the role's own rights "
            "where no grant is"
        )
    static = [name for name in STATIC_CREDENTIALS if _read_setting(configured, name, bucket)]
    return f"{static[0]} is set: keys do not belong into a configuration" if static else ""


def _read_setting(configured: Any, name: str, bucket: str) -> str:
    """Return the value that S3A uses: the bucket's own, else that for all buckets."""
    own = name.replace("fs.s3a.", f"fs.s3a.bucket.{bucket}.", 1)
    return str(configured.get(own) or configured.get(name) or "").strip().lower()


def _read_constant(jvm: Any, of: str, name: str) -> str | None:
    """Return the value of a constant of a class; None without such a class or constant."""
    found = _load_class(jvm, of)
    names = [field.getName() for field in found.getFields()] if found is not None else []
    return str(found.getField(name).get(None)) if name in names else None


def _load_class(jvm: Any, name: str) -> Any:
    """Load a class in the driver; None if that fails."""
    from py4j.protocol import Py4JJavaError

    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    try:
        return jvm.java.lang.Class.forName(name, False, loader)
    except Py4JJavaError:
        return None
