"""Lambda functions: who may call them, and what becomes of what they say and fail at."""

from collections.abc import Sequence

from pulumi_policy import PolicyResource
from rules import Findings, Props, Rule, Stack, at, given, is_set, literal, refers, rule
from task_definitions import FUNCTION

FUNCTION_URL = "aws:lambda/functionUrl:FunctionUrl"
PERMISSION = "aws:lambda/permission:Permission"
INVOKE_CONFIG = "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"

# Deprecated by November 2026 (Lambda Developer Guide, "Deprecated runtimes"; endoflife.date/aws-lambda).
DEPRECATED = (
    "dotnet5.0",
    "dotnet6",
    "dotnet7",
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
    "go1.x",
    "java8",
    "nodejs",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs6.10",
    "nodejs8.10",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "nodejs16.x",
    "nodejs18.x",
    "nodejs20.x",
    "provided",
    "python2.7",
    "python3.6",
    "python3.7",
    "python3.8",
    "python3.9",
    "ruby2.5",
    "ruby2.7",
    "ruby3.2",
)
# They call once and do not wait for an answer: what fails three times is thrown away.
FORGETFUL = ("sns.amazonaws.com", "s3.amazonaws.com")

RULES: list[Rule] = []


@rule(
    RULES,
    "lambda-not-public",
    types=[FUNCTION_URL, PERMISSION],
    severity="critical",
    why="Whoever finds the address runs the code, with the function's role and on the account's bill.",
    remedy="Set authorizationType of the FunctionUrl to AWS_IAM, name the account or the service as principal, or "
    "put the function behind a load balancer or API Gateway that asks who is there",
    checklist=["C30"],
    frameworks=["FSBP Lambda.1", "CKV_AWS_258", "CKV_AWS_301"],
    must_know=True,
)
def lambda_not_public(props: Props, resource_type: str) -> Findings:
    """Not everybody may call a function."""
    if resource_type == FUNCTION_URL:
        if props.get("authorizationType") == "NONE":
            yield given(props, "authorizationType")
    elif props.get("principal") == "*" and not is_set(props, "principalOrgId"):
        yield given(props, "principal")


@rule(
    RULES,
    "lambda-caller-named",
    types=[PERMISSION],
    severity="high",
    why="A service calls on behalf of whoever set it up, in another account too (the confused deputy).",
    remedy="Set sourceArn to the bucket, topic, rule or API that may call, or sourceAccount to this account",
    checklist=["C11"],
    frameworks=["CKV_AWS_364"],
)
def lambda_caller_named(props: Props) -> Findings:
    """A service may only call a function for a resource of this account."""
    named = any(
        is_set(props, name) for name in ("sourceArn", "sourceAccount", "principalOrgId", "eventSourceToken")
    )
    if str(literal(props, "principal")).endswith(".amazonaws.com") and not named:
        yield "neither sourceArn nor sourceAccount is set"


@rule(
    RULES,
    "lambda-runtime-supported",
    types=[FUNCTION],
    severity="medium",
    why="Holes in a deprecated runtime stay open, and one day the function can no longer be changed.",
    remedy="Set runtime to one that Lambda supports",
    checklist=["C79"],
    frameworks=["FSBP Lambda.2", "CKV_AWS_363"],
    must_know=True,
)
def lambda_runtime_supported(props: Props, *, deprecated: Sequence[str] = DEPRECATED) -> Findings:
    """A function runs on a runtime that AWS still mends."""
    if props.get("runtime") in deprecated:
        yield given(props, "runtime")


@rule(
    RULES,
    "lambda-variables-encrypted",
    types=[FUNCTION],
    severity="low",
    why="With a key of one's own, reading a function's configuration is not enough to read its variables.",
    remedy="Set kmsKeyArn to a key of the stack's",
    checklist=["C1"],
    frameworks=["CKV_AWS_173"],
    advisory=True,
)
def lambda_variables_encrypted(props: Props) -> Findings:
    """A function's variables are encrypted with a key of one's own."""
    if literal(props.get("environment") or {}, "variables") and not is_set(props, "kmsKeyArn"):
        yield given(props, "kmsKeyArn")


@rule(
    RULES,
    "lambda-zones",
    types=[FUNCTION],
    severity="low",
    why="A function with one subnet stops with that subnet's zone.",
    remedy="Give vpcConfig.subnetIds subnets of two zones at least",
    checklist=["C71"],
    frameworks=["FSBP Lambda.5"],
)
def lambda_zones(props: Props) -> Findings:
    """A function in the network stands in more than one zone."""
    if len(at(props, "vpcConfig.subnetIds") or []) == 1:
        yield "vpcConfig.subnetIds holds one subnet"


@rule(
    RULES,
    "lambda-log-declared",
    types=[FUNCTION],
    severity="medium",
    why="Lambda makes the log group itself on the first call: kept for ever, without a key, outside of the stack.",
    remedy="Declare a LogGroup and set loggingConfig.logGroup to its name, or name it /aws/lambda/ and the function",
    checklist=["C60", "C61"],
    whole_stack=True,
)
def lambda_log_declared(function: PolicyResource, stack: Stack) -> Findings:
    """A function writes into a log group that the program declares."""
    if is_set(literal(function.props, "loggingConfig") or {}, "logGroup"):
        return
    usual = f"/aws/lambda/{literal(function.props, 'name')}"
    if not any(
        literal(group.props, "name") == usual or refers(group, "name", function)
        for group in stack.of([LOG_GROUP])
    ):
        yield "no LogGroup is declared for it"


@rule(
    RULES,
    "lambda-failures-kept",
    types=[FUNCTION],
    severity="low",
    why="What an event made fail three times is thrown away, and nobody can send it again.",
    remedy="Set deadLetterConfig.targetArn to a queue, or declare a FunctionEventInvokeConfig with an onFailure",
    checklist=["C58"],
    frameworks=["CKV_AWS_116"],
    advisory=True,
    whole_stack=True,
)
def lambda_failures_kept(function: PolicyResource, stack: Stack) -> Findings:
    """A message that a function cannot handle is kept."""
    callers = {
        literal(permission.props, "principal")
        for permission in stack.referring([PERMISSION], "function", function)
    }
    kept = is_set(function.props, "deadLetterConfig") or any(
        at(config.props, "destinationConfig.onFailure")
        for config in stack.referring([INVOKE_CONFIG], "functionName", function)
    )
    if not kept and callers & set(FORGETFUL):
        yield f"{' and '.join(sorted(callers & set(FORGETFUL)))} calls it, and no deadLetterConfig is set"
