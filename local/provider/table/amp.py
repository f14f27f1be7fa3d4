"""Amazon Managed Service for Prometheus. The emulator has no scrapers and no alert manager: those are recorded."""

from local.provider.entry import Resource, call, maybe, send

_RULES = """groups:
- name: example
  rules:
  - alert: Down
    expr: up == 0
"""
_SOURCE = """{
    eksConfiguration: inputs.source.eks,
    vpcConfiguration: inputs.source.vpc
}"""
_DESTINATION = """{
    ampConfiguration: inputs.destination.amp,
    cloudWatchConfiguration: inputs.destination.cloudwatch
}"""

TYPES = [
    Resource(
        token="aws:amp/workspace:Workspace",
        service="amp",
        create=send("create_workspace"),
        id="created.workspaceId",
        read=[
            call("describe_workspace", workspaceId="id", at="workspace"),
            maybe(
                "describe_logging_configuration",
                workspaceId="id",
                at="{loggingConfiguration: loggingConfiguration}",
            ),
        ],
        after=[
            call(
                "create_logging_configuration",
                when="!(old.loggingConfiguration)",
                workspaceId="id",
                logGroupArn="inputs.loggingConfiguration.logGroupArn",
            )
        ],
        update=[
            call("update_workspace_alias", workspaceId="id", alias="inputs.alias"),
            call(
                "update_logging_configuration",
                when="old.loggingConfiguration && inputs.loggingConfiguration",
                workspaceId="id",
                logGroupArn="inputs.loggingConfiguration.logGroupArn",
            ),
            call(
                "delete_logging_configuration",
                when="!(inputs.loggingConfiguration)",
                on=["loggingConfiguration"],
                workspaceId="id",
            ),
        ],
        delete=[call("delete_workspace", workspaceId="id")],
        kept=["kmsKeyArn"],
        replace=["kmsKeyArn"],
        outputs={
            "arn": "arn('aps', join('/', ['workspace', id]))",
            "prometheusEndpoint": "read.prometheusEndpoint",
        },
        example={
            "alias": "example",
            "kmsKeyArn": "{aws:kms/key:Key.arn}",
            "loggingConfiguration": {"logGroupArn": "{aws:cloudwatch/logGroup:LogGroup.arn}:*"},
            "tags": {"Name": "example"},
        },
        change={
            "alias": "changed",
            "loggingConfiguration": {"logGroupArn": "{aws:cloudwatch/logGroup:LogGroup.arn}:*"},
        },
    ),
    Resource(
        token="aws:amp/workspaceConfiguration:WorkspaceConfiguration",
        service="amp",
        recorded=True,
        create=send("update_workspace_configuration"),
        id="inputs.workspaceId",
        local=["timeouts"],
        replace=["workspaceId"],
        example={"workspaceId": "{aws:amp/workspace:Workspace}", "retentionPeriodInDays": 150},
        change={
            "limitsPerLabelSets": [{"labelSet": {"service": "api"}, "limits": {"maxSeries": 100_000}}],
        },
    ),
    Resource(
        token="aws:amp/ruleGroupNamespace:RuleGroupNamespace",
        service="amp",
        create=send("create_rule_groups_namespace"),
        id="created.arn",
        read=[
            call(
                "describe_rule_groups_namespace",
                workspaceId="inputs.workspaceId",
                name="inputs.name",
                at="ruleGroupsNamespace",
            )
        ],
        update=[
            call(
                "put_rule_groups_namespace",
                workspaceId="inputs.workspaceId",
                name="inputs.name",
                data="inputs.data",
            )
        ],
        delete=[call("delete_rule_groups_namespace", workspaceId="inputs.workspaceId", name="inputs.name")],
        replace=["workspaceId", "name"],
        outputs={"arn": "id"},
        example={"workspaceId": "{aws:amp/workspace:Workspace}", "name": "example", "data": _RULES},
        change={"data": _RULES.replace("Down", "Gone")},
    ),
    Resource(
        token="aws:amp/alertManagerDefinition:AlertManagerDefinition",
        service="amp",
        recorded=True,
        create=send("create_alert_manager_definition"),
        id="inputs.workspaceId",
        names={"definition": "data"},
        replace=["workspaceId"],
        delete_first=True,
        example={
            "workspaceId": "{aws:amp/workspace:Workspace}",
            "definition": "alertmanager_config: |\n  route:\n    receiver: example\n",
        },
        change={"definition": "alertmanager_config: |\n  route:\n    receiver: changed\n"},
    ),
    Resource(
        token="aws:amp/scraper:Scraper",
        service="amp",
        recorded=True,
        create=call(
            "create_scraper",
            alias="inputs.alias",
            scrapeConfiguration="{configurationBlob: inputs.scrapeConfiguration}",
            source=_SOURCE,
            destination=_DESTINATION,
            roleConfiguration="inputs.roleConfiguration",
            exporters="inputs.exporter && [{openSearchConfiguration: inputs.exporter.opensearch}]",
            tags="inputs.tags",
        ),
        id="join('-', ['s', uuid()])",
        local=["timeouts"],
        replace=["source"],
        outputs={
            "arn": "arn('aps', join('/', ['scraper', id]))",
            "roleArn": (
                "global_arn('iam', join('', ['role/aws-service-role/scraper.aps.amazonaws.com/',"
                " 'AWSServiceRoleForAmazonPrometheusScraper_', id]))"
            ),
        },
        example={
            "alias": "example",
            "source": {
                "vpc": {
                    "subnetIds": ["{aws:ec2/subnet:Subnet}"],
                    "securityGroupIds": ["{aws:ec2/securityGroup:SecurityGroup}"],
                }
            },
            "destination": {"amp": {"workspaceArn": "{aws:amp/workspace:Workspace.arn}"}},
            "scrapeConfiguration": "global:\n  scrape_interval: 30s\n",
            "tags": {"Name": "example"},
        },
        change={"scrapeConfiguration": "global:\n  scrape_interval: 60s\n"},
    ),
]
