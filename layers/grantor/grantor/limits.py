"""Limits of AWS that Grantor must keep, each with its source.

"Model" means the service model in botocore, as the locked version has it. AWS can raise a limit:
check the source before you change a number here. What Grantor chooses for itself is in settings.py.
"""

from datetime import timedelta

# S3 Access Grants (model of s3control).
MAX_SCOPE_CHARACTERS = 2_000  # S3Prefix
MAX_TAG_VALUE_CHARACTERS = 256  # TagValueString
ACCESS_GRANTS_PAGE_ITEMS = 1_000  # MaxResults of ListAccessGrants and ListAccessGrantsLocations

# S3 User Guide, "Request access to Amazon S3 data through S3 Access Grants": a duration of 15
# minutes to 12 hours; the model of s3control has no bound.
MAX_VENDED_TIME = timedelta(hours=12)  # that credentials of GetDataAccess can live

# SageMaker (model of sagemaker; the run time is from Service Quotas).
SAGEMAKER_PAGE_ITEMS = 100  # MaxResults of a list; the default is 10
MAX_CONTAINER_ARGUMENTS = 100  # ContainerArguments
MAX_CONTAINER_ARGUMENT_CHARACTERS = 256  # ContainerArgument
MAX_PROCESSING_INSTANCES = 100  # ProcessingInstanceCount
MAX_PROCESSING_VOLUME_GB = 16_384  # ProcessingVolumeSizeInGB
MAX_PROCESSING_TIME = timedelta(days=5)  # quota of a processing job; the model's bound is nine days

# DynamoDB (Developer Guide, "Quotas in Amazon DynamoDB"). An item has at most 400 KB, a transaction
# 100 items and 4 MB.
MAX_SORT_KEY_BYTES = 1_024

# SQS (Developer Guide, "Amazon SQS message quotas").
SQS_BATCH_MESSAGES = 10  # entries of one SendMessageBatch or ReceiveMessage call
MAX_SQS_DELAY_SECONDS = 900  # DelaySeconds of a message

# SNS (API Reference, Publish). A message has at most 256 KB.
MAX_SNS_SUBJECT_CHARACTERS = 100  # ASCII, in one line
