"""Where the services' logs go beside CloudWatch."""

from typing import Annotated

from settings.model.fields import Items, Matching, Model, Name, Port, Text, UrlPath, in_system

HostName = Annotated[
    str,
    Matching(
        r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$",
        "a host name in lower case, without scheme, port or path",
        "logs.example.com",
    ),
]


class Loki(Model):
    """Grafana Loki: one of somebody else's on the internet (`host`), or a service of this system (`service`)."""

    host: HostName | None = in_system("Its host on the internet; it is called over TLS only", default=None)
    port: Port = in_system("Its port there; nothing but 443 is open to the internet", default=443)
    service: Name | None = in_system(
        "The service of `services` that is Loki, inside the network", default=None
    )
    tenant: Text | None = in_system("Its tenant (X-Scope-OrgID); none: it has one only", default=None)


class Datadog(Model):
    """Datadog's intake for logs."""

    site: HostName = in_system("Datadog's site, such as datadoghq.com or datadoghq.eu")
    api_key_secret: Name = in_system("A secret of `secrets:`, external: the API key")


class Collector(Model):
    """Anything that takes JSON over HTTPS: New Relic, Elastic, Better Stack ..."""

    host: HostName = in_system("Its host; port 443")
    path: UrlPath = in_system("The path that is posted to", default="/")
    header: Annotated[str, Matching(r"^[A-Za-z0-9-]+$", "the name of an HTTP header", "Authorization")] = (
        in_system("The header that holds the secret", default="Authorization")
    )
    secret: Name = in_system("A secret of `secrets:`, external: the header's whole value")


class LogRouter(Model):
    """A sidecar (FireLens) beside each service's container: CloudWatch gets every line as before, others a copy.

    It works with services on ECS. On Kubernetes the cluster's own agent does this.
    """

    loki: Loki | None = in_system("A copy for Grafana Loki", default=None)
    datadog: Datadog | None = in_system("A copy for Datadog", default=None)
    https: Collector | None = in_system("A copy for another collector", default=None)
    except_services: Items[Name] = in_system("Services without it; Loki itself never has it", default=())
