"""Runs a program under Pulumi's mocks and keeps what it declared, so that tests are plain assertions.

    declared = record(lambda: Cache("sessions", CacheArgs(...)))
    group = declared.one("aws:elasticache/replicationGroup:ReplicationGroup")
    assert group["numNodeGroups"] == 3
    assert group.protect

`record` fails when one type-and-name pair is declared twice, and when the program looks something up (an
invoke or a `.get`): stacks preview offline. Input keys are the engine's, camelCase. With `preview=True`
it leaves unknown what a real preview does not know, so a resource created inside `apply` is missing there.
"""

import base64
import gc
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import pulumi
from pulumi.runtime import mocks, rpc
from pulumi.runtime import resource as registration
from pulumi.runtime.proto import source_pb2
from pulumi.runtime.settings import get_root_resource

ACCOUNT_ID = "111122223333"
REGION = "us-east-1"
STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass(frozen=True, kw_only=True)
class Declared:
    """One declared resource: `inputs` are plain, secrets unwrapped; `secrets` names the keys of those."""

    type: str
    name: str
    urn: str
    parent: str  # URN
    custom: bool  # false: a component
    inputs: Mapping[str, Any]
    secrets: frozenset[str]
    protect: bool
    retain_on_delete: bool
    delete_before_replace: bool
    ignore_changes: Sequence[str]
    dependencies: frozenset[str]  # URNs, explicit ones and those that come with an input
    property_dependencies: Mapping[str, frozenset[str]]
    aliases: Sequence[str]

    def __getitem__(self, key: str) -> Any:
        return self.inputs[key]

    def __contains__(self, key: str) -> bool:
        return key in self.inputs

    def get(self, key: str, default: Any = None) -> Any:
        return self.inputs.get(key, default)

    def json(self, key: str) -> Any:
        """The document that the input holds as text: a policy, a container definition."""
        return json.loads(self.inputs[key])

    def depends_on(self, other: "Declared") -> bool:
        return other.urn in self.dependencies


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What one run of a program declared, in order, and what the program returned (its outputs resolved)."""

    resources: Sequence[Declared]
    value: Any
    registered_outputs: Mapping[str, Mapping[str, Any]]  # of components, by URN

    def __iter__(self) -> Iterator[Declared]:
        return iter(self.resources)

    def all(self, type_: str) -> list[Declared]:
        """Every resource of the type, by logical name."""
        return sorted((r for r in self.resources if r.type == type_), key=lambda r: r.name)

    def one(self, type_: str, name: str | None = None) -> Declared:
        """The only resource of the type, or the only one of that logical name."""
        found = [r for r in self.all(type_) if name in (None, r.name)]
        there = ", ".join(r.name for r in self.all(type_)) or "none"
        assert len(found) == 1, f"{len(found)} of {type_} named {name or 'anything'}; declared: {there}"
        return found[0]

    def names(self, type_: str | None = None) -> list[str]:
        """Logical names, sorted: of one type, or `type::name` of everything."""
        if type_ is not None:
            return [r.name for r in self.all(type_)]
        return sorted(f"{r.type}::{r.name}" for r in self.resources)

    def parent_of(self, resource: Declared) -> Declared | None:
        """None for what hangs from the stack itself."""
        return next((r for r in self.resources if r.urn == resource.parent), None)

    def orphans(self) -> list[str]:
        """Names of resources that are no component's child."""
        return [r.name for r in self.resources if r.custom and self.parent_of(r) is None]

    def outputs(self, component: str) -> Mapping[str, Any]:
        """What the component of that logical name registered as its outputs."""
        (urn,) = [r.urn for r in self.resources if r.name == component and not r.custom]
        return self.registered_outputs[urn]


def record(
    program: Callable[[], Any],
    *,
    stack: str = "test",
    project: str = "groundwork",
    config: Mapping[str, str] | None = None,
    preview: bool = False,
) -> Recording:
    """Run `program` to its end and return what it declared; whatever it raises comes through."""
    monitor = _Monitor(preview=preview)
    pulumi.runtime.set_mocks(monitor.mocks, project=project, stack=stack, preview=preview, monitor=monitor)
    # One stack stands for all programs of the process: what one of them registered on it is none of the next one's.
    root = get_root_resource()
    assert root is not None
    root._transformations = []
    pulumi.runtime.set_all_config(dict(config or {}))
    returned: list[Any] = []

    @pulumi.runtime.test
    def run() -> Any:
        return pulumi.Output.from_input(program()).apply(returned.append)

    # All that a program makes lives until its end: the collector would find nothing, and takes half of the time. Where
    # in the source a resource was made is of no use here, and finding it takes a fifth.
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        with patch.object(registration, "_get_stack_trace", source_pb2.StackTrace):
            run()
    finally:
        if was_collecting:
            gc.enable()
        pulumi.runtime.set_all_config({})

    counts = Counter(f"{r.type}::{r.name}" for r in monitor.declared)
    twice = sorted(pair for pair, count in counts.items() if count > 1)
    assert not twice, f"declared more than once: {', '.join(twice)}"
    assert not monitor.lookups, f"looked up while the program runs: {', '.join(monitor.lookups)}"
    return Recording(
        resources=tuple(monitor.declared),
        value=returned[0] if returned else None,
        registered_outputs=monitor.registered_outputs,
    )


@dataclass
class _Provider(mocks.Mocks):
    preview: bool
    lookups: list[str] = field(default_factory=list)

    def call(self, args: mocks.MockCallArgs) -> tuple[dict, list[tuple[str, str]]]:
        self.lookups.append(args.token)
        return {}, []

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict]:
        if args.resource_id:
            self.lookups.append(f"{args.typ} {args.name}")
        if self.preview or args.custom is False:
            return "", args.inputs
        outputs = synthesise(args.typ, args.name, _plain(args.inputs))
        return outputs.pop("id"), {**args.inputs, **outputs}


class _Monitor(mocks.MockMonitor):
    """Sees what the mocks do not: protection, dependencies and parents are only in the engine's request."""

    def __init__(self, *, preview: bool) -> None:
        self.provider = _Provider(preview=preview)
        self.declared: list[Declared] = []
        self.registered_outputs: dict[str, Mapping[str, Any]] = {}
        super().__init__(self.provider)

    @property
    def lookups(self) -> list[str]:
        return self.provider.lookups

    def RegisterResource(self, request: Any) -> Any:
        if request.type != STACK_TYPE:
            mocks._ensure_event_loop()
            self.declared.append(self._declared(request))
        return super().RegisterResource(request)

    def RegisterResourceOutputs(self, request: Any) -> Any:
        mocks._ensure_event_loop()
        self.registered_outputs[request.urn] = _plain(rpc.deserialize_properties(request.outputs))
        return super().RegisterResourceOutputs(request)

    def _declared(self, request: Any) -> Declared:
        inputs = rpc.deserialize_properties(request.object)
        parent = "" if request.parent.split("::")[2:3] == [STACK_TYPE] else request.parent
        return Declared(
            type=request.type,
            name=request.name,
            urn=self.make_urn(request.parent, request.type, request.name),
            parent=parent,
            custom=request.custom,
            inputs=_plain(inputs),
            secrets=frozenset(key for key, value in inputs.items() if rpc.is_rpc_secret(value)),
            protect=request.protect,
            retain_on_delete=request.retainOnDelete,
            delete_before_replace=request.deleteBeforeReplace,
            ignore_changes=tuple(request.ignoreChanges),
            dependencies=frozenset(request.dependencies),
            property_dependencies={
                key: frozenset(value.urns) for key, value in request.propertyDependencies.items()
            },
            aliases=tuple(alias.urn or alias.spec.name for alias in request.aliases),
        )


def _plain(value: Any) -> Any:
    """Secrets unwrapped, and whole numbers as int: on the wire every number is a double."""
    if rpc.is_rpc_secret(value):
        return _plain(rpc.unwrap_rpc_secret(value))
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def synthesise(type_: str, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Outputs, with `id`, of the form that AWS gives them; the same for the same resource in every run."""
    digest = hashlib.sha256(f"{type_}::{name}".encode()).hexdigest()
    facts = _Facts(type_, name, inputs, digest)
    outputs: dict[str, Any] = {"id": facts.physical_name, "name": facts.physical_name, "arn": facts.arn}
    if type_ in _ID_PREFIXES:
        outputs["id"] = f"{_ID_PREFIXES[type_]}-{digest[:17]}"
        outputs["arn"] = facts.make_arn(outputs["id"])
        outputs.pop("name")
    if type_ in _ID_IS_ARN:
        outputs["id"] = outputs["arn"]
    outputs.update(_SPECIAL.get(type_, _nothing)(facts))
    given = {key for key, value in inputs.items() if value is not None}
    return {key: value for key, value in outputs.items() if key == "id" or key not in given}


@dataclass(frozen=True)
class _Facts:
    type: str
    logical_name: str
    inputs: Mapping[str, Any]
    digest: str

    @property
    def physical_name(self) -> str:
        """The name that was given, or the one that Pulumi would make."""
        given = (self.inputs.get(key) for key in ("name", "identifier", "bucket"))
        return next((name for name in given if name), f"{self.logical_name}-{self.digest[:7]}")

    @property
    def uuid(self) -> str:
        d = self.digest
        return f"{d[:8]}-{d[8:12]}-{d[12:16]}-{d[16:20]}-{d[20:32]}"

    @property
    def arn(self) -> str:
        return self.make_arn(self.physical_name)

    def make_arn(self, ident: str) -> str:
        module, kind = self.type.split(":")[1].split("/") if "/" in self.type else (self.type, "")
        service, separator = _ARN_FORMS.get(
            self.type, (_ARN_SERVICES.get(module, module), f"{kind.lower()}/")
        )
        region = "" if service in _GLOBAL_SERVICES else self.inputs.get("region") or REGION
        account = "" if service == "s3" else ACCOUNT_ID
        return f"arn:aws:{service}:{region}:{account}:{separator}{ident}"


def _nothing(_: _Facts) -> dict[str, Any]:
    return {}


def _database(f: _Facts) -> dict[str, Any]:
    host = f"{f.physical_name}.abcdefghijkl.{REGION}.rds.amazonaws.com"
    managed = {
        "secretArn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT_ID}:secret:rds!db-{f.uuid}-AbCdEf",
        "kmsKeyId": f.inputs.get("masterUserSecretKmsKeyId", ""),
        "secretStatus": "active",
    }
    return {
        "id": f"db-{f.digest[:26].upper()}",
        "address": host,
        "endpoint": f"{host}:5432",
        "port": 5432,
        "identifier": f.physical_name,
        "resourceId": f"db-{f.digest[:26].upper()}",
        "masterUserSecrets": [managed] if f.inputs.get("manageMasterUserPassword") else [],
    }


def _replication_group(f: _Facts) -> dict[str, Any]:
    ident = f.inputs.get("replicationGroupId") or f"{f.logical_name}-{f.digest[:7]}"
    clustered = f.inputs.get("clusterMode") == "enabled" or f.inputs.get("numNodeGroups", 1) > 1
    suffix = f"{ident}.abcdef.use1.cache.amazonaws.com"
    endpoint = (
        {"configurationEndpointAddress": f"clustercfg.{suffix}"}
        if clustered
        else {"primaryEndpointAddress": f"master.{suffix}", "readerEndpointAddress": f"replica.{suffix}"}
    )
    return {"id": ident, "replicationGroupId": ident, "port": 6379, **endpoint}


def _load_balancer(f: _Facts) -> dict[str, Any]:
    suffix = f"app/{f.physical_name}/{f.digest[:16]}"
    arn = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT_ID}:loadbalancer/{suffix}"
    dns_name = f"{f.physical_name}-1234567890.{REGION}.elb.amazonaws.com"
    return {"id": arn, "arn": arn, "arnSuffix": suffix, "dnsName": dns_name, "zoneId": "Z35SXDOTRQ7X7K"}


def _target_group(f: _Facts) -> dict[str, Any]:
    suffix = f"targetgroup/{f.physical_name}/{f.digest[:16]}"
    arn = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT_ID}:{suffix}"
    return {"id": arn, "arn": arn, "arnSuffix": suffix}


def _certificate(f: _Facts) -> dict[str, Any]:
    domains = [f.inputs["domainName"], *f.inputs.get("subjectAlternativeNames", [])]
    options = [
        {
            "domainName": domain,
            "resourceRecordName": f"_{f.digest[:8]}.{domain}.",
            "resourceRecordType": "CNAME",
            "resourceRecordValue": f"_{f.digest[8:16]}.acm-validations.aws.",
        }
        for domain in domains
    ]
    arn = f.make_arn(f.uuid)
    return {"id": arn, "arn": arn, "domainValidationOptions": options}


def _repository(f: _Facts) -> dict[str, Any]:
    host = f"{ACCOUNT_ID}.dkr.ecr.{REGION}.amazonaws.com"
    return {"repositoryUrl": f"{host}/{f.physical_name}", "registryId": ACCOUNT_ID}


def _bucket(f: _Facts) -> dict[str, Any]:
    return {
        "bucket": f.physical_name,
        "bucketDomainName": f"{f.physical_name}.s3.amazonaws.com",
        "bucketRegionalDomainName": f"{f.physical_name}.s3.{REGION}.amazonaws.com",
    }


def _database_cluster(f: _Facts) -> dict[str, Any]:
    ident = f.inputs.get("clusterIdentifier") or f.physical_name
    made = _database(f)
    host = f"{ident}.cluster-abcdefghijkl.{REGION}.rds.amazonaws.com"
    return {
        "id": ident,
        "arn": f.make_arn(ident),
        "clusterIdentifier": ident,
        "clusterMembers": [f"{ident}-instance-{number}" for number in (3, 1, 2)],
        "clusterResourceId": f"cluster-{f.digest[:26].upper()}",
        "endpoint": host,
        "readerEndpoint": host.replace(".cluster-", ".cluster-ro-"),
        "port": 5432,
        "masterUserSecrets": made["masterUserSecrets"],
    }


def _broker(f: _Facts) -> dict[str, Any]:
    ident = f"b-{f.uuid}"
    host = f"{ident}.mq.{REGION}.amazonaws.com"
    instance = {
        "consoleUrl": f"https://{host}",
        "endpoints": [f"amqps://{host}:5671"],
        "ipAddress": "10.20.0.9",
    }
    return {"id": ident, "brokerName": f"{f.logical_name}-{f.digest[:7]}", "instances": [instance]}


def _task_definition(f: _Facts) -> dict[str, Any]:
    arn = f.make_arn(f.inputs["family"])
    return {"id": f.inputs["family"], "arn": f"{arn}:1", "arnWithoutRevision": arn, "revision": 1}


def _record_name(f: _Facts) -> dict[str, Any]:
    return {"id": f"Z_{f.inputs['name']}_{f.inputs['type']}", "fqdn": f.inputs["name"]}


def _password(f: _Facts) -> dict[str, Any]:
    length = f.inputs["length"]
    return {"id": "none", "result": ("Aa1-" + f.digest * (length // len(f.digest) + 1))[:length]}


def _bytes(f: _Facts) -> dict[str, Any]:
    """Its base64 begins with Ynl0ZXMt, so that a test can look for it."""
    length = f.inputs["length"]
    content = ("bytes-" + f.digest * (length // len(f.digest) + 1))[:length].encode()
    return {"id": "none", "base64": base64.b64encode(content).decode(), "hex": content.hex()}


def _function(f: _Facts) -> dict[str, Any]:
    invoke = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{f.arn}/invocations"
    return {"invokeArn": invoke, "version": "1", "qualifiedArn": f"{f.arn}:1"}


_GLOBAL_SERVICES = {"iam", "s3", "route53"}
_ARN_SERVICES = {
    "lb": "elasticloadbalancing",
    "ecs": "ecs",
    "amp": "aps",
    "appautoscaling": "application-autoscaling",
    "vpc": "ec2",
}
# type: (service in the ARN, what stands before the name)
_ARN_FORMS = {
    "aws:backup/plan:Plan": ("backup", "backup-plan:"),
    "aws:backup/vault:Vault": ("backup", "backup-vault:"),
    "aws:cloudwatch/logGroup:LogGroup": ("logs", "log-group:"),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ("cloudwatch", "alarm:"),
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": ("cloudwatch", "alarm:"),
    "aws:cloudwatch/eventRule:EventRule": ("events", "rule/"),
    "aws:ecs/taskDefinition:TaskDefinition": ("ecs", "task-definition/"),
    "aws:elasticache/replicationGroup:ReplicationGroup": ("elasticache", "replicationgroup:"),
    "aws:lambda/function:Function": ("lambda", "function:"),
    "aws:rds/cluster:Cluster": ("rds", "cluster:"),
    "aws:rds/clusterParameterGroup:ClusterParameterGroup": ("rds", "cluster-pg:"),
    "aws:rds/instance:Instance": ("rds", "db:"),
    "aws:rds/parameterGroup:ParameterGroup": ("rds", "pg:"),
    "aws:rds/subnetGroup:SubnetGroup": ("rds", "subgrp:"),
    "aws:s3/bucket:Bucket": ("s3", ""),
    "aws:s3/bucketV2:BucketV2": ("s3", ""),
    "aws:secretsmanager/secret:Secret": ("secretsmanager", "secret:"),
    "aws:sns/topic:Topic": ("sns", ""),
    "aws:sqs/queue:Queue": ("sqs", ""),
    "aws:wafv2/webAcl:WebAcl": ("wafv2", "regional/webacl/"),
}
_ID_IS_ARN = {
    "aws:ecs/cluster:Cluster",
    "aws:ecs/service:Service",
    "aws:iam/policy:Policy",
    "aws:lb/listener:Listener",
    "aws:lb/listenerRule:ListenerRule",
    "aws:secretsmanager/secret:Secret",
    "aws:sns/topic:Topic",
    "aws:sns/topicSubscription:TopicSubscription",
}
_ID_PREFIXES = {
    "aws:amp/workspace:Workspace": "ws",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": "sg",
    "aws:ec2/eip:Eip": "eipalloc",
    "aws:ec2/flowLog:FlowLog": "fl",
    "aws:ec2/internetGateway:InternetGateway": "igw",
    "aws:ec2/launchTemplate:LaunchTemplate": "lt",
    "aws:ec2/natGateway:NatGateway": "nat",
    "aws:ec2/routeTable:RouteTable": "rtb",
    "aws:ec2/routeTableAssociation:RouteTableAssociation": "rtbassoc",
    "aws:ec2/securityGroup:SecurityGroup": "sg",
    "aws:ec2/subnet:Subnet": "subnet",
    "aws:ec2/vpc:Vpc": "vpc",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "vpce",
    "aws:grafana/workspace:Workspace": "g",
    "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace": "ns",
    "aws:servicediscovery/httpNamespace:HttpNamespace": "ns",
    "aws:servicediscovery/service:Service": "srv",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "sgr",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "sgr",
}
_SPECIAL: Mapping[str, Callable[[_Facts], dict[str, Any]]] = {
    "aws:acm/certificate:Certificate": _certificate,
    "aws:amp/workspace:Workspace": lambda f: {
        "prometheusEndpoint": f"https://aps-workspaces.{REGION}.amazonaws.com/workspaces/ws-{f.digest[:17]}/"
    },
    "aws:cloudfront/distribution:Distribution": lambda f: {
        "domainName": f"d{f.digest[:13]}.cloudfront.net",
        "hostedZoneId": "Z2FDTNDATAQYW2",
    },
    "aws:ec2/eip:Eip": lambda f: {"publicIp": f"198.51.100.{int(f.digest[:2], 16)}"},
    "aws:ec2/vpc:Vpc": lambda _: {"ownerId": ACCOUNT_ID},
    "aws:ec2/vpcEndpoint:VpcEndpoint": lambda f: {"prefixListId": f"pl-{f.digest[:8]}"},
    "aws:ecr/repository:Repository": _repository,
    "aws:ecs/taskDefinition:TaskDefinition": _task_definition,
    "aws:ec2/launchTemplate:LaunchTemplate": lambda _: {"latestVersion": 1},
    "aws:eks/cluster:Cluster": lambda f: {
        "endpoint": f"https://{f.digest[:32].upper()}.gr7.{REGION}.eks.amazonaws.com",
        "certificateAuthority": {"data": "Y2VydGlmaWNhdGU="},
    },
    "aws:elasticache/replicationGroup:ReplicationGroup": _replication_group,
    "aws:grafana/workspace:Workspace": lambda f: {
        "endpoint": f"g-{f.digest[:10]}.grafana-workspace.{REGION}.amazonaws.com"
    },
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": lambda f: {
        "arn": f"arn:aws:iam::{ACCOUNT_ID}:oidc-provider/{f.inputs['url'].removeprefix('https://')}"
    },
    "aws:iam/policy:Policy": lambda f: {
        "arn": f"arn:aws:iam::{ACCOUNT_ID}:policy{f.inputs.get('path', '/')}{f.physical_name}"
    },
    "aws:iam/role:Role": lambda f: {
        "arn": f"arn:aws:iam::{ACCOUNT_ID}:role{f.inputs.get('path', '/')}{f.physical_name}"
    },
    "aws:kms/key:Key": lambda f: {"id": f.uuid, "keyId": f.uuid, "arn": f.make_arn(f.uuid)},
    "aws:lambda/function:Function": _function,
    "aws:lb/loadBalancer:LoadBalancer": _load_balancer,
    "aws:lb/targetGroup:TargetGroup": _target_group,
    "aws:mq/broker:Broker": _broker,
    "aws:rds/cluster:Cluster": _database_cluster,
    "aws:rds/instance:Instance": _database,
    "aws:rds/proxyDefaultTargetGroup:ProxyDefaultTargetGroup": lambda _: {"name": "default"},
    "aws:rds/proxy:Proxy": lambda f: {
        "endpoint": f"{f.inputs['name']}.proxy-{f.digest[:12]}.{REGION}.rds.amazonaws.com"
    },
    "aws:route53/healthCheck:HealthCheck": lambda f: {"id": f.uuid},
    "aws:route53/record:Record": _record_name,
    "aws:s3/bucket:Bucket": _bucket,
    "aws:servicediscovery/privateDnsNamespace:PrivateDnsNamespace": lambda f: {
        "hostedZone": f"Z{f.digest[:18].upper()}"
    },
    "aws:secretsmanager/secretVersion:SecretVersion": lambda f: {"versionId": f.uuid},
    "aws:wafv2/webAcl:WebAcl": lambda f: {"id": f.uuid, "arn": f"{f.arn}/{f.uuid}"},
    "random:index/randomBytes:RandomBytes": _bytes,
    "random:index/randomId:RandomId": lambda f: {"hex": f.digest[:8], "dec": "1234567890"},
    "random:index/randomPassword:RandomPassword": _password,
    "random:index/randomString:RandomString": lambda f: {"result": f.digest[: f.inputs["length"]]},
}
