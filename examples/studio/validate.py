"""Look at what the job made, with granted credentials alone: the article's second cell."""

import os
import sys

import boto3
import pandas as pd
from botocore.exceptions import ClientError

BUCKET = os.environ.get("DATA_BUCKET", "<the stack's output DataBucket>")
FOLDER = os.environ.get("FOLDER", "UserA")

me = boto3.client("sts").get_caller_identity()
target = f"s3://{BUCKET}/{FOLDER}/*"
try:
    vended = boto3.client("s3control").get_data_access(AccountId=me["Account"], Target=target, Permission="READ")["Credentials"]
except ClientError as refused:
    if refused.response["Error"]["Code"] != "AccessDenied":
        raise
    sys.exit(f"AccessDenied: {me['Arn']} may not read {target}. {refused.response['Error']['Message']}")

s3 = boto3.client(
    "s3",
    aws_access_key_id=vended["AccessKeyId"],
    aws_secret_access_key=vended["SecretAccessKey"],
    aws_session_token=vended["SessionToken"],
)
for part in ("train", "validation"):
    key = f"{FOLDER}/output/{part}/part-00000"
    print(f"\ns3://{BUCKET}/{key}")
    print(pd.read_csv(s3.get_object(Bucket=BUCKET, Key=key)["Body"], header=None).head())
