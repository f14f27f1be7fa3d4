"""What the tests of the policy pack build resources of: the types' names, and the parts that a rule looks at."""

import json

LEFT_OUT = object()

INSTANCE = "aws:rds/instance:Instance"
CLUSTER = "aws:rds/cluster:Cluster"
PROXY = "aws:rds/proxy:Proxy"
PARAMETERS = "aws:rds/parameterGroup:ParameterGroup"
CLUSTER_PARAMETERS = "aws:rds/clusterParameterGroup:ClusterParameterGroup"
REPLICATION_GROUP = "aws:elasticache/replicationGroup:ReplicationGroup"
CACHE_CLUSTER = "aws:elasticache/cluster:Cluster"
CACHE_PARAMETERS = "aws:elasticache/parameterGroup:ParameterGroup"
CACHE_USER = "aws:elasticache/user:User"
BROKER = "aws:mq/broker:Broker"
INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
GROUP_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
DEFAULT_GROUP = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
TASK = "aws:ecs/taskDefinition:TaskDefinition"
SERVICE = "aws:ecs/service:Service"
FUNCTION = "aws:lambda/function:Function"
VPN = "aws:ec2clientvpn/endpoint:Endpoint"
VPN_AUTHORIZATION = "aws:ec2clientvpn/authorizationRule:AuthorizationRule"
PASSWORD = "random:index/randomPassword:RandomPassword"
BYTES = "random:index/randomBytes:RandomBytes"
SECRET = "aws:secretsmanager/secretVersion:SecretVersion"
REPOSITORY = "aws:ecr/repository:Repository"
LISTENER = "aws:lb/listener:Listener"
BALANCER = "aws:lb/loadBalancer:LoadBalancer"
TARGETS = "aws:lb/targetGroup:TargetGroup"
DISTRIBUTION = "aws:cloudfront/distribution:Distribution"
RESPONSE_HEADERS = "aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
STATEFUL_SET = "kubernetes:apps/v1:StatefulSet"
DAEMON_SET = "kubernetes:apps/v1:DaemonSet"
REPLICA_SET = "kubernetes:apps/v1:ReplicaSet"
POD = "kubernetes:core/v1:Pod"
JOB = "kubernetes:batch/v1:Job"
CRON_JOB = "kubernetes:batch/v1:CronJob"
KUBERNETES_SECRET = "kubernetes:core/v1:Secret"
PODS = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET, REPLICA_SET, POD, JOB, CRON_JOB)
INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
KUBERNETES_CLUSTER = "aws:eks/cluster:Cluster"
LAUNCH_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"

CONTAINER = {
    "name": "api",
    "image": "111122223333.dkr.ecr.us-east-1.amazonaws.com/api:1.4.2",
    "essential": True,
    "user": "1000",
    "command": ["node", "dist/main.js"],
    "portMappings": [{"containerPort": 4400}],
    "environment": [
        {"name": "NODE_ENV", "value": "production"},
        {"name": "API_KEY_REQUIRED", "value": "true"},
        {"name": "CORS_ORIGIN", "value": "https://rentfix.com,https://app.rentfix.com"},
    ],
    "secrets": [
        {"name": "DB_PASSWORD", "valueFrom": "arn:aws:secretsmanager:us-east-1:111122223333:secret:db"},
        {"name": "API_KEY", "valueFrom": "arn:aws:secretsmanager:us-east-1:111122223333:secret:api-key"},
    ],
    "healthCheck": {"command": ["CMD", "node", "health.js"]},
    "readonlyRootFilesystem": True,
    "logConfiguration": {"logDriver": "awslogs"},
}

CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
POD_CONTAINER = {
    "name": "api",
    "image": "111122223333.dkr.ecr.us-east-1.amazonaws.com/api:1.4.2",
    "ports": [{"name": "http", "containerPort": 4400}],
    "env": [
        {"name": "NODE_ENV", "value": "production"},
        {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}},
    ],
    "resources": {
        "requests": {"cpu": "500m", "memory": "512Mi"},
        "limits": {"cpu": "1000m", "memory": "1Gi"},
    },
    "livenessProbe": {"httpGet": {"path": "/health", "port": 4400}},
    "readinessProbe": {"httpGet": {"path": "/health/ready", "port": 4400}},
    "securityContext": CONTAINER_SECURITY,
}
POD_SECURITY = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def pod(container=None, **changes):
    """The `spec` of a workload with one more or other property in the pod, or in its container."""
    spoilt = {
        key: value for key, value in {**POD_CONTAINER, **(container or {})}.items() if value is not LEFT_OUT
    }
    made = {
        "serviceAccountName": "api",
        "securityContext": POD_SECURITY,
        "containers": [spoilt],
        **changes,
    }
    return {"template": {"spec": {key: value for key, value in made.items() if value is not LEFT_OUT}}}


SECURE_ANSWERS = {
    "strict_transport_security": "max-age=31536000; includeSubDomains",
    "x_content_type_options": "nosniff",
    "x_frame_options": "DENY",
}
SECURE_BALANCER = {
    "routing.http.drop_invalid_header_fields.enabled": "true",
    "deletion_protection.enabled": "true",
    "access_logs.s3.enabled": "true",
}


def headers(**changes):
    """The listener's headers, with another one or one left out."""
    return _pairs({
        f"routing.http.response.{key}.header_value": value
        for key, value in {**SECURE_ANSWERS, **changes}.items()
    })  # fmt: skip


def balancer(**changes):
    """What is asked of the load balancer, with dots as two underscores."""
    return _pairs({**SECURE_BALANCER, **{key.replace("__", "."): value for key, value in changes.items()}})


def _pairs(values):
    return ",".join(f"{key}={value}" for key, value in values.items() if value is not LEFT_OUT)


def ingress(class_name="alb", **changes):
    """An Ingress with these annotations changed; hyphens are underscores in their names."""
    said = {
        "scheme": "internet-facing",
        "listen-ports": '[{"HTTP": 80}, {"HTTPS": 443}]',
        "ssl-redirect": "443",
        "ssl-policy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
        "certificate-arn": "arn:aws:acm:us-east-1:111122223333:certificate/api",
        "wafv2-acl-arn": "arn:aws:wafv2:us-east-1:111122223333:regional/webacl/waf/1",
        "healthcheck-path": "/health",
        "load-balancer-attributes": balancer(),
        "listener-attributes.HTTPS-443": headers(),
        **{key.replace("_", "-"): value for key, value in changes.items()},
    }
    annotations = {
        f"alb.ingress.kubernetes.io/{key}": value for key, value in said.items() if value is not LEFT_OUT
    }
    return {"metadata": {"annotations": annotations}, "spec": {"ingressClassName": class_name}}


def workload(kind, spec):
    """The properties of a workload of that kind, with the `spec` that a Deployment has."""
    if kind == POD:
        return {"spec": spec["template"]["spec"]}
    return {"spec": {"jobTemplate": {"spec": spec}} if kind == CRON_JOB else spec}


def in_every_workload(*offences):
    """The same offences in the pods of every kind of workload."""
    return {kind: [(workload(kind, spec), said) for spec, said in offences] for kind in PODS}


STRONG = "Zx7kQ2mN9pLw4rTy"
FROM_GROUP = "sg-0123456789abcdef0"


def container(**changes):
    """The containers with one more or other property in the good one."""
    spoiled = {key: value for key, value in {**CONTAINER, **changes}.items() if value is not LEFT_OUT}
    return {"containerDefinitions": json.dumps([spoiled])}


def variable(name, value):
    return container(environment=[{"name": name, "value": value}])


def statement(**changes):
    return {
        "policy": json.dumps({"Statement": [{"Effect": "Allow", "Resource": "arn:aws:s3:::a/*", **changes}]})
    }


def opened(protocol="tcp", ports=(5432, 5432), **source):
    """One inline ingress block."""
    return {"ingress": [{"protocol": protocol, "fromPort": ports[0], "toPort": ports[1], **source}]}


def ingress_rule(protocol, ports, **source):
    """The same as a rule resource of its own."""
    changes = {
        "ipProtocol": protocol,
        "fromPort": ports[0],
        "toPort": ports[1],
        "referencedSecurityGroupId": LEFT_OUT,
    }
    return {**changes, **source}


def parameters(**values):
    return {
        "parameters": [{"name": name.replace("__", "."), "value": value} for name, value in values.items()]
    }
