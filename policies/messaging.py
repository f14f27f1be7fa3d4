"""Topics, queues and brokers."""

from rules import Findings, Props, Rule, at, given, given_at, is_set, rule

TOPIC = "aws:sns/topic:Topic"
QUEUE = "aws:sqs/queue:Queue"
BROKER = "aws:mq/broker:Broker"
STANDBY_MODES = {"ACTIVE_STANDBY_MULTI_AZ", "CLUSTER_MULTI_AZ"}

RULES: list[Rule] = []


@rule(
    RULES,
    "topic-encrypted",
    types=[TOPIC],
    severity="medium",
    why="Alarms and events tell what the product does and whom it serves; SNS keeps them unencrypted by itself.",
    remedy="Set kmsMasterKeyId to a key whose policy lets the publishing services use it",
    checklist=["C67"],
    frameworks=["Security Hub SNS.1", "CKV_AWS_26"],
)
def topic_encrypted(props: Props) -> Findings:
    """Messages of a topic are encrypted with a key of one's own."""
    if not is_set(props, "kmsMasterKeyId"):
        yield given(props, "kmsMasterKeyId")


@rule(
    RULES,
    "queue-encrypted",
    types=[QUEUE],
    severity="medium",
    why="Messages wait for days in a queue, in the clear.",
    remedy="Set kmsMasterKeyId to a key, or sqsManagedSseEnabled to true",
    checklist=["C67"],
    frameworks=["FSBP SQS.1", "CKV_AWS_27"],
    must_know=True,
    remediates={QUEUE: {"sqsManagedSseEnabled": True}},
)
def queue_encrypted(props: Props) -> Findings:
    """Messages of a queue are encrypted; SQS does so by itself unless it is told not to."""
    if props.get("sqsManagedSseEnabled") is False and not is_set(props, "kmsMasterKeyId"):
        yield given(props, "sqsManagedSseEnabled")


@rule(
    RULES,
    "mq-standby",
    types=[BROKER],
    severity="medium",
    why="A single broker stops for every patch and with its zone, and every service that needs it with it.",
    remedy="Set deploymentMode to CLUSTER_MULTI_AZ (stack file: brokers.<name>.deployment_mode), or to "
    "ACTIVE_STANDBY_MULTI_AZ for ActiveMQ",
    checklist=["C27", "C71"],
    frameworks=["Security Hub MQ.5", "Security Hub MQ.6"],
    advisory=True,
    must_know=True,
)
def mq_standby(props: Props) -> Findings:
    """A broker survives the loss of a zone."""
    if props.get("deploymentMode") not in STANDBY_MODES:
        yield given(props, "deploymentMode")


@rule(
    RULES,
    "mq-audited",
    types=[BROKER],
    severity="medium",
    why="Who changed a queue or a user of ActiveMQ stands in this log alone.",
    remedy="Set logs.audit to true",
    checklist=["C60"],
    frameworks=["FSBP MQ.2", "CKV_AWS_197"],
    must_know=True,
)
def mq_audited(props: Props) -> Findings:
    """ActiveMQ writes down what its administrators do; RabbitMQ has no such log."""
    if props.get("engineType") == "ActiveMQ" and at(props, "logs.audit") is not True:
        yield given_at(props, "logs.audit")
