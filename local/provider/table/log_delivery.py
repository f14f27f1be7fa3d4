"""Deliveries of vended logs, such as CloudFront's: from a source to a destination. An API of CloudWatch Logs."""

from local.provider.entry import Resource, call, send

TYPES = [
    Resource(
        token="aws:cloudwatch/logDeliverySource:LogDeliverySource",
        service="logs",
        create=send("put_delivery_source"),
        id="created.deliverySource.name",
        tags_kept=True,
        read=[call("get_delivery_source", name="id", at="deliverySource")],
        delete=[call("delete_delivery_source", name="id")],
        reads={"resourceArn": "resourceArns[0]"},
        replace=["name", "logType", "resourceArn"],
        outputs={"arn": "read.arn", "service": "read.service"},
        auto_name="name",
        auto_length=60,
        example={
            "logType": "ACCESS_LOGS",
            "resourceArn": "{aws:cloudfront/distribution:Distribution.arn}",
            "tags": {"Name": "example"},
        },
        change={"tags": {"Name": "changed"}},
    ),
    Resource(
        token="aws:cloudwatch/logDeliveryDestination:LogDeliveryDestination",
        service="logs",
        create=send("put_delivery_destination"),
        id="created.deliveryDestination.name",
        tags_kept=True,
        read=[call("get_delivery_destination", name="id", at="deliveryDestination")],
        update=[send("put_delivery_destination")],
        delete=[call("delete_delivery_destination", name="id")],
        replace=["name", "outputFormat"],
        outputs={"arn": "read.arn", "deliveryDestinationType": "read.deliveryDestinationType"},
        auto_name="name",
        auto_length=60,
        example={
            "deliveryDestinationConfiguration": {"destinationResourceArn": "{aws:s3/bucket:Bucket.arn}"},
            "outputFormat": "json",
            "tags": {"Name": "example"},
        },
        change={"outputFormat": "plain"},
    ),
    Resource(
        token="aws:cloudwatch/logDelivery:LogDelivery",
        service="logs",
        create=send("create_delivery"),
        id="created.delivery.id",
        tags_kept=True,
        read=[call("get_delivery", id="id", at="delivery")],
        delete=[call("delete_delivery", id="id")],
        replace=["deliverySourceName", "deliveryDestinationArn"],
        outputs={"arn": "read.arn"},
        example={
            "deliverySourceName": "{aws:cloudwatch/logDeliverySource:LogDeliverySource}",
            "deliveryDestinationArn": "{aws:cloudwatch/logDeliveryDestination:LogDeliveryDestination.arn}",
            "tags": {"Name": "example"},
        },
        change={"tags": {"Name": "changed"}},
    ),
]
