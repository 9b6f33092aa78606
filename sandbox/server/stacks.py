"""CloudFormation as strict as AWS's: nothing unknown passes, nothing asked for is silently left out, nothing full is deleted."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.server import custom, deletions, dependencies, nested, network, operations, taken, updates
from sandbox.server.account import place, trusts
from sandbox.server.completions import complete
from sandbox.server.heed import heeding
from sandbox.server.resources import TYPES
from sandbox.server.seams import use, wrap
from sandbox.stacks import Schemas, dangling, unfit

CLOUD = "ministack.services.cloudformation"
SCHEMAS = Schemas(next(Path(sys.prefix).glob("lib/python*/site-packages/cfnlint/data/schemas")))
Handler = Callable[..., Any]


def install() -> None:
    """Add our types to the server's table, and make every entry, every template and every operation strict."""
    handlers = use(f"{CLOUD}.provisioners", "_RESOURCE_HANDLERS")
    use(f"{CLOUD}.provisioners", "_REPLACING_PROPERTIES").update({name: it.fixed + _fixed(name) for name, it in TYPES.items()})
    for name, entry in [*handlers.items(), *((name, it.handlers()) for name, it in TYPES.items())]:
        handlers[name] = heeding(name, entry)
    for add in (_guard_buckets, nested.strict, complete, _check_roles, dependencies.guard, taken.refuse):
        add(handlers)
    _check_templates()
    wrap(f"{CLOUD}.stacks", "_runs_on_worker_thread", "resource_type", _waiting_elsewhere)
    for extension in (operations, updates, deletions, custom, network):
        extension.install()


def _check_templates() -> None:
    wrap(f"{CLOUD}.engine", "_validate_template_statics", "template", _checking)
    for module in ("handlers", "changesets"):
        wrap(f"{CLOUD}.{module}", "_evaluate_conditions", "template, params", _with_known_conditions)
    wrap(f"{CLOUD}.provisioners", "_check_nested_stack_capabilities", "parent_stack_name, template", _checking_nested)


def _fixed(name: str) -> tuple[str, ...]:
    """What AWS's schema of the type says can only be set at creation, as far as it stands at the top."""
    paths = (SCHEMAS.of(name) or {}).get("createOnlyProperties") or ()
    return tuple(path.removeprefix("/properties/") for path in paths if path.count("/") == 2)


def _guard_buckets(handlers: dict[str, Any]) -> None:
    delete = handlers["AWS::S3::Bucket"]["delete"]
    buckets, versions = use("ministack.services.s3", "_buckets"), use("ministack.services.s3", "_bucket_has_versions")

    def guarded(bucket: str, had: dict[str, Any]) -> None:
        if bucket in buckets and (buckets[bucket]["objects"] or versions(bucket)):
            raise ValueError(
                "The bucket you tried to delete is not empty. You must delete all versions in the bucket. "
                "(Service: S3, Status Code: 409)"
            )
        delete(bucket, had)

    handlers["AWS::S3::Bucket"] |= {"delete": guarded}


def _check_roles(handlers: dict[str, Any]) -> None:
    entry = handlers["AWS::Lambda::Function"]

    def check(wanted: dict[str, Any]) -> None:
        if not trusts(str(wanted.get("Role")), "lambda.amazonaws.com", {"aws:SourceAccount": place()[0]}):
            raise ValueError("The role defined for the function cannot be assumed by Lambda.")

    def created(logical_id: str, wanted: dict[str, Any], stack: str) -> Any:
        check(wanted)
        return entry["create"](logical_id, wanted, stack)

    def updated(identifier: str, old: dict[str, Any], wanted: dict[str, Any], *others: Any) -> Any:
        if wanted.get("Role") != old.get("Role"):
            check(wanted)
        return entry["update"](identifier, old, wanted, *others)

    handlers["AWS::Lambda::Function"] = entry | {"create": created, "update": updated}


def _checking(original: Handler) -> Handler:
    def check(template: dict[str, Any]) -> None:
        original(template)
        if not template.get("Transform") and (found := dangling(template) + unfit(template, SCHEMAS)):
            raise ValueError("; ".join(found))

    return check


def _with_known_conditions(original: Handler) -> Handler:
    """The server evaluates conditions before it checks the template, and stumbles over what the check would have said."""

    def evaluate(template: dict[str, Any], params: dict[str, Any]) -> Any:
        try:
            return original(template, params)
        except KeyError as lost:
            raise ValueError("; ".join(dangling(template))) from lost

    return evaluate


def _checking_nested(original: Handler) -> Handler:
    support = use(f"{CLOUD}.engine", "validate_template_support", "template, conditions, params=None")

    def check(parent: str, template: dict[str, Any]) -> Any:
        support(template, {})
        return original(parent, template)

    return check


def _waiting_elsewhere(original: Handler) -> Handler:
    """A domain takes its time, and the server must go on answering meanwhile."""
    return lambda resource_type: resource_type.startswith("AWS::SageMaker::") or original(resource_type)
