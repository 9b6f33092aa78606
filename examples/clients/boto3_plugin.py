"""boto3 with AWS's plugin, which asks S3 Access Grants for each request: no profile, no command."""

import sys

import boto3
from aws_s3_access_grants_boto3_plugin.s3_access_grants_plugin import S3AccessGrantsPlugin

bucket, _, folder = sys.argv[1].removeprefix("s3://").partition("/")  # FOLDER/

session = boto3.Session()
s3 = session.client("s3")
own = session._session  # noqa: SLF001  -- the plugin takes botocore's session, not boto3's
# With fallback_enabled=True, a refusal would be answered with the role's own permissions.
S3AccessGrantsPlugin(s3, fallback_enabled=False, customer_session=own).register()

body = s3.get_object(Bucket=bucket, Key=f"{folder}in.csv")["Body"].read()
s3.put_object(Bucket=bucket, Key=f"{folder}boto3.csv", Body=body)
print(s3.list_objects_v2(Bucket=bucket, Prefix=f"{folder}boto3")["Contents"][0]["Key"])
