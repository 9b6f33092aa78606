"""Preprocess the Abalone data by hand: the article's first cell, with the current SDK and image.

The job runs as this notebook's execution role, which has no permission on the data: Spark asks S3
Access Grants for every request.
"""

import os
import subprocess
import sys
import tempfile
import time

import boto3
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.spark.processing import PySparkProcessor

BUCKET = os.environ.get("DATA_BUCKET", "<the stack's output DataBucket>")
OPERATIONS = os.environ.get("OPERATIONS_BUCKET", "<the stack's output OperationsBucket>")
FOLDER = os.environ.get("FOLDER", "UserA")
# The folder spark_jobs of a clone, or the launcher's code: s3://<operations bucket>/code/<hash>
CODE = os.environ.get("JOB_CODE", "spark_jobs")

account_id = boto3.client("sts").get_caller_identity()["Account"]
role = os.environ.get("EXECUTION_ROLE") or get_execution_role()
# The only part of the operations bucket that this role may write.
own_prefix = f"runs/{role.rpartition('/')[2]}/"
script, package = f"{CODE}/preprocess.py", f"{CODE}/py-files/framework.zip"
if not CODE.startswith("s3://"):
    pack, packed = f"{CODE}/../functions/start_spark_job/pack.py", tempfile.mkdtemp()
    subprocess.run([sys.executable, pack, CODE, packed], check=True)
    script, package = f"{packed}/abalone/preprocess.py", f"{packed}/abalone/framework.zip"
job_name = f"spark-preprocess-job-{time.strftime('%Y-%m-%d-%H-%M-%S', time.gmtime())}"

# The SDK uploads to where no other role can write, not to the default bucket of the account.
session = Session(default_bucket=OPERATIONS, default_bucket_prefix=own_prefix)
processor = PySparkProcessor(
    base_job_name="spark-preprocess-job",
    framework_version="3.5",
    py_version="py312",
    container_version="1.3",
    role=role,
    instance_count=2,
    instance_type="ml.m5.xlarge",
    max_runtime_in_seconds=3600,
    sagemaker_session=session,
)
processor.run(
    submit_app=script,
    submit_py_files=[package],
    arguments=[
        "--account_id", account_id,
        "--s3_input_bucket", BUCKET,
        "--s3_input_key_prefix", FOLDER,
        "--s3_output_bucket", BUCKET,
        "--s3_output_key_prefix", f"{FOLDER}/output",
    ],
    spark_event_logs_s3_uri=f"s3://{OPERATIONS}/{own_prefix}{job_name}/spark-events/",
    job_name=job_name,
    # With a failed job, the SDK's own waiting (3.27.0) raises AttributeError instead of the reason.
    wait=False,
    logs=False,
)  # fmt: skip
status = "InProgress"
while status in ("InProgress", "Stopping"):
    time.sleep(5)
    job = session.sagemaker_client.describe_processing_job(ProcessingJobName=job_name)
    status = job["ProcessingJobStatus"]
if status != "Completed":
    reason = job.get("FailureReason", "")
    log = "its log is in CloudWatch: /aws/sagemaker/ProcessingJobs"
    sys.exit(f"{job_name}: {status}. {reason} ({log})")
print(f"{job_name}: Completed. See s3://{BUCKET}/{FOLDER}/output/train/ and validation/")
