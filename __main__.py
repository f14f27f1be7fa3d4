"""The platform of one system in one environment: the settings of this stack, wired into components.

Nothing is decided here. What the product is stands in systems/<name>/system.yaml, how large and where in
Pulumi.<stack>.yaml; settings/ checks both, components/ make the resources, and wiring/ leads one to the other,
a layer in each file. A layer takes what it needs of the layers before it, and returns what it made.
"""

import pulumi

from settings import loader
from wiring import ci_access, edge, foundation, metrics, outputs, recovery, stores, watching, workloads

settings = loader.from_pulumi()
for warning in settings.warnings:
    pulumi.warn(warning)

seen = ci_access.watch(settings)  # before all: what every role gets, and what a pipeline's rights follow from
base = foundation.build(settings)  # keys, network, firewall, who is told
data = stores.build(settings, base)  # database, caches, secrets
gauges = metrics.build(settings, base)  # Prometheus, Grafana
front = edge.build(settings, base, gauges, data)  # DNS, certificate, load balancer, web firewall, CDN
work = workloads.build(settings, base, gauges, data, front)  # registries, cluster, services, tasks
safety = recovery.build(settings, base, data, work)  # backups, restore tests, dumps, upkeep
eyes = watching.build(settings, base, gauges, data, front, work, safety)  # alarms, objectives, dashboard
pipeline = ci_access.build(settings, base, seen)  # after all: the roles of jobs on GitHub

for name, value in outputs.of(settings, base, gauges, data, front, work, safety, eyes, pipeline).items():
    pulumi.export(name, value)
