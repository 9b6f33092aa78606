"""CloudFormation as strict as AWS's.

Nothing unknown passes, nothing requested is silently left out, and nothing that is not empty is
deleted. A name that is taken is not created again: the resource fails, and no rollback deletes what
its stack did not create. The server by itself overwrites what it finds, and deletes it when the
stack fails. The sentence is the one that CloudFormation's users report.

The API answers as AWS's does: a stack that was rolled back must be deleted first, addresses are
AWS's, and a nested stack names its parent.
"""

import os
import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from sandbox.paths import find_package
from sandbox.server import (
    change_sets,
    delete_conflicts,
    limit_checks,
    network,
    stack_changes,
)
from sandbox.server.account import request_scope, trusts_service
from sandbox.server.control import current_switches
from sandbox.server.resource_properties import complete_properties, require_reading
from sandbox.server.resource_types import RESOURCE_TYPES
from sandbox.server.seams import use_seam, wrap_seam
from sandbox.switches import StackSwitches
from sandbox.template_checks import (
    ResourceSchemas,
    find_dangling_names,
    find_invalid_properties,
    find_nulls,
    fold_conditions,
)

CLOUD = "ministack.services.cloudformation"
Handler = Callable[..., Any]
SERVICES = "ministack.services"
Properties = dict[str, Any]
# Whether the current request reads the template of a stack, and submits none.
READS_STACK: ContextVar[bool] = ContextVar("sandbox_reads_stack", default=False)
SCHEMAS = ResourceSchemas(find_package("cfnlint") / "data" / "schemas")


def _install_operations() -> None:
    """Change what the server's own operations answer."""
    actions = use_seam(f"{CLOUD}.handlers", "_ACTION_HANDLERS")
    actions["GetTemplate"] = _show_aws_addresses(actions["GetTemplate"])
    actions["DescribeStacks"] = _add_parents(actions["DescribeStacks"])
    for name in ("GetTemplate", "GetTemplateSummary"):
        actions[name] = _read_stack(actions[name])
    for name in ("CreateStack", "UpdateStack", "CreateChangeSet"):
        actions[name] = _refuse_after_rollback(name, actions[name])


def _read_stack(original: Handler) -> Handler:
    """Read the template of a stack as it is: it was accepted when it was submitted."""

    def read(params: dict[str, Any]) -> Any:
        token = READS_STACK.set("StackName" in params)
        try:
            return original(params)
        finally:
            READS_STACK.reset(token)

    return read


def _refuse_after_rollback(action: str, original: Handler) -> Handler:
    """Refuse to update or create a stack whose creation failed: delete its record first."""
    error = use_seam(f"{CLOUD}.helpers", "_error", "code, message, status=400")

    def act(params: dict[str, Any]) -> Any:
        stack = use_seam(CLOUD, "_stacks").get(_first_value(params, "StackName")) or {}
        if stack.get("StackStatus") != "ROLLBACK_COMPLETE":
            return original(params)
        if action == "CreateStack":
            return error("AlreadyExistsException", f"Stack [{stack['StackName']}] already exists")
        if _first_value(params, "ChangeSetType") == "CREATE":
            again = (
                "cannot be created again with the changeSet "
                f"[{_first_value(params, 'ChangeSetName')}]."
            )
            return error(
                "ValidationError", f"Stack [{stack['StackName']}] already exists and {again}"
            )
        # AWS writes the last verb as two words.
        why = "is in ROLLBACK_COMPLETE state and can\x20not be updated."
        return error("ValidationError", f"Stack:{stack['StackId']} {why}")

    return act


def _first_value(params: dict[str, Any], name: str) -> str:
    value = params.get(name, "")
    return str(value[0] if isinstance(value, list) else value)


def _show_aws_addresses(original: Handler) -> Handler:
    """Show addresses of nested templates as AWS would, because `sam delete` accepts no others."""

    def get(params: dict[str, Any]) -> Any:
        here = re.compile(f"http://(localhost|127\\.0\\.0\\.1):{os.environ['GATEWAY_PORT']}/")
        status, headers, body = original(params)
        region = use_seam("ministack.core.responses", "get_region", "")()
        text = body.decode() if isinstance(body, bytes) else body
        return status, headers, here.sub(f"https://s3.{region}.amazonaws.com/", text).encode()

    return get


def _add_parents(original: Handler) -> Handler:
    def describe(params: dict[str, Any]) -> Any:
        status, headers, body = original(params)
        parents = {
            stack["StackId"]: stack["ParentId"]
            for stack in use_seam(CLOUD, "_stacks").values()
            if stack.get("_parent_stack_name") and stack.get("ParentId")
        }

        def add_parent(found: re.Match[str]) -> str:
            parent = root = parents.get(found[1])
            while root in parents:
                root = parents[root]
            return found[0] + (
                f"<ParentId>{parent}</ParentId><RootId>{root}</RootId>" if parent else ""
            )

        text = body.decode() if isinstance(body, bytes) else body
        return status, headers, re.sub("<StackId>([^<]+)</StackId>", add_parent, text).encode()

    return describe


@dataclass(frozen=True)
class NamedType:
    """Where a type's resources are stored, and the property that names one.

    `after` separates the name from the rest of a key.
    """

    property: str
    module: str
    store: str
    after: str = ""

    def is_taken(self, wanted: Properties) -> bool:
        """Return whether something of the wanted name exists, whoever made it."""
        name = wanted[self.property]
        store = use_seam(f"{SERVICES}.{self.module}", self.store)
        return (
            name in store
            if not self.after
            else any(key.rpartition(self.after)[2] == name for key in store)
        )


NAMED_TYPES = {
    "AWS::CloudWatch::Alarm": NamedType("AlarmName", "cloudwatch", "_alarms"),
    "AWS::CloudWatch::Dashboard": NamedType("DashboardName", "cloudwatch", "_dashboards"),
    "AWS::DynamoDB::Table": NamedType("TableName", "dynamodb", "_tables"),
    "AWS::IAM::ManagedPolicy": NamedType("ManagedPolicyName", "iam", "_policies", "/"),
    "AWS::IAM::Role": NamedType("RoleName", "iam", "_roles"),
    "AWS::IAM::User": NamedType("UserName", "iam", "_users"),
    "AWS::Lambda::Function": NamedType("FunctionName", "lambda_svc", "_functions"),
    "AWS::Logs::LogGroup": NamedType("LogGroupName", "cloudwatch_logs", "_log_groups"),
    "AWS::SNS::Topic": NamedType("TopicName", "sns", "_topics", ":"),
    "AWS::SQS::Queue": NamedType("QueueName", "sqs", "_queue_name_to_url"),
}


def refuse_taken_names(handlers: dict[str, Any]) -> None:
    """Make each type of NAMED_TYPES, and rules of EventBridge on their bus, refuse a taken name."""
    for name, known in NAMED_TYPES.items():
        handlers[name] |= _refuse_taken_name(handlers[name], name, known.property, known.is_taken)
    rule = "AWS::Events::Rule"
    handlers[rule] |= _refuse_taken_name(handlers[rule], rule, "Name", _rule_exists)


def _rule_exists(wanted: Properties) -> bool:
    bus = use_seam(f"{CLOUD}.provisioners", "_eb_rule_bus_name", "props")(wanted)
    return f"{bus}|{wanted['Name']}" in use_seam(f"{SERVICES}.eventbridge", "_rules")


def _refuse_taken_name(
    entry: dict[str, Any], kind: str, named: str, there: Callable[[Properties], bool]
) -> dict[str, Any]:
    create, update = entry["create"], entry["update"]

    def check(wanted: Properties) -> None:
        if wanted.get(named) and there(wanted):
            raise ValueError(
                f"{wanted[named]} already exists{_find_owner(kind, named, wanted[named])}"
            )

    def created(logical_id: str, wanted: Properties, stack: str) -> Any:
        check(wanted)
        return create(logical_id, wanted, stack)

    def updated(identifier: str, old: Properties, wanted: Properties, *others: Any) -> Any:
        if wanted.get(named) != old.get(named):
            check(wanted)
        return update(identifier, old, wanted, *others)

    return {"create": created, "update": updated}


def _find_owner(kind: str, named: str, name: str) -> str:
    """Return which stack owns a resource of this name, as the sentence's end, if any."""
    for stack in use_seam(CLOUD, "_stacks").values():
        for made in (stack.get("_resources") or {}).values():
            if made["ResourceType"] == kind and (made.get("Properties") or {}).get(named) == name:
                return f" in stack {stack['StackId']}"
    return ""


def install() -> None:
    """Add our types to the server's table, and make every entry, template and operation strict."""
    handlers = use_seam(f"{CLOUD}.provisioners", "_RESOURCE_HANDLERS")
    use_seam(f"{CLOUD}.provisioners", "_REPLACING_PROPERTIES").update(
        {name: it.fixed + _list_create_only(name) for name, it in RESOURCE_TYPES.items()}
    )
    for name, entry in [
        *handlers.items(),
        *((name, it.handlers()) for name, it in RESOURCE_TYPES.items()),
    ]:
        handlers[name] = require_reading(name, entry)
    for add in (
        _keep_full_buckets,
        stack_changes.make_nested_strict,
        complete_properties,
        _check_function_roles,
        network.guard_resources,
        limit_checks.guard_resources,
        delete_conflicts.guard_resources,
        refuse_taken_names,
    ):
        add(handlers)
    _check_templates()
    wrap_seam(f"{CLOUD}.stacks", "_runs_on_worker_thread", "resource_type", _run_on_thread)
    change_sets.install()
    _install_operations()
    stack_changes.install()


def _check_templates() -> None:
    for module in ("engine", "handlers", "changesets"):
        wrap_seam(f"{CLOUD}.{module}", "_parse_template", "template_body", _refuse_nulls)
    wrap_seam(f"{CLOUD}.engine", "_validate_template_statics", "template", _check_template)
    for module in ("engine", "handlers", "changesets", "stacks"):
        wrap_seam(
            f"{CLOUD}.{module}",
            "_evaluate_conditions",
            "template, params",
            _explain_unknown_conditions,
        )
    wrap_seam(
        f"{CLOUD}.provisioners",
        "_check_nested_stack_capabilities",
        "parent_stack_name, template",
        _check_nested_template,
    )


def _list_create_only(name: str) -> tuple[str, ...]:
    """List the top-level properties that AWS's schema of the type allows at creation only."""
    paths = (SCHEMAS.find_schema(name) or {}).get("createOnlyProperties") or ()
    return tuple(path.removeprefix("/properties/") for path in paths if path.count("/") == 2)


def _keep_full_buckets(handlers: dict[str, Any]) -> None:
    delete = handlers["AWS::S3::Bucket"]["delete"]
    buckets, versions = (
        use_seam("ministack.services.s3", "_buckets"),
        use_seam("ministack.services.s3", "_bucket_has_versions"),
    )

    def guarded(bucket: str, had: dict[str, Any]) -> None:
        if bucket in buckets and (buckets[bucket]["objects"] or versions(bucket)):
            raise ValueError(
                "The bucket you tried to delete is not empty. You must delete all versions in the "
                "bucket. "
                "(Service: S3, Status Code: 409)"
            )
        delete(bucket, had)

    handlers["AWS::S3::Bucket"] |= {"delete": guarded}


def _check_function_roles(handlers: dict[str, Any]) -> None:
    entry = handlers["AWS::Lambda::Function"]

    def check(wanted: dict[str, Any]) -> None:
        if not trusts_service(
            str(wanted.get("Role")),
            "lambda.amazonaws.com",
            {"aws:SourceAccount": request_scope()[0]},
        ):
            raise ValueError("The role defined for the function cannot be assumed by Lambda.")

    def created(logical_id: str, wanted: dict[str, Any], stack: str) -> Any:
        check(wanted)
        return entry["create"](logical_id, wanted, stack)

    def updated(identifier: str, old: dict[str, Any], wanted: dict[str, Any], *others: Any) -> Any:
        if wanted.get("Role") != old.get("Role"):
            check(wanted)
        return entry["update"](identifier, old, wanted, *others)

    handlers["AWS::Lambda::Function"] = entry | {"create": created, "update": updated}


def _refuse_nulls(original: Handler) -> Handler:
    def parse(template_body: str) -> Any:
        template = original(template_body)
        if READS_STACK.get():
            return template
        accepted = current_switches(StackSwitches).nulls_in_metadata
        found = find_nulls(template)
        if found and not (accepted and all("/Metadata/" in place for place in found)):
            raise ValueError(found[0])
        return template

    return parse


def _check_template(original: Handler) -> Handler:
    def check(template: dict[str, Any]) -> None:
        original(template)
        if not template.get("Transform") and (
            found := find_dangling_names(template) + find_invalid_properties(template, SCHEMAS)
        ):
            raise ValueError("; ".join(found))

    return check


def _explain_unknown_conditions(original: Handler) -> Handler:
    """Report unknown conditions as the template check does, and evaluate Fn::Join in them.

    The server evaluates conditions before it checks the template, and fails on the unknown
    ones. A function that it does not know is true to it.
    """

    def evaluate(template: dict[str, Any], params: dict[str, Any]) -> Any:
        values = {name: str(it.get("Value", "")) for name, it in params.items()}
        try:
            return original(template | {"Conditions": fold_conditions(template, values)}, params)
        except KeyError as lost:
            raise ValueError("; ".join(find_dangling_names(template))) from lost

    return evaluate


def _check_nested_template(original: Handler) -> Handler:
    support = use_seam(
        f"{CLOUD}.engine", "validate_template_support", "template, conditions, params=None"
    )

    def check(parent: str, template: dict[str, Any]) -> Any:
        support(template, {})
        return original(parent, template)

    return check


def _run_on_thread(original: Handler) -> Handler:
    """Create domains on a thread: they take time, and the server must go on answering."""
    return lambda resource_type: (
        resource_type.startswith("AWS::SageMaker::") or original(resource_type)
    )
