"""Who is told beside the readers of e-mails: Slack and PagerDuty, each by a function of its own."""

from collections.abc import Sequence

from components._watch import Severity
from components.webhook_notifier import Receiver, WebhookNotifier, WebhookNotifierArgs
from settings.model import Settings
from wiring.foundation import Foundation
from wiring.stores import Stores


def build(settings: Settings, base: Foundation, data: Stores) -> dict[str, WebhookNotifier]:
    """By receiver; empty where the stack names none."""
    wanted = settings.notifications
    notifiers: dict[str, WebhookNotifier] = {}
    if wanted.slack:
        notifiers["slack"] = _notifier(
            settings, base, data, "slack", wanted.slack.severities, wanted.slack.webhook_secret
        )
    if wanted.pagerduty:
        notifiers["pagerduty"] = _notifier(
            settings,
            base,
            data,
            "pagerduty",
            wanted.pagerduty.severities,
            wanted.pagerduty.integration_url_secret,
        )
    return notifiers


def _notifier(
    settings: Settings,
    base: Foundation,
    data: Stores,
    receiver: Receiver,
    severities: Sequence[Severity],
    secret: str,
) -> WebhookNotifier:
    return WebhookNotifier(
        f"notify-{receiver}",
        WebhookNotifierArgs(
            receiver=receiver,
            severities=severities,
            topic_arns=base.notifications.topic_arns,
            secret_arn=data.secrets[secret].arn,
            secrets_key_arn=base.keys.arns["secrets"],
            messages_key_arn=base.keys.arns["messages"],
            source=settings.name_prefix,
            responses=settings.notifications.responses.by_severity,
            log_group_name=f"/{base.path}/notify-{receiver}",
            log_key_arn=base.keys.arns["logs"],
            log_retention_days=settings.observability.log_retention_days,
            tags=base.tags,
        ),
    )
