"""SQS queues and their policies."""

from local.provider.entry import Resource, call

_MEMBERS = {
    "delaySeconds": "DelaySeconds",
    "maxMessageSize": "MaximumMessageSize",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "visibilityTimeoutSeconds": "VisibilityTimeout",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
    "policy": "Policy",
    "redrivePolicy": "RedrivePolicy",
    "redriveAllowPolicy": "RedriveAllowPolicy",
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "deduplicationScope": "DeduplicationScope",
    "fifoThroughputLimit": "FifoThroughputLimit",
}


def _attributes(names: dict[str, str]) -> str:
    """Each as text, as SQS takes them all."""
    members = [
        f"{member}: (inputs.{name} != `null` && to_string(inputs.{name})) || `null`"
        for name, member in names.items()
    ]
    return f"{{{', '.join(members)}}}"


_OPEN = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"*",'
    '"Principal":{"Service":"events.amazonaws.com"}}]}'
)
_SET_POLICY = call(
    "set_queue_attributes", QueueUrl="inputs.queueUrl", Attributes="{Policy: to_string(inputs.policy)}"
)

TYPES = [
    Resource(
        token="aws:sqs/queue:Queue",
        service="sqs",
        create=call(
            "create_queue",
            QueueName="inputs.name",
            Attributes=_attributes({**_MEMBERS, "fifoQueue": "FifoQueue"}),
        ),
        id="created.QueueUrl",
        read=[call("get_queue_attributes", QueueUrl="id", AttributeNames="['All']", at="Attributes")],
        update=[call("set_queue_attributes", QueueUrl="id", Attributes=_attributes(_MEMBERS))],
        delete=[call("delete_queue", QueueUrl="id")],
        names=_MEMBERS,
        kept=["redriveAllowPolicy"],
        replace=["name", "fifoQueue"],
        outputs={
            "arn": "read.QueueArn",
            "url": "id",
            # A QueuePolicy sets it later, which is no drift of the queue.
            "policy": "state.policy || ''",
        },
        auto_name="name",
        auto_length=80,
        tag_id="id",
        example={
            "messageRetentionSeconds": 1_209_600,
            "visibilityTimeoutSeconds": 60,
            "kmsMasterKeyId": "{aws:kms/key:Key.arn}",
            "kmsDataKeyReusePeriodSeconds": 300,
            "redriveAllowPolicy": '{"redrivePermission": "denyAll"}',
            "tags": {"Name": "example"},
        },
        change={"messageRetentionSeconds": 3600, "delaySeconds": 0},
    ),
    Resource(
        token="aws:sqs/queuePolicy:QueuePolicy",
        service="sqs",
        create=_SET_POLICY,
        id="inputs.queueUrl",
        read=[
            call(
                "get_queue_attributes",
                QueueUrl="id",
                AttributeNames="['Policy']",
                at="[Attributes][?Policy].{Policy: Policy}",
            )
        ],
        update=[_SET_POLICY],
        delete=[call("set_queue_attributes", QueueUrl="id", Attributes="{Policy: ''}")],
        replace=["queueUrl"],
        example={"queueUrl": "{aws:sqs/queue:Queue}", "policy": _OPEN},
        change={"policy": _OPEN.replace("events", "sns")},
    ),
]
