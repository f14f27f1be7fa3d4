"""An ACM certificate, proved by DNS records in the hosted zone; ACM renews it while they stand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pulumi
import pulumi_aws as aws

from components._watch import Metric, Watch

MAX_NAMES = 10  # ACM quotas, domain names per certificate
RENEWAL_DAYS = 45  # ACM renews so long ahead, or earlier
RENEWAL_ALARM_DAYS = 30  # something has kept it from doing so


@dataclass(frozen=True, kw_only=True)
class CertificateArgs:
    """`region` where it is not the stack's own: CloudFront takes certificates of us-east-1 only."""

    domain_name: str
    subject_alternative_names: Sequence[str] = ()
    zone_id: pulumi.Input[str]
    region: str | None = None
    alarm_days: int = RENEWAL_ALARM_DAYS
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ValueError(f"certificate {self.domain_name}: " + "; ".join(problems))

    def _problems(self) -> Iterator[str]:
        names = [self.domain_name, *self.subject_alternative_names]
        for repeated in sorted({name for name in names if names.count(name) > 1}):
            yield f"{repeated} is named more than once"
        if not 1 <= self.alarm_days < RENEWAL_DAYS:
            yield (
                f"alarm_days must be 1 to {RENEWAL_DAYS - 1}, got {self.alarm_days}: ACM renews "
                f"{RENEWAL_DAYS} days ahead"
            )
        if len(names) > MAX_NAMES:
            yield f"a certificate has at most {MAX_NAMES} names, got {len(names)}"


class Certificate(pulumi.ComponentResource):
    """`arn` is that of the validated certificate: whoever uses it waits until it is issued."""

    arn: pulumi.Output[str]
    watches: Sequence[Watch]

    def __init__(self, name: str, args: CertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("groundwork:edge:Certificate", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        certificate = aws.acm.Certificate(
            name,
            domain_name=args.domain_name,
            subject_alternative_names=sorted(args.subject_alternative_names) or None,
            validation_method="DNS",
            region=args.region,
            tags={**args.tags, "Name": args.domain_name},
            opts=child,
        )
        records = []
        for domain in _validated_domains(args):
            option = certificate.domain_validation_options.apply(partial(_option, domain))
            records.append(
                aws.route53.Record(
                    f"{name}-{domain}",
                    zone_id=args.zone_id,
                    name=option.apply(lambda option: option.resource_record_name),
                    type=option.apply(lambda option: option.resource_record_type),
                    records=[option.apply(lambda option: option.resource_record_value)],
                    ttl=300,
                    # The record is the same for every certificate of this name, the next one included.
                    allow_overwrite=True,
                    opts=child,
                )
            )
        validation = aws.acm.CertificateValidation(
            f"{name}-validation",
            certificate_arn=certificate.arn,
            validation_record_fqdns=[record.fqdn for record in records],
            region=args.region,
            opts=child,
        )

        self.arn = validation.certificate_arn
        self.watches = [
            Watch(
                name=f"{name}-expiry",
                description=(
                    f"Days until the certificate of {args.domain_name} expires, fewer than {args.alarm_days}: "
                    "ACM could not renew it"
                ),
                severity="critical",
                threshold=args.alarm_days,
                comparison="LessThanThreshold",
                metrics=[
                    Metric(
                        id="days",
                        namespace="AWS/CertificateManager",
                        metric_name="DaysToExpiry",
                        stat="Minimum",
                        dimensions={"CertificateArn": certificate.arn},
                    )
                ],
                period_s=86_400,
                region=args.region,
            )
        ]
        self.register_outputs({"arn": self.arn})


def _validated_domains(args: CertificateArgs) -> list[str]:
    """A wildcard and its parent are proved by one record, so each is counted once."""
    names = [args.domain_name, *args.subject_alternative_names]
    return sorted({name.removeprefix("*.") for name in names})


def _option(domain: str, options: Sequence[Any]) -> Any:
    # ACM gives the options in no certain order.
    return next(option for option in options if option.domain_name.removeprefix("*.") == domain)
