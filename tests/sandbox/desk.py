"""What tests of the sandbox's own verbs share: its address /_sandbox/, and names that nobody else has."""

import json
import urllib.error
import urllib.request
import uuid
from typing import Any

from tests.conftest import Sandbox

FUNCTION = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code: {ZipFile: "def handler(event, context): return event"}
"""  # a template, to which a test adds resources of its own


def ask(sandbox: Sandbox, what: str, method: str = "GET", body: Any = None) -> Any:
    """What /_sandbox/`what` answers; its error where it refuses."""
    sent = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{sandbox.url}/_sandbox/{what}", data=sent, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        return json.load(refused)


def reset(sandbox: Sandbox) -> None:
    """Let the server forget everything."""
    with urllib.request.urlopen(urllib.request.Request(f"{sandbox.url}/_ministack/reset", method="POST")):
        pass


def own(word: str) -> str:
    """A name that is nobody else's in this server."""
    return f"{word}-{uuid.uuid4().hex[:8]}"


def allowing(*statements: dict[str, Any]) -> str:
    """A policy document; what a statement does not say, it allows."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | statement for statement in statements]})


def make_user(sandbox: Sandbox, *statements: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """A user with these rights, and its keys."""
    iam, name = sandbox.client("iam"), own("user")
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=allowing(*statements))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return name, {"AccessKeyId": made["AccessKeyId"], "SecretAccessKey": made["SecretAccessKey"]}


def make_table(sandbox: Sandbox) -> str:
    """A table whose key is `pk` and `sk`; its name."""
    name = own("table")
    sandbox.client("dynamodb").create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}],
    )  # fmt: skip
    return name
