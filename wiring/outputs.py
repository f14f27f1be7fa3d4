"""What a stack exports: everything that an operator's command needs, and nothing secret. See docs/outputs.md."""

from typing import Any

from settings.model import Settings
from settings.reach import OPERATIONS
from wiring.edge import Edge
from wiring.foundation import Foundation
from wiring.metrics import Metrics
from wiring.recovery import Recovery
from wiring.stores import Stores
from wiring.watching import Watching
from wiring.workloads import Workloads


def of(
    settings: Settings,
    base: Foundation,
    metrics: Metrics,
    data: Stores,
    front: Edge,
    work: Workloads,
    safety: Recovery,
    eyes: Watching,
) -> dict[str, Any]:
    """By name; each is a string, or a map or list of strings. Secrets appear as ARNs only."""
    return {
        "system": settings.name,
        "environment": settings.environment,
        "region": settings.region,
        "urls": {label: f"https://{host}" for label, host in settings.hosts.items()},
        "nameServers": front.zone.name_servers if front.zone is not None else [],
        "loadBalancer": {"dnsName": front.load_balancer.dns_name, "arn": front.load_balancer.arn},
        "cluster": work.cluster.name,
        "services": {
            name: {
                "name": service.name,
                "taskDefinition": work.definitions[name].arn,
                "logGroup": work.definitions[name].log_group_name,
            }
            for name, service in work.services.items()
        },
        "tasks": {
            name: {"taskDefinition": task.arn, "logGroup": task.log_group_name}
            for name, task in {**work.tasks, **safety.tasks}.items()
        },
        "runTask": {
            "subnets": base.network.private_subnet_ids,
            "securityGroup": base.firewall.group_ids[OPERATIONS],
        },
        "repositories": {name: registry.repository_url for name, registry in work.registries.items()},
        "database": {
            "identifier": data.database.identifier,
            "address": data.database.address,
            "port": data.database.port,
            "name": settings.database.name,
            "replicaAddresses": data.database.replica_addresses,
            "masterSecretArn": data.database.master_secret_arn,
            "roleSecretArns": {role: secret.arn for role, secret in data.role_secrets.items()},
        },
        "caches": {
            name: {
                "endpoint": cache.endpoint,
                "port": cache.port,
                "replicationGroupId": cache.replication_group_id,
                "tokenSecretArn": data.cache_tokens[name].arn,
            }
            for name, cache in data.caches.items()
        },
        "secrets": {name: secret.arn for name, secret in data.secrets.items()},
        "secretsToFill": [
            secret.arn for name, secret in data.secrets.items() if settings.secrets[name].external
        ],
        "servicesToPush": [name for name in settings.services if name not in work.services],
        "backups": {
            "vault": safety.backups.vault_name,
            "bucket": safety.bucket.name,
            "dumpPrefix": settings.backups.dump.prefix,
            "verifyQuery": settings.backups.verify_query,
        },
        "alarms": eyes.alarms.names,
        "topics": base.notifications.topic_arns[settings.region],
        "dashboard": eyes.dashboard.url,
        "prometheus": metrics.prometheus.endpoint,
        "grafana": metrics.grafana.endpoint if metrics.grafana is not None else "",
        "grafanaDashboards": settings.observability.grafana.dashboards,
    }
