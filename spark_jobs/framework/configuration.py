"""The Spark configuration with which S3A asks Access Grants for every request on a bucket.

S3A never falls back on the role's own permissions. The launcher writes this configuration into
configuration.json, the job sets what nobody has set, and the tests use it. Standard library only.
"""

from collections.abc import Mapping

S3A = "spark.hadoop.fs.s3a."
# How S3's hosts end, by how a Region's name begins, where AWS's container writes another endpoint:
# it ends all but China's in amazonaws.com. Source: botocore, endpoints.json, dnsSuffix.
HOST_SUFFIXES = {
    "eusc-": "amazonaws.eu",
    "eu-isoe-": "cloud.adc-e.uk",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
}
PARALLEL = "-XX:+UseParallelGC"


def bucket_properties(bucket: str) -> dict[str, str]:
    """Return the properties for one data bucket."""
    return {
        f"{S3A}bucket.{bucket}.access.grants.enabled": "true",
        f"{S3A}bucket.{bucket}.access.grants.fallback.to.iam": "false",
    }


def common_properties() -> dict[str, str]:
    """Return the properties that hold for every bucket."""
    return {
        f"{S3A}aws.credentials.provider": "org.apache.hadoop.fs.s3a.auth.IAMInstanceCredentialsProvider",  # noqa: E501  -- one text
        # Skips the probes of parent folders, which may be outside the grants.
        f"{S3A}performance.flags": "create,mkdir",
        # AWS's policy for the role of a location does not allow ListBucketMultipartUploads.
        f"{S3A}committer.abort.pending.uploads": "false",
        # Otherwise S3A calls HeadBucket with the role's own credentials. The bucket is in the job's
        # Region anyway, as Access Grants require.
        f"{S3A}cross.region.access.enabled": "false",
        # S3A takes a denial for a network failure and would retry for minutes.
        f"{S3A}retry.limit": "3",
        # S3A renames a larger file by UploadPartCopy, which AWS's plugin (2.3.0) does not know and
        # signs with the role's own credentials. Output files have about 1 GiB at most.
        f"{S3A}multipart.threshold": "1500M",
        # With version 1 a failed job leaves no part files in sight; the container's default is 2.
        "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "1",
        # Readers of a folder find data in it and nothing else.
        "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
        "spark.speculation": "false",
        "spark.driver.memory": "4g",
        # A batch job need not avoid pauses: the parallel collector takes 8 % less CPU at 10 million
        # rows than Java 17's default. The container's own options choose no collector that Java 17
        # knows.
        "spark.driver.extraJavaOptions": PARALLEL,
        "spark.executor.extraJavaOptions": PARALLEL,
    }


def endpoint_properties(environment: Mapping[str, str]) -> dict[str, str]:
    """Return S3A's endpoint for a Region whose endpoint AWS's container gets wrong; else nothing.

    An endpoint that the environment names comes first, as in AWS's own clients.

    >>> endpoint_properties({"AWS_REGION": "eusc-de-east-1"})
    {'spark.hadoop.fs.s3a.endpoint': 's3.eusc-de-east-1.amazonaws.eu'}
    """
    region = environment.get("AWS_REGION", "")
    for start, suffix in HOST_SUFFIXES.items():
        if region.startswith(start):
            own = environment.get("AWS_ENDPOINT_URL_S3") or f"s3.{region}.{suffix}"
            return {f"{S3A}endpoint": own}
    return {}


def spark_defaults(*buckets: str) -> dict[str, str]:
    """Return all properties, for these buckets."""
    return common_properties() | {
        name: value for bucket in buckets for name, value in bucket_properties(bucket).items()
    }


def build_configuration(*buckets: str) -> list[dict[str, object]]:
    """Return the content of configuration.json: EMR classifications, which the container reads."""
    return [{"Classification": "spark-defaults", "Properties": spark_defaults(*buckets)}]
