"""What has a name already is not made again: the resource fails, and no rollback deletes what its stack did not make.

The server by itself writes over what it finds, and takes it back when the stack fails. The sentence is the one that
CloudFormation's users report.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.server.seams import use

SERVICES = "ministack.services"
CLOUD = f"{SERVICES}.cloudformation"
Properties = dict[str, Any]


@dataclass(frozen=True)
class Named:
    """Where the things of a type are kept, and the property that names one; `after` is what stands before the name in a key."""

    property: str
    module: str
    store: str
    after: str = ""

    def there(self, name: str) -> bool:
        """Whether there is one of this name, whoever made it."""
        store = use(f"{SERVICES}.{self.module}", self.store)
        return name in store if not self.after else any(key.rpartition(self.after)[2] == name for key in store)


NAMED = {
    "AWS::CloudWatch::Alarm": Named("AlarmName", "cloudwatch", "_alarms"),
    "AWS::CloudWatch::Dashboard": Named("DashboardName", "cloudwatch", "_dashboards"),
    "AWS::DynamoDB::Table": Named("TableName", "dynamodb", "_tables"),
    "AWS::IAM::ManagedPolicy": Named("ManagedPolicyName", "iam", "_policies", "/"),
    "AWS::IAM::Role": Named("RoleName", "iam", "_roles"),
    "AWS::IAM::User": Named("UserName", "iam", "_users"),
    "AWS::Lambda::Function": Named("FunctionName", "lambda_svc", "_functions"),
    "AWS::Logs::LogGroup": Named("LogGroupName", "cloudwatch_logs", "_log_groups"),
    "AWS::SNS::Topic": Named("TopicName", "sns", "_topics", ":"),
    "AWS::SQS::Queue": Named("QueueName", "sqs", "_queue_name_to_url"),
}


def refuse(handlers: dict[str, Any]) -> None:
    """Let each type of NAMED, and rules of EventBridge on their bus, refuse a name that is taken."""
    for name, known in NAMED.items():
        handlers[name] |= _refusing(handlers[name], name, known.property, lambda wanted, it=known: it.there(wanted[it.property]))
    rule = "AWS::Events::Rule"
    handlers[rule] |= _refusing(handlers[rule], rule, "Name", _rule_there)


def _rule_there(wanted: Properties) -> bool:
    bus = use(f"{CLOUD}.provisioners", "_eb_rule_bus_name", "props")(wanted)
    return f"{bus}|{wanted['Name']}" in use(f"{SERVICES}.eventbridge", "_rules")


def _refusing(entry: dict[str, Any], kind: str, named: str, there: Callable[[Properties], bool]) -> dict[str, Any]:
    create, update = entry["create"], entry["update"]

    def check(wanted: Properties) -> None:
        if wanted.get(named) and there(wanted):
            raise ValueError(f"{wanted[named]} already exists{_owner(kind, named, wanted[named])}")

    def created(logical_id: str, wanted: Properties, stack: str) -> Any:
        check(wanted)
        return create(logical_id, wanted, stack)

    def updated(identifier: str, old: Properties, wanted: Properties, *others: Any) -> Any:
        if wanted.get(named) != old.get(named):
            check(wanted)
        return update(identifier, old, wanted, *others)

    return {"create": created, "update": updated}


def _owner(kind: str, named: str, name: str) -> str:
    """The stack that a thing of this name belongs to, as the sentence goes on; empty where none has it."""
    for stack in use(CLOUD, "_stacks").values():
        for made in (stack.get("_resources") or {}).values():
            if made["ResourceType"] == kind and (made.get("Properties") or {}).get(named) == name:
                return f" in stack {stack['StackId']}"
    return ""
