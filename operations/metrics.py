"""Figures that a command publishes in CloudWatch, beside those of the stack's own tasks."""

from collections.abc import Mapping

from operations.platform import Platform


def publish(
    platform: Platform, part: str, figures: Mapping[str, float], dimensions: Mapping[str, str]
) -> str:
    """By name; one that ends in Seconds is in seconds, every other one a count. `part` is `backups` or `database`.

    The namespace is <system>/<environment>/<part>, as everywhere in a stack; it is given back.
    """
    namespace = f"{platform.outputs['system']}/{platform.outputs['environment']}/{part}"
    platform.client("cloudwatch").put_metric_data(
        Namespace=namespace,
        MetricData=[
            {
                "MetricName": name,
                "Value": value,
                "Unit": "Seconds" if name.endswith("Seconds") else "Count",
                "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
            }
            for name, value in figures.items()
        ],
    )
    return namespace
