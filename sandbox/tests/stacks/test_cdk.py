"""What CDK's CLI needs of CloudFormation and S3, as its bootstrap template and its apps have it."""

import pytest
from botocore.exceptions import ClientError

# From the bootstrap template of aws-cdk 2.1148.1: what other templates do not have.
BOOTSTRAP = """
Resources:
  StagingBucket:
    Type: AWS::S3::Bucket
    UpdateReplacePolicy: Retain
    DeletionPolicy: Retain
    Properties:
      BucketName: !Sub cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}
      AccessControl: Private
      BucketEncryption:
        ServerSideEncryptionConfiguration:
          - ServerSideEncryptionByDefault: {SSEAlgorithm: aws:kms}
      VersioningConfiguration: {Status: Enabled}
      LifecycleConfiguration:
        Rules:
          - Id: CleanupOldVersions
            Status: Enabled
            NoncurrentVersionExpiration: {NoncurrentDays: 30}
  ContainerAssetsRepository:
    Type: AWS::ECR::Repository
    Properties:
      ImageTagMutability: IMMUTABLE
      RepositoryName: !Sub cdk-hnb659fds-container-assets-${AWS::AccountId}-${AWS::Region}
  CdkBootstrapVersion:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Name: /cdk-bootstrap/hnb659fds/version, Value: "30"}
"""
APP = """
Resources:
  CDKMetadata: {Type: AWS::CDK::Metadata, Properties: {Analytics: "v2:deflate64:H4sIAAAA"}}
  Data: {Type: AWS::S3::Bucket}
  Reader:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: &trust
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: {Service: access-grants.s3.amazonaws.com}
            Action: ["sts:AssumeRole", "sts:SetSourceIdentity"]
  Instance: {Type: AWS::S3::AccessGrantsInstance}
  Location:
    Type: AWS::S3::AccessGrantsLocation
    DependsOn: Instance
    Properties: {LocationScope: !Sub "s3://${Data}/", IamRoleArn: !GetAtt Reader.Arn}
  Grant:
    Type: AWS::S3::AccessGrant
    Properties:
      AccessGrantsLocationId: !GetAtt Location.AccessGrantsLocationId
      AccessGrantsLocationConfiguration: {S3SubPrefix: "reports/*"}
      Permission: READ
      Grantee: {GranteeType: IAM, GranteeIdentifier: !GetAtt Reader.Arn}
Outputs: {GrantId: {Value: !GetAtt Grant.AccessGrantId}}
"""


def test_the_bootstrap_stack_is_created_and_takes_an_asset(stacks):
    assert stacks.create("CDKToolkit", BOOTSTRAP) == "CREATE_COMPLETE", stacks.why("CDKToolkit")

    bucket, s3 = stacks.physical("CDKToolkit")["StagingBucket"], stacks.client("s3")
    s3.put_object(Bucket=bucket, Key="asset", Body=b"{}", ServerSideEncryption="aws:kms")
    stored = s3.head_object(Bucket=bucket, Key="asset")
    assert stored["ServerSideEncryption"] == "aws:kms"
    assert stored["SSEKMSKeyId"].startswith("arn:aws:kms:us-east-1:000000000000:key/")


def test_an_app_with_access_grants_and_cdks_metadata_is_created_and_deleted(stacks):
    assert stacks.create("app", APP) == "CREATE_COMPLETE", stacks.why("app")

    grant = stacks.client("s3control").get_access_grant(
        AccountId="000000000000", AccessGrantId=stacks.outputs("app")["GrantId"]
    )
    assert grant["GrantScope"].endswith("/reports/*")
    assert stacks.delete("app") == "DELETE_COMPLETE"


def test_an_acl_that_new_buckets_do_not_have_fails_its_stack(stacks):
    public = BOOTSTRAP.replace("AccessControl: Private", "AccessControl: PublicRead")

    assert stacks.create("public", public) == "ROLLBACK_COMPLETE"
    assert "Bucket cannot have ACLs set" in stacks.why("public")["StagingBucket"]


def test_a_parameter_that_its_own_pattern_does_not_match_is_refused_by_both_doors(stacks):
    template = """
Resources:
  Limit:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !Ref AWS::StackName, AllowedPattern: "^.{1,8}$"}
"""

    assert stacks.create("short", template) == "CREATE_COMPLETE"
    assert stacks.create("much-longer", template) == "ROLLBACK_COMPLETE"
    assert "Must match pattern" in stacks.why("much-longer")["Limit"]
    with pytest.raises(ClientError, match="ParameterPatternMismatchException"):
        stacks.client("ssm").put_parameter(
            Name="x", Type="String", Value="much-longer", AllowedPattern="^.{1,8}$"
        )
