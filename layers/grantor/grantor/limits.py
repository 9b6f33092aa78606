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
MIN_VENDED_TIME = timedelta(minutes=15)  # that credentials of GetDataAccess live
MAX_VENDED_TIME = timedelta(hours=12)  # that they can live

# SageMaker (model of sagemaker; the run time is from Service Quotas).
SAGEMAKER_PAGE_ITEMS = 100  # MaxResults of a list; the default is 10
MAX_CONTAINER_ARGUMENTS = 100  # ContainerArguments
MAX_CONTAINER_ARGUMENT_CHARACTERS = 256  # ContainerArgument
MAX_PROCESSING_INSTANCES = 100  # ProcessingInstanceCount
MAX_PROCESSING_VOLUME_GB = 16_384  # ProcessingVolumeSizeInGB
MAX_PROCESSING_TIME = timedelta(days=5)  # quota of a processing job; the model's bound is nine days

# IAM (model of iam).
IAM_PAGE_ITEMS = 1_000  # MaxItems of ListRoles and ListUsers; the default is 100

# DynamoDB (Developer Guide, "Quotas in Amazon DynamoDB"). An item has at most 400 KB, a transaction
# 100 items and 4 MB.
MAX_SORT_KEY_BYTES = 1_024

# SQS (Developer Guide, "Amazon SQS message quotas").
SQS_BATCH_MESSAGES = 10  # entries of one SendMessageBatch or ReceiveMessage call
MAX_SQS_DELAY_SECONDS = 900  # DelaySeconds of a message

# SNS (API Reference, Publish). A message has at most 256 KB.
MAX_SNS_SUBJECT_CHARACTERS = 100  # ASCII, in one line

# Lambda (API Reference, CreateFunction), CloudTrail (User Guide, "Quotas in AWS CloudTrail"), and
# EC2 (VPC User Guide, "VPC CIDR blocks" and "Subnet CIDR blocks").
MAX_FUNCTION_NAME_CHARACTERS = 64
MAX_TRAILS_PER_REGION = 5
VPC_PREFIX_LENGTHS = (16, 28)  # of a network, and of a subnet in it

# Regions. What a list does not name may work all the same; what it names is certain.
# S3 User Guide, "S3 Access Grants limitations", read in November 2026.
REGIONS_OF_ACCESS_GRANTS = frozenset({
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "af-south-1", "ap-east-1", "ap-east-2",
    "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2",
    "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-6",
    "ap-southeast-7", "ca-central-1", "ca-west-1", "eu-central-1", "eu-central-2", "eu-north-1",
    "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "il-central-1",
    "me-central-1", "me-south-1", "mx-central-1", "sa-east-1", "us-gov-east-1", "us-gov-west-1",
})  # fmt: skip
# CloudFormation's resource types by Region, as cfn-lint 1.58.0 lists them. template.yaml refuses
# these Regions before anything is made, too.
REGIONS_WITHOUT_STUDIO_TYPES = {
    "ap-south-2": ("AWS::SageMaker::UserProfile",),
    "ap-southeast-4": ("AWS::SageMaker::UserProfile",),
    "ca-west-1": ("AWS::SageMaker::Domain", "AWS::SageMaker::UserProfile"),
    "mx-central-1": ("AWS::SageMaker::Domain", "AWS::SageMaker::UserProfile"),
}
# aws/sagemaker-spark-container, available_images.md. The SDK names an account in 18 Regions more
# (core/jobs/request.py), where the image was not confirmed by AWS's list.
LISTED_IMAGE_REGIONS = frozenset({
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "ap-northeast-1", "ap-northeast-2",
    "ap-east-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "af-south-1", "me-south-1",
    "sa-east-1", "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2",
    "eu-south-1", "eu-west-3", "cn-north-1", "cn-northwest-1",
})  # fmt: skip
