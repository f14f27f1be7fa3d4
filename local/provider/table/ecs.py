"""ECS: clusters, task definitions and services."""

from local.provider.entry import Resource, call, send

_ENABLED = "'ENABLED' || 'DISABLED'"
_NETWORK = f"""inputs.networkConfiguration && {{awsvpcConfiguration: {{
    subnets: inputs.networkConfiguration.subnets,
    securityGroups: inputs.networkConfiguration.securityGroups || `[]`,
    assignPublicIp: inputs.networkConfiguration.assignPublicIp && {_ENABLED}
}}}}"""
_DEPLOYMENT = """{
    maximumPercent: inputs.deploymentMaximumPercent,
    minimumHealthyPercent: inputs.deploymentMinimumHealthyPercent,
    strategy: inputs.deploymentConfiguration.strategy,
    bakeTimeInMinutes: inputs.deploymentConfiguration.bakeTimeInMinutes,
    deploymentCircuitBreaker: inputs.deploymentCircuitBreaker,
    alarms: inputs.alarms && {
        alarmNames: inputs.alarms.alarmNames, enable: inputs.alarms.enable, rollback: inputs.alarms.rollback
    }
}"""
_CAPACITY = """inputs.defaultCapacityProviderStrategies[].{
    capacityProvider: capacityProvider, weight: weight, base: base
} || `[]`"""
# Service Connect writes these in the plural in Pulumi, in the singular in the API.
_CONNECT = """inputs.serviceConnectConfiguration && {
    enabled: inputs.serviceConnectConfiguration.enabled,
    namespace: inputs.serviceConnectConfiguration.namespace,
    logConfiguration: inputs.serviceConnectConfiguration.logConfiguration && {
        logDriver: inputs.serviceConnectConfiguration.logConfiguration.logDriver,
        options: inputs.serviceConnectConfiguration.logConfiguration.options,
        secretOptions: inputs.serviceConnectConfiguration.logConfiguration.secretOptions
    },
    services: inputs.serviceConnectConfiguration.services[].{
        portName: portName, discoveryName: discoveryName, ingressPortOverride: ingressPortOverride,
        clientAliases: clientAlias[].{port: port, dnsName: dnsName},
        timeout: timeout
    }
}"""

TYPES = [
    Resource(
        token="aws:ecs/cluster:Cluster",
        service="ecs",
        create=send("create_cluster"),
        id="created.cluster.clusterArn",
        read=[
            call(
                "describe_clusters",
                clusters="[id]",
                include="['SETTINGS', 'CONFIGURATIONS', 'TAGS']",
                at="clusters[?status!='INACTIVE'] | [0]",
            )
        ],
        update=[send("update_cluster", cluster="id")],
        delete=[call("delete_cluster", cluster="id")],
        names={"name": "clusterName"},
        kept=["configuration", "serviceConnectDefaults"],
        replace=["name"],
        outputs={"arn": "read.clusterArn"},
        auto_name="name",
        example={
            "settings": [{"name": "containerInsights", "value": "enabled"}],
            "tags": {"Name": "example"},
        },
        change={"settings": [{"name": "containerInsights", "value": "disabled"}]},
    ),
    Resource(
        token="aws:ecs/clusterCapacityProviders:ClusterCapacityProviders",
        service="ecs",
        create=call(
            "put_cluster_capacity_providers",
            cluster="inputs.clusterName",
            capacityProviders="inputs.capacityProviders || `[]`",
            defaultCapacityProviderStrategy=_CAPACITY,
        ),
        id="inputs.clusterName",
        read=[call("describe_clusters", clusters="[id]", at="clusters[?status!='INACTIVE'] | [0]")],
        update=[
            call(
                "put_cluster_capacity_providers",
                cluster="inputs.clusterName",
                capacityProviders="inputs.capacityProviders || `[]`",
                defaultCapacityProviderStrategy=_CAPACITY,
            )
        ],
        # It has no existence of its own: without it the cluster has none.
        delete=[
            call(
                "put_cluster_capacity_providers",
                cluster="inputs.clusterName",
                capacityProviders="`[]`",
                defaultCapacityProviderStrategy="`[]`",
            )
        ],
        stays=True,
        reads={"defaultCapacityProviderStrategies": "defaultCapacityProviderStrategy"},
        replace=["clusterName"],
        example={
            "clusterName": "{aws:ecs/cluster:Cluster.name}",
            "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
            "defaultCapacityProviderStrategies": [{"capacityProvider": "FARGATE", "weight": 1, "base": 1}],
        },
        change={"capacityProviders": ["FARGATE"]},
    ),
    Resource(
        token="aws:ecs/taskDefinition:TaskDefinition",
        service="ecs",
        create=send(
            "register_task_definition",
            volumes="""inputs.volumes[].{
                name: name, host: hostPath && {sourcePath: hostPath},
                configuredAtLaunch: configureAtLaunch,
                efsVolumeConfiguration: efsVolumeConfiguration
            }""",
        ),
        id="created.taskDefinition.taskDefinitionArn",
        read=[
            call(
                "describe_task_definition",
                taskDefinition="id",
                include="['TAGS']",
                at="[taskDefinition][?status=='ACTIVE'] | [0]",
            )
        ],
        delete=[call("deregister_task_definition", when="!(inputs.skipDestroy)", taskDefinition="id")],
        # The emulator fills container definitions in with defaults of its own.
        kept=["containerDefinitions", "volumes", "tags"],
        local=["skipDestroy", "trackLatest"],
        replace=[
            "family",
            "containerDefinitions",
            "cpu",
            "memory",
            "executionRoleArn",
            "taskRoleArn",
            "networkMode",
            "requiresCompatibilities",
            "runtimePlatform",
            "volumes",
            "ephemeralStorage",
            "pidMode",
            "ipcMode",
            "placementConstraints",
            "proxyConfiguration",
            "enableFaultInjection",
        ],
        outputs={
            "arn": "read.taskDefinitionArn",
            "arnWithoutRevision": ("arn('ecs', join('/', ['task-definition', inputs.family]))"),
            "revision": "read.revision",
        },
        tags_kept=True,
        gone=["Unable to describe task definition"],
        example={
            "family": "example",
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "cpu": "256",
            "memory": "512",
            "executionRoleArn": "{aws:iam/role:Role.arn}",
            "taskRoleArn": "{aws:iam/role:Role.arn}",
            "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
            "volumes": [{"name": "tmp"}],
            "containerDefinitions": (
                '[{"name": "app", "image": "public.ecr.aws/docker/library/busybox:1.37", "essential": true, '
                '"readonlyRootFilesystem": true, "user": "1000", '
                '"portMappings": [{"containerPort": 8080, "name": "http", "protocol": "tcp"}], '
                '"mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp"}], '
                '"healthCheck": {"command": ["CMD", "true"], "interval": 30}, '
                '"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "example"}}}]'
            ),
        },
        change={"cpu": "512", "memory": "1024"},
    ),
    Resource(
        token="aws:ecs/service:Service",
        service="ecs",
        create=send(
            "create_service",
            on=["deploymentConfiguration"],
            networkConfiguration=_NETWORK,
            deploymentConfiguration=_DEPLOYMENT,
            serviceConnectConfiguration=_CONNECT,
        ),
        id="created.service.serviceArn",
        read=[
            call(
                "describe_services",
                cluster="inputs.cluster",
                services="[id]",
                include="['TAGS']",
                at="services[?status!='INACTIVE'] | [0]",
            )
        ],
        update=[
            send(
                "update_service",
                on=["deploymentConfiguration"],
                service="id",
                networkConfiguration=_NETWORK,
                deploymentConfiguration=_DEPLOYMENT,
                serviceConnectConfiguration=_CONNECT,
            )
        ],
        delete=[
            call("update_service", cluster="inputs.cluster", service="id", desiredCount="`0`"),
            call("delete_service", cluster="inputs.cluster", service="id", force="`true`"),
        ],
        names={
            "name": "serviceName",
            "iamRole": "role",
            "capacityProviderStrategies": "capacityProviderStrategy",
            "orderedPlacementStrategies": "placementStrategy",
            "serviceRegistries": "serviceRegistries",
            "enableEcsManagedTags": "enableECSManagedTags",
        },
        nested={"elbName": "loadBalancerName"},
        reads={
            "deploymentMaximumPercent": "deploymentConfiguration.maximumPercent",
            "deploymentMinimumHealthyPercent": "deploymentConfiguration.minimumHealthyPercent",
            "deploymentCircuitBreaker": "deploymentConfiguration.deploymentCircuitBreaker",
            "alarms": "deploymentConfiguration.alarms",
            "cluster": "clusterArn",
            "networkConfiguration": (
                "networkConfiguration.awsvpcConfiguration.{subnets: subnets, securityGroups: securityGroups, "
                "assignPublicIp: assignPublicIp == 'ENABLED'}"
            ),
        },
        kept=[
            "cluster",
            "serviceConnectConfiguration",
            "deploymentConfiguration",
            "iamRole",
            "availabilityZoneRebalancing",
            "platformVersion",
        ],
        local=[
            "waitForSteadyState",
            "forceDelete",
            "sigintRollback",
            "triggers",
            "forceNewDeployment",
        ],
        replace=[
            "name",
            "cluster",
            "launchType",
            "schedulingStrategy",
            "deploymentController",
            "iamRole",
            "availabilityZoneRebalancing",
        ],
        outputs={"arn": "id"},
        gone=["ClusterNotFoundException", "ServiceNotFoundException"],
        auto_name="name",
        example={
            "cluster": "{aws:ecs/cluster:Cluster}",
            "taskDefinition": "{aws:ecs/taskDefinition:TaskDefinition}",
            "desiredCount": 2,
            "launchType": "FARGATE",
            "deploymentMaximumPercent": 200,
            "deploymentMinimumHealthyPercent": 100,
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            "alarms": {"alarmNames": ["errors"], "enable": True, "rollback": True},
            "networkConfiguration": {
                "subnets": ["{aws:ec2/subnet:Subnet}"],
                "securityGroups": ["{aws:ec2/securityGroup:SecurityGroup}"],
            },
            "loadBalancers": [
                {
                    "targetGroupArn": "{aws:lb/targetGroup:TargetGroup}",
                    "containerName": "app",
                    "containerPort": 8080,
                }
            ],
            "serviceConnectConfiguration": {
                "enabled": True,
                "namespace": "example",
                "services": [{"portName": "http", "discoveryName": "app", "clientAlias": [{"port": 8080}]}],
            },
            "healthCheckGracePeriodSeconds": 60,
            "enableExecuteCommand": False,
            "propagateTags": "SERVICE",
            "tags": {"Name": "example"},
        },
        change={"desiredCount": 3},
    ),
]
