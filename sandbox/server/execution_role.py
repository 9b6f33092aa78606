"""What a service does in the name of a function or a job, it does by its execution role, and only as far as that role allows."""

from typing import Any

from sandbox.server.seams import use

EVALUATOR = "ministack.core.iam_evaluator"


def may(config: dict[str, Any], action: str, resource: str) -> bool:
    """Whether the role of the function that is so configured allows the action, as the server judges the function's own calls."""
    _, _, _, region, account, _ = config["FunctionArn"].split(":", 5)
    key = use("ministack.core.lambda_runtime", "execution_credentials", "config")(config)["AWS_ACCESS_KEY_ID"]
    return session_may(key, account, region, action, resource)


def session_may(key: str, account: str, region: str, action: str, resource: str) -> bool:
    """Whether the session of the access key may do this, as the server judges its calls."""
    who = use(EVALUATOR, "resolve_principal", "access_key_id, account_id, credential=None")(key, account)
    asked = use(EVALUATOR, "EvalContext")(who.arn, who.type, who.account, action, resource, region, principal_keys=who.keys)
    return bool(use(EVALUATOR, "evaluate", "ctx, policies, *limits")(asked, who.policies, *who.limits).decision == "Allow")


def may_log(config: dict[str, Any], group: str, exists: bool) -> bool:
    """Whether the function's lines reach its log group, which must be made first if it does not exist.

    Source: AWS, "Sending Lambda function logs to CloudWatch Logs": without the permissions a function runs, and leaves no logs.
    """
    _, _, _, region, account, _ = config["FunctionArn"].split(":", 5)
    return all(may(config, action, on) for action, on in logging(f"arn:aws:logs:{region}:{account}:log-group:{group}", exists))


def logging(group: str, exists: bool) -> list[tuple[str, str]]:
    """What one must be allowed to leave lines in a log group, each action with its resource."""
    needed = [("logs:CreateLogStream", f"{group}:log-stream:"), ("logs:PutLogEvents", f"{group}:log-stream:a")]
    return needed if exists else [("logs:CreateLogGroup", group), *needed]
