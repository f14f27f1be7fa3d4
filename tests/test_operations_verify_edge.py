"""`groundwork verify` of what browsers and TLS go by, against a real nginx: as declared, and each thing wrong."""

import socket
import ssl

import pytest

from operations.platform import Platform, Refusal
from operations.verify import names, transport, web
from operations.verify.asking import Asking
from operations.verify.expected import expected
from operations.verify.seen import State
from operations.verify.ways import Way, target, ways
from tests.real_programs import free_port
from tests.real_servers import certificate
from tests.verified_site import (
    CDN,
    HEADERS,
    HOST,
    ORIGIN,
    REDIRECT,
    asked,
    authority,
    entry,
    outputs,
    site,
    told,
)

__all__ = ["asked", "authority"]

OLD = "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers ALL:@SECLEVEL=0;"
NEW = "ssl_protocols TLSv1.2 TLSv1.3;"
HOLDS = "the certificate is the host's, its chain verifies, 89 days left"


def lines(headers):
    return "".join(f'add_header {name} "{value}" always; ' for name, value in headers.items())


# TLS


def test_tls_as_declared(tmp_path, authority, asked):
    with site(tmp_path, authority) as there:
        seen = asked(outputs(), "tls", at=there)
    said = f"TLS 1.2 and TLS 1.3 accepted, TLS 1.0 and TLS 1.1 refused; {HOLDS}"
    assert told(seen) == [(HOST, "well", said)]


def test_old_versions_that_are_accepted_are_found(tmp_path, authority, asked):
    with site(tmp_path, authority, tls=OLD) as there:
        [seen] = asked(outputs(), "tls", at=there, code=1)
    assert seen["seen"] == (
        "TLS 1.0 is accepted, and only TLS 1.2 and TLS 1.3 should be; "
        "TLS 1.1 is accepted, and only TLS 1.2 and TLS 1.3 should be"
    )
    assert "ingress.tls_policy" in seen["todo"]


def test_a_declared_version_that_is_refused_is_found(tmp_path, authority, asked):
    with site(tmp_path, authority, tls="ssl_protocols TLSv1.2;") as there:
        [seen] = asked(outputs(), "tls", at=there, code=1)
        assert seen["seen"] == "TLS 1.3 is refused, and should be accepted"
        [seen] = asked(outputs(tlsVersions=["TLSv1.2"]), "tls", at=there)
    assert seen["seen"].startswith("TLS 1.2 accepted, TLS 1.0 and TLS 1.1 and TLS 1.3 refused; ")


def test_a_version_that_this_machine_cannot_offer_is_told_and_not_called_refused(
    tmp_path, authority, asked, monkeypatch
):
    monkeypatch.setattr(
        transport, "can_offer", lambda context: context.minimum_version >= ssl.TLSVersion.TLSv1_2
    )
    with site(tmp_path, authority, tls=OLD) as there:
        [seen] = asked(outputs(), "tls", at=there)
    assert "TLS 1.0 and TLS 1.1 not tried (this machine's OpenSSL cannot offer it)" in seen["seen"]


def test_an_openssl_without_a_cipher_for_a_version_cannot_offer_it():
    context = web.only(ssl.TLSVersion.TLSv1)
    assert web.can_offer(context)
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # of TLS 1.2
    assert not web.can_offer(context)


@pytest.mark.parametrize(
    ("hosts", "valid_days", "trusted", "trouble"),
    [
        ([HOST], -3, "own", "the certificate does not hold: certificate has expired"),
        ([HOST], 20, "own", "the certificate ends in 19 days, 30 are wanted, and ACM renews 60 days before"),
        (
            ["api.other.example"],
            90,
            "own",
            f"the certificate does not hold: Hostname mismatch, certificate is not valid for '{HOST}'",
        ),
        ([HOST], 90, "other", "the certificate does not hold: self-signed certificate"),
    ],
    ids=["expired", "soon", "another host's", "unknown authority"],
)
def test_a_certificate_that_does_not_hold_is_found(
    tmp_path, authority, asked, hosts, valid_days, trusted, trouble
):
    shown = certificate(tmp_path, *hosts, valid_days=valid_days)
    with site(tmp_path, shown) as there:
        ca_file = shown.certificate if trusted == "own" else authority.certificate
        [seen] = asked(outputs(), "tls", at=there, ca_file=ca_file, code=1)
    assert seen["seen"].replace("self signed", "self-signed") == trouble


def test_each_host_of_the_stack_is_asked_by_its_own_name(tmp_path, authority, asked):
    stack = outputs(cdn={"host": CDN, "headers": {}, "tlsVersions": ["TLSv1.2", "TLSv1.3"]})
    stack["urls"]["grafana"] = f"https://{REDIRECT}"
    with site(tmp_path, authority) as there:
        seen = asked(stack, "tls", at=there)
        assert [row["subject"] for row in seen] == [HOST, REDIRECT, CDN]
        only_api = certificate(tmp_path, HOST, valid_days=90)
    with site(tmp_path, only_api) as there:
        seen = asked(stack, "tls", at=there, ca_file=only_api.certificate, code=1)
    assert [row["state"] for row in seen] == ["well", "found", "found"]


def test_no_tls_at_all_is_found(tmp_path, authority, asked):
    with site(tmp_path, authority) as there:
        plain = type(there)(https=there.http, http=there.http)
        [seen] = asked(outputs(), "tls", at=plain, code=1)
    assert "TLS 1.2 is refused, and should be accepted" in seen["seen"]
    assert "no connection with TLS" in seen["seen"]


def test_a_server_that_says_nothing_has_refused_nothing(asked, monkeypatch):
    monkeypatch.setattr(web, "TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        [seen] = asked(outputs(), "tls", f"--connect-to=127.0.0.1:{silent.getsockname()[1]}", code=2)
    assert seen["seen"] == "no answer: the connection is taken, and nothing said on it"


def test_a_host_that_is_away_is_not_called_safe(asked):
    port = free_port()
    [seen] = asked(outputs(), "tls", f"--connect-to=127.0.0.1:{port}", code=2)
    assert seen["state"] == "not asked"
    assert f"127.0.0.1:{port} does not take connections" in seen["seen"]


# Headers


def test_headers_as_declared(tmp_path, authority, asked):
    with site(tmp_path, authority, f'{lines(HEADERS)} location / {{ return 200 "here"; }}') as there:
        seen = asked(outputs(headers=HEADERS), "headers", at=there)
    assert told(seen) == [
        (HOST, "well", "Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options as declared")
    ]


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_is_missing_or_wrong_or_there_twice_is_found(tmp_path, authority, asked, name):
    others = {key: value for key, value in HEADERS.items() if key != name}
    twice = lines(HEADERS) + lines({name: HEADERS[name]})
    for kind, sent, trouble in (
        ("missing", lines(others), f"{name} is missing, {HEADERS[name]} is declared"),
        ("wrong", lines({**others, name: "other"}), f"{name} is other, {HEADERS[name]} is declared"),
        ("twice", twice, f"{name} stands 2 times"),
    ):
        folder = tmp_path / kind
        folder.mkdir()
        with site(folder, authority, f'{sent} location / {{ return 200 "here"; }}') as there:
            [seen] = asked(outputs(headers=HEADERS), "headers", at=there, code=1)
        assert seen["seen"] == trouble
        assert "ingress.response_headers" in seen["todo"]


def test_spaces_and_case_of_a_header_do_not_count_and_a_shorter_age_does(tmp_path, authority, asked):
    name = "Strict-Transport-Security"
    stack = outputs(headers={name: HEADERS[name]})
    sent = f"""
    location / {{ add_header {name} "max-age=31536000;includesubdomains"; return 200; }}
    location /short {{ add_header {name} "max-age=60; includeSubDomains"; return 200; }}
    """
    with site(tmp_path, authority, sent) as there:
        assert told(asked(stack, "headers", at=there)) == [(HOST, "well", f"{name} as declared")]
        stack["edge"]["services"]["api"]["healthPath"] = "/short"
        [seen] = asked(stack, "headers", at=there, code=1)
    assert seen["seen"].startswith(f"{name} is max-age=60; includeSubDomains, ")


def test_the_cdn_has_headers_of_its_own(tmp_path, authority, asked):
    of_cdn = {**HEADERS, "Referrer-Policy": "strict-origin-when-cross-origin"}
    stack = outputs(headers=HEADERS, cdn={"host": CDN, "headers": of_cdn, "tlsVersions": []})
    with site(tmp_path, authority, f'{lines(HEADERS)} location / {{ return 200 "here"; }}') as there:
        seen = asked(stack, "headers", at=there, code=1)
    assert [row["state"] for row in seen] == ["well", "found"]
    assert seen[1]["seen"] == ("Referrer-Policy is missing, strict-origin-when-cross-origin is declared")


# CORS

ALLOWS = """
set $allowed "";
if ($http_origin = "ORIGIN") { set $allowed $http_origin; }
location / { add_header Access-Control-Allow-Origin $allowed always; MORE return 204; }
""".replace("ORIGIN", ORIGIN)
CREDENTIALS = "add_header Access-Control-Allow-Credentials true always;"


def cors_of(**changes):
    return outputs(services={"api": entry(corsOrigins=[ORIGIN], corsCredentials=True, **changes)})


def test_cors_as_declared(tmp_path, authority, asked):
    with site(tmp_path, authority, ALLOWS.replace("MORE", CREDENTIALS)) as there:
        seen = asked(cors_of(), "cors", at=there)
    assert told(seen) == [("api", "well", f"{ORIGIN} may call with credentials, no foreign origin may call")]


@pytest.mark.parametrize(
    ("locations", "troubles"),
    [
        (
            'location / { add_header Access-Control-Allow-Origin "*" always; return 204; }',
            [
                f"OPTIONS from {ORIGIN}: Access-Control-Allow-Origin is *, so any page may call",
                "GET from a foreign origin: Access-Control-Allow-Origin is *, so any page may call",
            ],
        ),
        (
            f"location / {{ add_header Access-Control-Allow-Origin $http_origin always; {CREDENTIALS} return 204; }}",
            ["OPTIONS from a foreign origin is allowed", "GET from a foreign origin is allowed"],
        ),
        (
            "location / { return 204; }",
            [f"OPTIONS from {ORIGIN} is not allowed (no Access-Control-Allow-Origin)"],
        ),
        (
            ALLOWS.replace("MORE", ""),
            [f"GET from {ORIGIN}: Access-Control-Allow-Credentials is not true, as declared"],
        ),
    ],
    ids=["anybody", "reflected", "nobody", "no credentials"],
)
def test_cors_that_is_wider_or_narrower_than_declared_is_found(
    tmp_path, authority, asked, locations, troubles
):
    with site(tmp_path, authority, locations) as there:
        [seen] = asked(cors_of(), "cors", at=there, code=1)
    for trouble in troubles:
        assert trouble in seen["seen"].split("; ")


def test_where_no_origin_is_declared_none_is_allowed_and_credentials_are_not_asked_for(
    tmp_path, authority, asked
):
    with site(tmp_path, authority, "location / { return 204; }") as there:
        seen = asked(outputs(), "cors", at=there)
        assert told(seen) == [("api", "well", "no foreign origin may call")]
    with site(tmp_path, authority, ALLOWS.replace("MORE", "")) as there:
        stack = outputs(services={"api": entry(corsOrigins=[ORIGIN])})
        assert told(asked(stack, "cors", at=there)) == [
            ("api", "well", f"{ORIGIN} may call, no foreign origin may call")
        ]


# Redirect


def test_http_leads_to_the_same_place(tmp_path, authority, asked):
    with site(tmp_path, authority) as there:
        seen = asked(outputs(), "redirect", at=there)
    assert told(seen) == [(HOST, "well", f"http://{HOST}/health answers 301 to the same path by https")]


def test_the_load_balancers_own_way_to_write_the_port_is_the_same_place(tmp_path, authority, asked):
    with site(tmp_path, authority, http="return 301 https://$host:443$request_uri;") as there:
        [seen] = asked(outputs(), "redirect", at=there)
    assert seen["state"] == "well"


@pytest.mark.parametrize(
    ("http", "trouble"),
    [
        (
            'return 200 "here";',
            f"http://{HOST}/health answers 200, 301 is expected; http://{HOST}/health leads to nowhere",
        ),
        ("return 302 https://$host$request_uri;", f"http://{HOST}/health answers 302, 301 is expected"),
        (
            "return 301 https://evil.example$request_uri;",
            f"http://{HOST}/health leads to https://evil.example/health?from=groundwork-verify",
        ),
        ("return 301 https://$host/;", f"http://{HOST}/health leads to https://{HOST}/"),
        (
            "return 301 http://$host$request_uri;",
            f"http://{HOST}/health leads to http://{HOST}/health?from=groundwork-verify",
        ),
        (
            "return 301 https://$host:8443$request_uri;",
            f"http://{HOST}/health leads to https://{HOST}:8443/health?from=groundwork-verify",
        ),
        ("return 301 https://$host:x/;", f"http://{HOST}/health leads to https://{HOST}:x/"),
    ],
    ids=["none", "302", "another host", "another path", "http", "another port", "no address"],
)
def test_any_other_redirect_is_found(tmp_path, authority, asked, http, trouble):
    with site(tmp_path, authority, http=http) as there:
        [seen] = asked(outputs(), "redirect", at=there, code=1)
    assert seen["seen"] == trouble


# Names


def dns(stack, known):
    asking = Asking(Platform("rentalfix", "prod", stack), expected(stack), web.Web())
    return [
        (row.subject, row.state, row.seen) for row in names.dns(asking, lambda name: known.get(name, set()))
    ]


def stack_at(balancer):
    stack = outputs()
    stack["loadBalancer"]["dnsName"] = balancer
    return stack


def test_a_name_leads_to_the_load_balancer_or_elsewhere_or_nowhere():
    known = {"lb.example": {"192.0.2.1", "192.0.2.2"}, HOST: {"192.0.2.2", "192.0.2.3"}}
    stack = stack_at("lb.example")
    assert dns(stack, known) == [(HOST, State.WELL, "leads to lb.example (192.0.2.2, 192.0.2.3)")]
    assert dns(stack, {**known, HOST: {"192.0.2.9"}}) == [
        (HOST, State.FOUND, "resolves to 192.0.2.9, and lb.example to 192.0.2.1, 192.0.2.2")
    ]
    assert dns(stack, {"lb.example": {"192.0.2.1"}}) == [(HOST, State.FOUND, "does not resolve")]


def test_a_name_is_not_judged_where_there_is_nothing_to_compare_with():
    assert dns(stack_at(""), {HOST: {"192.0.2.9"}}) == [
        (HOST, State.UNASKED, "resolves to 192.0.2.9, and the outputs know no name to compare with")
    ]
    assert dns(stack_at("lb.example"), {HOST: {"192.0.2.9"}}) == [
        (HOST, State.UNASKED, "resolves to 192.0.2.9, and lb.example does not resolve from here")
    ]


@pytest.mark.parametrize(
    ("address", "state"),
    [("198.51.100.77", State.WELL), ("198.51.101.77", State.FOUND), ("2001:db8:1::9", State.WELL)],
)
def test_a_cdn_answers_with_any_address_of_one_place(address, state):
    stack = outputs(cdn={"host": CDN, "headers": {}, "tlsVersions": []})
    stack["cdn"]["domainName"] = "d111.cloudfront.example"
    del stack["urls"]["api"]
    known = {"d111.cloudfront.example": {"198.51.100.1", "2001:db8:1::1"}, CDN: {address}}
    assert [seen[1] for seen in dns(stack, known)] == [state]


def test_names_are_asked_of_this_machines_resolver():
    assert "127.0.0.1" in names.addresses("localhost")
    assert names.addresses("nowhere.invalid") == set()


# The way there


def test_where_connections_go():
    rules = ways(
        ["127.0.0.1:8443", ":80:127.0.0.1:8080", "cdn.example::[::1]:", "api.example:443:lb.example:"]
    )
    assert rules == [
        Way("", 443, "127.0.0.1", 8443),
        Way("", 80, "127.0.0.1", 8080),
        Way("cdn.example", 0, "::1", 0),
        Way("api.example", 443, "lb.example", 0),
    ]
    assert target(rules, "api.example", 443) == ("127.0.0.1", 8443)
    assert target(rules, "api.example", 80) == ("127.0.0.1", 8080)
    assert target(rules[2:], "cdn.example", 80) == ("::1", 80)
    assert target(rules[3:], "cdn.example", 443) == ("cdn.example", 443)


@pytest.mark.parametrize("rule", ["", "127.0.0.1", ":::", "a:b:c:d", "::host:port", "a:1:b:2:c"])
def test_another_way_is_refused(rule):
    with pytest.raises(Refusal, match="--connect-to is HOST:PORT"):
        ways([rule])
