"""Certificates. The emulator issues them a second after they were asked for."""

from local.provider.entry import Resource, call, send

_OPTIONS = """sort_by(read.DomainValidationOptions[].{
    domainName: DomainName, resourceRecordName: ResourceRecord.Name,
    resourceRecordType: ResourceRecord.Type, resourceRecordValue: ResourceRecord.Value
}, &domainName)"""

TYPES = [
    Resource(
        token="aws:acm/certificate:Certificate",
        service="acm",
        create=send("request_certificate"),
        id="created.CertificateArn",
        read=[call("describe_certificate", CertificateArn="id", at="Certificate")],
        delete=[call("delete_certificate", CertificateArn="id")],
        names={"validationOptions": "DomainValidationOptions"},
        kept=["keyAlgorithm", "subjectAlternativeNames", "validationMethod", "validationOptions"],
        replace=[
            "domainName",
            "subjectAlternativeNames",
            "validationMethod",
            "validationOptions",
            "keyAlgorithm",
            "certificateAuthorityArn",
            "options",
        ],
        outputs={"arn": "id", "domainValidationOptions": _OPTIONS},
        tag_id="id",
        example={
            "domainName": "example.com",
            "subjectAlternativeNames": ["*.example.com"],
            "validationMethod": "DNS",
            "keyAlgorithm": "EC_prime256v1",
            "options": {"certificateTransparencyLoggingPreference": "ENABLED"},
            "tags": {"Name": "example"},
        },
        change={"tags": {"Name": "changed"}},
    ),
    Resource(
        token="aws:acm/certificateValidation:CertificateValidation",
        service="acm",
        create=call("describe_certificate", CertificateArn="inputs.certificateArn"),
        id="created.Certificate.CertificateArn",
        read=[
            call(
                "describe_certificate",
                CertificateArn="id",
                at="Certificate.{CertificateArn: CertificateArn}",
            )
        ],
        local=["validationRecordFqdns"],
        replace=["certificateArn", "validationRecordFqdns"],
        example={
            "certificateArn": "{aws:acm/certificate:Certificate}",
            "validationRecordFqdns": ["_0123456789abcdef.example.com"],
        },
        change={"certificateArn": "{aws:acm/certificate:Certificate}"},
    ),
]
