"""SNS topics, who may publish to them, and who is told."""

from local.provider.entry import Call, Resource, call

_PROTOCOLS = {
    "application": "Application",
    "firehose": "Firehose",
    "http": "HTTP",
    "lambda": "Lambda",
    "sqs": "SQS",
}
_TOPIC_ATTRIBUTES = {
    "displayName": "DisplayName",
    "policy": "Policy",
    "deliveryPolicy": "DeliveryPolicy",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "signatureVersion": "SignatureVersion",
    "tracingConfig": "TracingConfig",
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "fifoThroughputScope": "FifoThroughputScope",
    "archivePolicy": "ArchivePolicy",
    **{
        f"{protocol}{outcome}": f"{member}{outcome}"
        for protocol, member in _PROTOCOLS.items()
        for outcome in ("FailureFeedbackRoleArn", "SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate")
    },
}
_SUBSCRIPTION_ATTRIBUTES = {
    # The scope first: the policy is checked by it.
    "filterPolicyScope": "FilterPolicyScope",
    "filterPolicy": "FilterPolicy",
    "rawMessageDelivery": "RawMessageDelivery",
    "deliveryPolicy": "DeliveryPolicy",
    "redrivePolicy": "RedrivePolicy",
    "subscriptionRoleArn": "SubscriptionRoleArn",
}
_OPEN = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sns:Publish","Resource":"*",'
    '"Principal":{"Service":"cloudwatch.amazonaws.com"}}]}'
)


def _setters(operation: str, parameter: str, attributes: dict[str, str]) -> list[Call]:
    """SNS sets one attribute a call; a call without a value unsets it."""
    return [
        Call(
            operation=operation,
            params={
                parameter: "id",
                "AttributeName": f"'{attribute}'",
                "AttributeValue": f"inputs.{name} != `null` && to_string(inputs.{name}) || `null`",
            },
        )
        for name, attribute in attributes.items()
    ]


TYPES = [
    Resource(
        token="aws:sns/topic:Topic",
        service="sns",
        create=call(
            "create_topic",
            Name="inputs.name",
            Attributes="inputs.fifoTopic && {FifoTopic: 'true'} || `{}`",
        ),
        id="created.TopicArn",
        read=[call("get_topic_attributes", TopicArn="id", at="Attributes")],
        after=_setters("set_topic_attributes", "TopicArn", _TOPIC_ATTRIBUTES),
        delete=[call("delete_topic", TopicArn="id")],
        replace=["name", "fifoTopic"],
        outputs={
            "arn": "id",
            "owner": "read.Owner",
            # A TopicPolicy sets it later, which is no drift of the topic.
            "policy": "state.policy",
        },
        auto_name="name",
        auto_length=256,
        tag_id="id",
        example={
            "displayName": "example",
            "kmsMasterKeyId": "{aws:kms/key:Key.arn}",
            "signatureVersion": "2",
            "tags": {"Name": "example"},
        },
        change={"displayName": "changed", "tracingConfig": "Active"},
    ),
    Resource(
        token="aws:sns/topicPolicy:TopicPolicy",
        service="sns",
        create=call(
            "set_topic_attributes",
            TopicArn="inputs.arn",
            AttributeName="'Policy'",
            AttributeValue="to_string(inputs.policy)",
        ),
        id="inputs.arn",
        read=[
            call(
                "get_topic_attributes",
                TopicArn="id",
                at="[Attributes][?!contains(Policy, '__default_policy_ID')].{Policy: Policy, Owner: Owner}",
            )
        ],
        update=[
            call(
                "set_topic_attributes",
                TopicArn="id",
                AttributeName="'Policy'",
                AttributeValue="to_string(inputs.policy)",
            )
        ],
        delete=[
            call(
                "set_topic_attributes",
                TopicArn="id",
                AttributeName="'Policy'",
                AttributeValue='\'{"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": []}\'',
            )
        ],
        replace=["arn"],
        outputs={"owner": "read.Owner"},
        example={"arn": "{aws:sns/topic:Topic.arn}", "policy": _OPEN},
        change={"policy": _OPEN.replace("cloudwatch", "events")},
    ),
    Resource(
        token="aws:sns/topicSubscription:TopicSubscription",
        service="sns",
        create=call(
            "subscribe",
            TopicArn="inputs.topic",
            Protocol="inputs.protocol",
            Endpoint="inputs.endpoint",
            ReturnSubscriptionArn="`true`",
        ),
        id="created.SubscriptionArn",
        read=[call("get_subscription_attributes", SubscriptionArn="id", at="Attributes")],
        after=_setters("set_subscription_attributes", "SubscriptionArn", _SUBSCRIPTION_ATTRIBUTES),
        delete=[call("unsubscribe", SubscriptionArn="id")],
        names={"topic": "TopicArn"},
        local=["confirmationTimeoutInMinutes", "endpointAutoConfirms"],
        replace=["topic", "protocol", "endpoint"],
        outputs={
            "arn": "id",
            "ownerId": "read.Owner",
            "pendingConfirmation": "read.PendingConfirmation == 'true'",
            "confirmationWasAuthenticated": "`true`",
        },
        example={
            "topic": "{aws:sns/topic:Topic}",
            "protocol": "sqs",
            "endpoint": "{aws:sqs/queue:Queue.arn}",
            "rawMessageDelivery": True,
            "filterPolicy": '{"severity": ["critical"]}',
        },
        change={"rawMessageDelivery": False, "filterPolicy": '{"severity": ["warning"]}'},
    ),
]
