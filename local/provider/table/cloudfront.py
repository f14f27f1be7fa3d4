"""CloudFront. Distributions and origin access controls are applied; moto has no policies of caches and headers."""

from local.provider.entry import Call, Resource, call

_BEHAVIOR = """{
    PathPattern: pathPattern, TargetOriginId: targetOriginId, ViewerProtocolPolicy: viewerProtocolPolicy,
    AllowedMethods: {
        Quantity: length(allowedMethods), Items: allowedMethods,
        CachedMethods: {Quantity: length(cachedMethods), Items: cachedMethods}
    },
    Compress: compress, CachePolicyId: cachePolicyId, OriginRequestPolicyId: originRequestPolicyId,
    ResponseHeadersPolicyId: responseHeadersPolicyId
}"""
_ORIGIN = """{
    Id: originId, DomainName: domainName, OriginPath: originPath || '',
    OriginAccessControlId: originAccessControlId,
    CustomHeaders: customHeaders && {
        Quantity: length(customHeaders), Items: customHeaders[].{HeaderName: name, HeaderValue: value}
    },
    S3OriginConfig: !customOriginConfig && {OriginAccessIdentity: s3OriginConfig.originAccessIdentity || ''} || null,
    CustomOriginConfig: customOriginConfig && {
        HTTPPort: customOriginConfig.httpPort, HTTPSPort: customOriginConfig.httpsPort,
        OriginProtocolPolicy: customOriginConfig.originProtocolPolicy,
        OriginReadTimeout: customOriginConfig.originReadTimeout,
        OriginKeepaliveTimeout: customOriginConfig.originKeepaliveTimeout,
        OriginSslProtocols: {
            Quantity: length(customOriginConfig.originSslProtocols), Items: customOriginConfig.originSslProtocols
        }
    }
}"""


def _list(name: str, item: str = "") -> str:
    """CloudFront counts its lists; an empty one is left out, like one that is not there."""
    items = f"inputs.{name}[].{item}" if item else f"inputs.{name}"
    return f"inputs.{name} && {{Quantity: length(inputs.{name}), Items: {items}}} || null"


def _config(reference: str) -> str:
    return f"""{{
        CallerReference: {reference}, Comment: inputs.comment || '', Enabled: inputs.enabled,
        Aliases: {_list("aliases")},
        DefaultRootObject: inputs.defaultRootObject, HttpVersion: inputs.httpVersion,
        IsIPV6Enabled: inputs.isIpv6Enabled, PriceClass: inputs.priceClass, WebACLId: inputs.webAclId,
        Origins: {_list("origins", _ORIGIN)},
        DefaultCacheBehavior: inputs.defaultCacheBehavior.{_BEHAVIOR},
        CacheBehaviors: {_list("orderedCacheBehaviors", _BEHAVIOR)},
        CustomErrorResponses: {
        _list(
            "customErrorResponses",
            "{ErrorCode: errorCode, ResponseCode: as_text(responseCode), ResponsePagePath: responsePagePath, "
            "ErrorCachingMinTTL: errorCachingMinTtl}",
        )
    },
        Restrictions: {{
            GeoRestriction: {{
                RestrictionType: inputs.restrictions.geoRestriction.restrictionType,
                Quantity: length(inputs.restrictions.geoRestriction.locations || `[]`),
                Items: inputs.restrictions.geoRestriction.locations
            }}
        }},
        ViewerCertificate: {{
            CloudFrontDefaultCertificate: inputs.viewerCertificate.cloudfrontDefaultCertificate,
            ACMCertificateArn: inputs.viewerCertificate.acmCertificateArn,
            SSLSupportMethod: inputs.viewerCertificate.sslSupportMethod,
            MinimumProtocolVersion: inputs.viewerCertificate.minimumProtocolVersion
        }}
    }}"""


_ACCESS = """{
    Name: inputs.name, Description: inputs.description || '', SigningProtocol: inputs.signingProtocol,
    SigningBehavior: inputs.signingBehavior,
    OriginAccessControlOriginType: inputs.originAccessControlOriginType
}"""


def _chosen(block: str, behavior: str, items: str) -> str:
    """What of cookies, headers or query strings goes into the key of a cache."""
    return f"""{block} && {{
        {behavior[0].upper()}{behavior[1:]}: {block}.{behavior},
        {items[0].upper()}{items[1:]}: {block}.{items} && {{
            Quantity: length({block}.{items}.items), Items: {block}.{items}.items
        }}
    }}"""


_KEY = "inputs.parametersInCacheKeyAndForwardedToOrigin"
_CACHE_POLICY = f"""{{
    Name: inputs.name, Comment: inputs.comment || '', MinTTL: inputs.minTtl || `0`, DefaultTTL: inputs.defaultTtl,
    MaxTTL: inputs.maxTtl,
    ParametersInCacheKeyAndForwardedToOrigin: {{
        EnableAcceptEncodingGzip: {_KEY}.enableAcceptEncodingGzip || `false`,
        EnableAcceptEncodingBrotli: {_KEY}.enableAcceptEncodingBrotli || `false`,
        CookiesConfig: {_chosen(f"{_KEY}.cookiesConfig", "cookieBehavior", "cookies")},
        HeadersConfig: {_chosen(f"{_KEY}.headersConfig", "headerBehavior", "headers")},
        QueryStringsConfig: {_chosen(f"{_KEY}.queryStringsConfig", "queryStringBehavior", "queryStrings")}
    }}
}}"""
_HEADERS = "inputs.securityHeadersConfig"
_HEADERS_POLICY = f"""{{
    Name: inputs.name, Comment: inputs.comment || '',
    SecurityHeadersConfig: {_HEADERS} && {{
        StrictTransportSecurity: {_HEADERS}.strictTransportSecurity && {{
            AccessControlMaxAgeSec: {_HEADERS}.strictTransportSecurity.accessControlMaxAgeSec,
            IncludeSubdomains: {_HEADERS}.strictTransportSecurity.includeSubdomains,
            Preload: {_HEADERS}.strictTransportSecurity.preload,
            Override: {_HEADERS}.strictTransportSecurity.override
        }},
        ContentTypeOptions: {_HEADERS}.contentTypeOptions && {{
            Override: {_HEADERS}.contentTypeOptions.override
        }},
        FrameOptions: {_HEADERS}.frameOptions && {{
            FrameOption: {_HEADERS}.frameOptions.frameOption, Override: {_HEADERS}.frameOptions.override
        }},
        XSSProtection: {_HEADERS}.xssProtection && {{
            Protection: {_HEADERS}.xssProtection.protection, ModeBlock: {_HEADERS}.xssProtection.modeBlock,
            ReportUri: {_HEADERS}.xssProtection.reportUri, Override: {_HEADERS}.xssProtection.override
        }},
        ReferrerPolicy: {_HEADERS}.referrerPolicy && {{
            ReferrerPolicy: {_HEADERS}.referrerPolicy.referrerPolicy,
            Override: {_HEADERS}.referrerPolicy.override
        }},
        ContentSecurityPolicy: {_HEADERS}.contentSecurityPolicy && {{
            ContentSecurityPolicy: {_HEADERS}.contentSecurityPolicy.contentSecurityPolicy,
            Override: {_HEADERS}.contentSecurityPolicy.override
        }}
    }},
    CustomHeadersConfig: inputs.customHeadersConfig && {{
        Quantity: length(inputs.customHeadersConfig.items),
        Items: inputs.customHeadersConfig.items[].{{Header: header, Value: value, Override: override}}
    }}
}}"""


def _deletion(operation: str) -> Call:
    return call(operation, Id="id", IfMatch="state.etag")


TYPES = [
    Resource(
        token="aws:cloudfront/distribution:Distribution",
        service="cloudfront",
        create=call("create_distribution", DistributionConfig=_config("uuid()")),
        id="created.Distribution.Id",
        read=[call("get_distribution", Id="id", at="merge(Distribution, {ETag: ETag})")],
        update=[
            call(
                "update_distribution",
                Id="id",
                IfMatch="state.etag",
                DistributionConfig=_config("state.callerReference"),
            )
        ],
        delete=[_deletion("delete_distribution")],
        reads={
            name: f"DistributionConfig.{member}"
            for name, member in {
                "aliases": "Aliases.Items",
                "comment": "Comment",
                "enabled": "Enabled",
                "defaultRootObject": "DefaultRootObject",
                "httpVersion": "HttpVersion",
                "isIpv6Enabled": "IsIPV6Enabled",
                "priceClass": "PriceClass",
                "webAclId": "WebACLId",
            }.items()
        },
        kept=[
            "origins",  # loses origin access controls
            "defaultCacheBehavior",
            "orderedCacheBehaviors",
            "customErrorResponses",
            "restrictions",
            "viewerCertificate",
        ],
        local=["waitForDeployment", "retainOnDelete"],
        outputs={
            "arn": "read.ARN",
            "callerReference": "read.DistributionConfig.CallerReference",
            "domainName": "read.DomainName",
            "etag": "read.ETag",
            "hostedZoneId": "'Z2FDTNDATAQYW2'",
        },
        example={
            "enabled": True,
            "comment": "example",
            "aliases": ["cdn.example.com"],
            "httpVersion": "http2and3",
            "isIpv6Enabled": True,
            "priceClass": "PriceClass_100",
            "defaultRootObject": "index.html",
            "origins": [
                {
                    "originId": "bucket",
                    "domainName": "example.s3.us-east-1.amazonaws.com",
                    "originAccessControlId": "{aws:cloudfront/originAccessControl:OriginAccessControl}",
                },
                {
                    "originId": "api",
                    "domainName": "api.example.com",
                    "customHeaders": [{"name": "x-origin-verify", "value": "example"}],
                    "customOriginConfig": {
                        "httpPort": 80,
                        "httpsPort": 443,
                        "originProtocolPolicy": "https-only",
                        "originSslProtocols": ["TLSv1.2"],
                    },
                },
            ],
            "defaultCacheBehavior": {
                "targetOriginId": "bucket",
                "viewerProtocolPolicy": "redirect-to-https",
                "allowedMethods": ["GET", "HEAD"],
                "cachedMethods": ["GET", "HEAD"],
                "compress": True,
                "cachePolicyId": "{aws:cloudfront/cachePolicy:CachePolicy}",
            },
            "orderedCacheBehaviors": [
                {
                    "pathPattern": "/api/*",
                    "targetOriginId": "api",
                    "viewerProtocolPolicy": "https-only",
                    "allowedMethods": ["GET", "HEAD"],
                    "cachedMethods": ["GET", "HEAD"],
                    "cachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
                }
            ],
            "customErrorResponses": [
                {"errorCode": 404, "responseCode": 200, "responsePagePath": "/index.html"}
            ],
            "restrictions": {"geoRestriction": {"restrictionType": "none"}},
            "viewerCertificate": {
                "acmCertificateArn": "{aws:acm/certificate:Certificate.arn}",
                "sslSupportMethod": "sni-only",
                "minimumProtocolVersion": "TLSv1.2_2021",
            },
            "webAclId": "{aws:wafv2/webAcl:WebAcl.arn}",
            "tags": {"Name": "example"},
        },
        change={"priceClass": "PriceClass_200", "comment": "changed", "tags": {"Name": "changed"}},
    ),
    Resource(
        token="aws:cloudfront/originAccessControl:OriginAccessControl",
        service="cloudfront",
        create=call("create_origin_access_control", OriginAccessControlConfig=_ACCESS),
        id="created.OriginAccessControl.Id",
        read=[
            call(
                "get_origin_access_control",
                Id="id",
                at="merge(OriginAccessControl.OriginAccessControlConfig, {ETag: ETag})",
            )
        ],
        update=[
            call(
                "update_origin_access_control",
                Id="id",
                IfMatch="state.etag",
                OriginAccessControlConfig=_ACCESS,
            )
        ],
        delete=[_deletion("delete_origin_access_control")],
        gone=["Internal Server Error"],  # what moto says to the deletion of one that is not there
        outputs={
            "arn": "global_arn('cloudfront', join('/', ['origin-access-control', id]))",
            "etag": "read.ETag",
        },
        auto_name="name",
        auto_length=64,
        example={
            "description": "example",
            "originAccessControlOriginType": "s3",
            "signingBehavior": "always",
            "signingProtocol": "sigv4",
        },
        change={"description": "changed"},
    ),
    Resource(
        token="aws:cloudfront/cachePolicy:CachePolicy",
        service="cloudfront",
        recorded=True,
        create=call("create_cache_policy", CachePolicyConfig=_CACHE_POLICY),
        id="uuid()",
        outputs={
            "arn": "global_arn('cloudfront', join('/', ['cache-policy', id]))",
            "etag": "join('', ['E', id])",
        },
        auto_name="name",
        auto_length=128,
        example={
            "comment": "example",
            "minTtl": 0,
            "defaultTtl": 60,
            "maxTtl": 60,
            "parametersInCacheKeyAndForwardedToOrigin": {
                "cookiesConfig": {"cookieBehavior": "none"},
                "headersConfig": {"headerBehavior": "whitelist", "headers": {"items": ["Origin"]}},
                "queryStringsConfig": {"queryStringBehavior": "all"},
                "enableAcceptEncodingGzip": True,
                "enableAcceptEncodingBrotli": True,
            },
        },
        change={"defaultTtl": 30},
    ),
    Resource(
        token="aws:cloudfront/responseHeadersPolicy:ResponseHeadersPolicy",
        service="cloudfront",
        recorded=True,
        create=call("create_response_headers_policy", ResponseHeadersPolicyConfig=_HEADERS_POLICY),
        id="uuid()",
        outputs={
            "arn": "global_arn('cloudfront', join('/', ['response-headers-policy', id]))",
            "etag": "join('', ['E', id])",
        },
        auto_name="name",
        auto_length=128,
        example={
            "comment": "example",
            "securityHeadersConfig": {
                "strictTransportSecurity": {
                    "accessControlMaxAgeSec": 31536000,
                    "includeSubdomains": True,
                    "override": True,
                },
                "contentTypeOptions": {"override": True},
                "frameOptions": {"frameOption": "DENY", "override": True},
                "xssProtection": {"protection": True, "modeBlock": True, "override": True},
                "referrerPolicy": {"referrerPolicy": "same-origin", "override": True},
                "contentSecurityPolicy": {"contentSecurityPolicy": "default-src 'self'", "override": True},
            },
            "customHeadersConfig": {"items": [{"header": "X-Example", "value": "1", "override": True}]},
        },
        change={"comment": "changed"},
    ),
]
