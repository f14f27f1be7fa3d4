"""Where a service's log lines are copied to, from the settings."""

from components import _log_router
from components._log_router import LogRouter
from settings.model import Settings
from settings.model.log_router import Loki
from wiring.foundation import Foundation
from wiring.stores import Stores


def of_service(settings: Settings, base: Foundation, data: Stores, name: str) -> LogRouter | None:
    wanted = settings.observability.log_router
    image = settings.operations.log_router_image
    if wanted is None or image is None or not settings.has_log_router(name):
        return None
    return LogRouter(
        image=image,
        namespace=base.path,
        labels={"service": name, "system": settings.name, "environment": settings.environment},
        loki=_loki(settings, wanted.loki) if wanted.loki else None,
        datadog=_log_router.Datadog(
            site=wanted.datadog.site, api_key_arn=data.secrets[wanted.datadog.api_key_secret].arn
        )
        if wanted.datadog
        else None,
        https=_log_router.Https(
            host=wanted.https.host,
            path=wanted.https.path,
            header=wanted.https.header,
            secret_arn=data.secrets[wanted.https.secret].arn,
        )
        if wanted.https
        else None,
    )


def _loki(settings: Settings, wanted: Loki) -> _log_router.Loki:
    if wanted.host is not None:
        return _log_router.Loki(host=wanted.host, port=wanted.port, tls=True, tenant=wanted.tenant)
    port = settings.port_of(wanted.service or "")
    if wanted.service is None or port is None:
        # The settings' rules refuse this before anything is made.
        raise ValueError("the log router's Loki has neither a host nor a service with a port")
    return _log_router.Loki(host=wanted.service, port=port[1], tls=False, tenant=wanted.tenant)
