"""Look at the job's output, with vended credentials alone: the article's second cell."""

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
    control = boto3.client("s3control")
    vended = control.get_data_access(AccountId=me["Account"], Target=target, Permission="READ")
except ClientError as refused:
    if refused.response["Error"]["Code"] != "AccessDenied":
        raise
    reason = refused.response["Error"]["Message"]
    sys.exit(f"AccessDenied: {me['Arn']} may not read {target}. {reason}")

keys = vended["Credentials"]

s3 = boto3.client(
    "s3",
    aws_access_key_id=keys["AccessKeyId"],
    aws_secret_access_key=keys["SecretAccessKey"],
    aws_session_token=keys["SessionToken"],
)
for part in ("train", "validation"):
    key = f"{FOLDER}/output/{part}/part-00000"
    print(f"\ns3://{BUCKET}/{key}")
    print(pd.read_csv(s3.get_object(Bucket=BUCKET, Key=key)["Body"], header=None).head())
