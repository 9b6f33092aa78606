"""How Spark has to be configured so that S3A asks Access Grants for every request on a bucket, and never falls back on the role's own rights.

One source for the launcher, which writes it into configuration.json, for the job, which sets what nobody has set, and for the tests.
Standard library only.
"""

S3A = "spark.hadoop.fs.s3a."
PARALLEL = "-XX:+UseParallelGC"


def of_bucket(bucket: str) -> dict[str, str]:
    """Properties for the bucket that the data is in."""
    return {
        f"{S3A}bucket.{bucket}.access.grants.enabled": "true",
        f"{S3A}bucket.{bucket}.access.grants.fallback.to.iam": "false",
    }


def common() -> dict[str, str]:
    """Properties for whatever the job reads and writes."""
    return {
        f"{S3A}aws.credentials.provider": "org.apache.hadoop.fs.s3a.auth.IAMInstanceCredentialsProvider",
        # Without the probes of the parent folders, which may lie outside what is granted.
        f"{S3A}performance.flags": "create,mkdir",
        # AWS's policy for a location's role does not allow ListBucketMultipartUploads.
        f"{S3A}committer.abort.pending.uploads": "false",
        # Else HeadBucket is asked for with the role's own credentials. The bucket is in the job's Region, as Access Grants demand.
        f"{S3A}cross.region.access.enabled": "false",
        # What was denied is denied: S3A takes it for a failing network and would try for minutes.
        f"{S3A}retry.limit": "3",
        # A larger file would be renamed by UploadPartCopy, which AWS's plugin (2.3.0) does not know and leaves to the role's own rights.
        # Files of output are about a GiB at most.
        f"{S3A}multipart.threshold": "1500M",
        # A job that fails leaves no part files in sight; the container's own default, 2, does.
        "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "1",
        # A reader of a folder finds data in it and nothing else.
        "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
        "spark.speculation": "false",
        "spark.driver.memory": "4g",
        # A job has no pauses to spare anyone: 8 % less CPU at 10 million rows than Java 17's own choice. Said besides the options that the
        # container brings, of which Java 17 knows no collector.
        "spark.driver.extraJavaOptions": PARALLEL,
        "spark.executor.extraJavaOptions": PARALLEL,
    }


def spark_defaults(*buckets: str) -> dict[str, str]:
    """All properties, for these buckets."""
    return common() | {name: value for bucket in buckets for name, value in of_bucket(bucket).items()}


def configuration(*buckets: str) -> list[dict[str, object]]:
    """The content of configuration.json: EMR's classifications, as the container reads them."""
    return [{"Classification": "spark-defaults", "Properties": spark_defaults(*buckets)}]
