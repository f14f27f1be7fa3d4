"""R87 to R100: the guide's security checklist."""

from tests.recorder import Recording
from tests.requirements.production import (
    LISTENER,
    REPOSITORY,
    SCHEDULE,
    SERVICES,
    bootstrap_sql,
    environment,
    output,
    referred,
    secrets,
)
from tests.requirements.rentalfix.security import input_validation
from tests.requirements.table import Chapter, Row

CHAPTER = Chapter(title="Security audit checklist")


CHAPTER.rows.append(
    Row(
        id="R87",
        lines="L618",
        asked="No secrets in code",
        kind="policy",
        note="nor in a container's plain variables",
        policies=["no-plaintext-secrets-in-env", "no-default-secrets"],
    )
)


@CHAPTER.row(
    "R88",
    "L619",
    "The services use accounts with the least rights",
    "declared",
    note="each service has its own; the master's login is in operators' tasks only. The command compares the "
    "rights that are there",
    commands=["db check --only grants"],
    settings=["database.roles", "services.core-matching.database.role", "services.worker-ai.database.role"],
    policies=["app-uses-dedicated-db-user"],
)
def least_rights(stack: Recording) -> None:
    master = output(stack, "database", "masterSecretArn")
    users = [environment(stack, service)["DB_USER"] for service in SERVICES]
    assert users == ["rentfix_app", "rentfix_worker"]
    for service in SERVICES:
        assert not [source for source in secrets(stack, service).values() if source.startswith(master)]
    assert not [line for line in bootstrap_sql(stack) if line.startswith("GRANT") and "DELETE" in line]


CHAPTER.rows.append(
    Row(
        id="R89",
        lines="L620",
        asked="TLS on every connection",
        kind="policy",
        note="clients, database, caches and buckets",
        policies=[
            "alb-https-only",
            "rds-force-ssl",
            "cache-transit-encryption",
            "s3-tls-only",
            "stores-over-tls",
        ],
    )
)
CHAPTER.rows.append(
    Row(
        id="R90",
        lines="L621",
        asked="Every endpoint is rate limited",
        kind="policy",
        policies=["waf-rate-limit-on-public-entry"],
    )
)


@CHAPTER.row(
    "R91",
    "L622",
    "Every DTO is validated",
    "application",
    note="as R65",
    components=["web_acl"],
)
def validated(stack: Recording) -> None:
    input_validation(stack)


@CHAPTER.row(
    "R92",
    "L623",
    "Queries are parameterised",
    "application",
    note="TypeORM; the web firewall blocks what looks like SQL injection",
    components=["web_acl"],
)
def parameterised(stack: Recording) -> None:
    rules = {each["name"]: each for each in stack.one("aws:wafv2/webAcl:WebAcl")["rules"]}
    assert rules["AWSManagedRulesSQLiRuleSet"]["overrideAction"] == {"none": {}}


@CHAPTER.row(
    "R93",
    "L624",
    "Helmet's headers against cross-site scripting",
    "application",
    note="Helmet; the balancer adds three headers of its own",
    commands=["verify headers"],
    components=["load_balancer"],
    policies=["security-headers-on-public-entry"],
)
def security_headers(stack: Recording) -> None:
    listener = stack.one(LISTENER, "ingress-https")
    given = {
        header: listener[f"routingHttpResponse{header}HeaderValue"]
        for header in ("StrictTransportSecurity", "XContentTypeOptions", "XFrameOptions")
    }
    assert given == {
        "StrictTransportSecurity": "max-age=31536000; includeSubDomains",
        "XContentTypeOptions": "nosniff",
        "XFrameOptions": "DENY",
    }


CHAPTER.rows.append(
    Row(
        id="R94",
        lines="L625",
        asked="Origins are restricted",
        kind="policy",
        settings=["ingress.cors.allow_origins"],
        policies=["cors-restricted"],
    )
)


@CHAPTER.row(
    "R95",
    "L626",
    "`npm audit`, and mend what it finds",
    "application",
    note="the audit in its own pipeline; registries scan every image that is pushed, and the command tells what "
    "they found in those that run",
    commands=["images findings --fail-on high"],
    components=["registry"],
    policies=["ecr-scan-on-push"],
)
def scanned(stack: Recording) -> None:
    scans = {each.name: each["imageScanningConfiguration"] for each in stack.all(REPOSITORY)}
    assert scans == {f"registry-{service}": {"scanOnPush": True} for service in SERVICES}


@CHAPTER.row(
    "R96",
    "L627",
    "No personal data in logs",
    "application",
    note="log groups of the services mask addresses, e-mail, telephone, card, account and social security numbers",
    components=["log_insights"],
)
def masked(stack: Recording) -> None:
    for service in SERVICES:
        policy = stack.one(
            "aws:cloudwatch/logDataProtectionPolicy:LogDataProtectionPolicy", f"logs-{service}-mask"
        )
        audit, mask = policy.json("policyDocument")["Statement"]
        assert mask["Operation"] == {"Deidentify": {"MaskConfig": {}}}
        assert mask["DataIdentifier"] == audit["DataIdentifier"]
        kinds = {identifier.rsplit("/", 1)[-1] for identifier in mask["DataIdentifier"]}
        assert kinds == {
            "Address",
            "BankAccountNumber-US",
            "CreditCardNumber",
            "EmailAddress",
            "PhoneNumber-US",
            "Ssn-US",
        }


CHAPTER.rows.append(
    Row(
        id="R97",
        lines="L628",
        asked="Encrypted at rest and on the way",
        kind="policy",
        note="with keys of the stack's own",
        components=["keys"],
        policies=[
            "rds-encrypted",
            "cache-at-rest-encryption",
            "s3-encrypted",
            "rds-force-ssl",
            "cache-transit-encryption",
            "kms-rotation",
        ],
    )
)
CHAPTER.rows.append(
    Row(
        id="R98",
        lines="L629",
        asked="Backups are made every day by themselves",
        kind="policy",
        note="and restored every week to prove them, which the command tells; the dump is R101",
        commands=["backup status"],
        components=["backups"],
        settings=["backups.schedule", "backups.restore_test"],
        policies=[
            "rds-backup-retention",
            "backup-plan-present",
            "backup-retention-30d",
            "logical-backup-scheduled",
            "restore-test-scheduled",
        ],
    )
)
CHAPTER.rows.append(
    Row(
        id="R99",
        lines="L630",
        asked="Alerts are set up",
        kind="policy",
        note="for every data store, service and balancer, and somebody is subscribed",
        commands=["alerts status"],
        components=["alarms", "notifications"],
        settings=["notifications"],
        policies=["required-alarms-present"],
    )
)


@CHAPTER.row(
    "R100",
    "L631",
    "An external penetration test is planned",
    "operator",
    by_hand="people engage the testers: a contract is no call to AWS. An e-mail says every three months that it "
    "is time",
    components=["schedule"],
    settings=["backups.audit_reminder"],
)
def penetration_test(stack: Recording) -> None:
    reminder = stack.one(SCHEDULE, "remind-audit")
    assert reminder["scheduleExpression"] == "cron(0 9 1 1/3 ? *)"
    assert reminder["target"]["input"] == "rentalfix, prod: the external penetration test is due."
    assert referred(stack, reminder, "target") == ["notifications-warning-us-east-1", "remind-audit-schedule"]
