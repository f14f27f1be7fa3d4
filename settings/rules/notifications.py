"""Who is told: webhooks whose secret the operator sets, topics that can be told apart."""

from collections.abc import Iterator

from settings.model import Settings
from settings.problems import Path, Problem, nearest


def webhook_secrets_are_the_operators(settings: Settings) -> Iterator[Problem]:
    """Slack and PagerDuty make these values, so nothing here can generate them."""
    slack, pagerduty = settings.notifications.slack, settings.notifications.pagerduty
    wanted: dict[Path, str] = {}
    if slack:
        wanted["notifications", "slack", "webhook_secret"] = slack.webhook_secret
    if pagerduty:
        wanted["notifications", "pagerduty", "integration_url_secret"] = pagerduty.integration_url_secret
    external = [name for name, secret in settings.secrets.items() if secret.external]
    for path, name in wanted.items():
        if name not in settings.secrets:
            yield Problem(
                path=path,
                rule="must be a secret of `secrets`",
                got=name,
                remedy=nearest(name, external)
                if external
                else f"Add {name} to secrets, with external: and what it is.",
            )
        elif name not in external:
            yield Problem(
                path=path,
                rule="must be an external secret: its value comes from the other side",
                got=name,
                remedy=f"Say external: and what it is under secrets.{name}.",
            )


def severities_stand_once(settings: Settings) -> Iterator[Problem]:
    for receiver in ("slack", "pagerduty"):
        wanted = getattr(settings.notifications, receiver)
        for index, severity in enumerate(wanted.severities if wanted else ()):
            if severity in wanted.severities[:index]:
                yield Problem(
                    path=("notifications", receiver, "severities", index),
                    rule="must not stand twice",
                    got=severity,
                    remedy="Remove one of the two.",
                )


def topic_names_differ(settings: Settings) -> Iterator[Problem]:
    names = settings.notifications.topic_names
    if names.critical is not None and names.critical == names.warning:
        yield Problem(
            path=("notifications", "topic_names", "warning"),
            rule="must differ from the name of the critical topic",
            got=names.warning,
            remedy="Name one of the two only; the other gets a name of its own.",
        )


RULES = (webhook_secrets_are_the_operators, severities_stand_once, topic_names_differ)
