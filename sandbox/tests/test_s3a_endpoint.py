"""S3A's endpoint in the container: AWS's program writes a wrong one in some partitions."""

import pytest

from sandbox.processing.smspark import spark_settings
from sandbox.processing.smspark.spark_settings import ENDPOINT, SparkSettings

NAME = f"spark.hadoop.{ENDPOINT}"


def settle(monkeypatch: pytest.MonkeyPatch, region: str, **defaults: str) -> SparkSettings:
    """The settings of a container in this Region, with these of the job's own."""
    monkeypatch.setenv("AWS_REGION", region)
    site = spark_settings._list_site_settings()
    settings = SparkSettings(dict(defaults), {"core-site.xml": site})
    spark_settings._point_to_sandbox(settings)
    return settings


@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1", "us-gov-west-1"])
def test_a_right_endpoint_gives_way_to_the_sandbox_s(monkeypatch: pytest.MonkeyPatch, region: str):
    assert ENDPOINT not in settle(monkeypatch, region).files["core-site.xml"]


def test_a_wrong_endpoint_stays_and_its_host_is_not_found(monkeypatch: pytest.MonkeyPatch):
    site = settle(monkeypatch, "eusc-de-east-1").files["core-site.xml"]

    assert site[ENDPOINT] == "s3.eusc-de-east-1.amazonaws.com"


def test_a_job_that_sets_the_right_endpoint_reaches_the_sandbox(monkeypatch: pytest.MonkeyPatch):
    right = {NAME: "https://s3.eusc-de-east-1.amazonaws.eu"}
    settings = settle(monkeypatch, "eusc-de-east-1", **right)

    assert (ENDPOINT in settings.files["core-site.xml"], settings.defaults) == (False, {})


def test_a_job_that_sets_another_endpoint_keeps_it(monkeypatch: pytest.MonkeyPatch):
    other = {NAME: "s3.example.com"}

    assert settle(monkeypatch, "us-east-1", **other).defaults == other
