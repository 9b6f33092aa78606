"""Nobody calls without a right signature, and no web page calls at all.

The requests are made by hand: with the headers that Chromium sends, with other hosts, with other
secrets. `make test-browser` has Chromium send the attack itself.
"""

import base64
import hashlib
import http.client
import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from sandbox.doors import is_own_host
from sandbox.testing.helpers import make_role, make_user, unique_name
from sandbox.testing.running import ACCOUNT, REGION, Sandbox

Answer = tuple[int, str]
BROWSER = {
    "Origin": "http://attacker.example",
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "no-cors",
    "Sec-Fetch-Dest": "empty",
}


def ask(
    sandbox: Sandbox,
    path: str,
    method: str = "GET",
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> Answer:
    """Send a request as it is; return status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=20)
    connection.putrequest(method, path, skip_host="Host" in (headers or {}))
    for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    said = answer.status, answer.read().decode()
    connection.close()
    return said


def sign(
    sandbox: Sandbox, url: str, service: str, keys: dict[str, str] | None = None, **request: Any
) -> Any:
    """Return headers of a signed request; with `query`, its address."""
    whose = keys or sandbox.root_keys
    secret = Credentials(whose["AccessKeyId"], whose["SecretAccessKey"], whose.get("SessionToken"))
    in_query = request.pop("in_query", False)
    asked = AWSRequest(url=url, **({"method": "GET"} | request))
    (SigV4QueryAuth if in_query else SigV4Auth)(secret, service, REGION).add_auth(asked)
    return asked.url.partition(f":{sandbox.port}")[2] if in_query else dict(asked.headers)


# The red team's three requests: forms that a browser sends without a preflight. On the code of then,
# a query with the name of the key was enough, because nobody checked the root's signature.
def list_attacks(sandbox: Sandbox, role: str, key: str) -> list[tuple[str, str, bytes]]:
    """Create a role's policy, a function and its invocation, each signed with nothing."""
    scope = f"{key}/{datetime.now(UTC):%Y%m%d}/{REGION}/%s/aws4_request"
    signed = (
        "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
        f"&X-Amz-Date={datetime.now(UTC):%Y%m%dT%H%M%SZ}&X-Amz-Credential={scope}"
    )
    code = base64.b64encode(b"").decode()
    made = {
        "FunctionName": "attack",
        "Runtime": "python3.12",
        "Handler": "index.handler",
        "Role": role,
        "Code": {"ZipFile": code},
    }
    return [
        ("POST", f"/2015-03-31/functions{signed % 'lambda'}", json.dumps(made).encode()),
        ("POST", f"/2015-03-31/functions/attack/invocations{signed % 'lambda'}", b"{}"),
        ("POST", f"/{signed % 'iam'}&Action=CreateUser&UserName=attack", b""),
    ]


@pytest.fixture
def role(server: Sandbox) -> str:
    return make_role(server, "lambda.amazonaws.com")


def list_made(sandbox: Sandbox) -> list[str]:
    """What the attack makes, as far as it exists."""
    functions = sandbox.client("lambda").list_functions()["Functions"]
    users = sandbox.client("iam").list_users()["Users"]
    names = [it["FunctionName"] for it in functions] + [it["UserName"] for it in users]
    return [name for name in names if name == "attack"]


@pytest.mark.parametrize("key", ["test", ACCOUNT, "the root's"])
@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}, BROWSER])
def test_three_requests_that_a_page_can_send_create_nothing(
    server: Sandbox, role: str, key: str, headers: dict[str, str]
) -> None:
    known = server.start_keys.access_key_id if key == "the root's" else key
    answers = [
        ask(server, path, method, body, headers)
        for method, path, body in list_attacks(server, role, known)
    ]

    assert [status for status, _ in answers] == [403, 403, 403]
    assert list_made(server) == []


@pytest.mark.parametrize("name", list(BROWSER))
def test_a_header_that_only_browsers_send_is_refused_even_with_a_right_signature(
    server: Sandbox, name: str
) -> None:
    headers = sign(server, f"{server.url}/", "s3")
    headers["Host"] = f"localhost:{server.port}"

    assert ask(server, "/", headers=headers)[0] == 200
    status, said = ask(server, "/", headers=headers | {name: BROWSER[name]})
    assert (status, name.lower() in said, "web page" in said) == (403, True, True)


@pytest.mark.parametrize(
    "host", ["attacker.example", "localhost.attacker.example", "127.0.0.1.nip.io", "192.168.1.9"]
)
@pytest.mark.parametrize("path", ["/", "/_ministack/health", "/_sandbox/notebook?profile=userA"])
def test_a_foreign_host_is_refused(server: Sandbox, host: str, path: str) -> None:
    status, said = ask(server, path, headers={"Host": f"{host}:{server.port}"})

    assert (status, host in said) == (403, True)


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1:4566", "[::1]:4566", "data.localhost:1", "s3-control.sandbox",
     f"{ACCOUNT}.s3-control.sandbox", "sandbox.internal:4566", "LOCALHOST.:80"],
)  # fmt: skip
def test_its_own_names_are_let_in(host: str) -> None:
    assert is_own_host(host)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/_sandbox/notebook?profile=userA"), ("POST", "/_sandbox/faults"),
     ("POST", "/_sandbox/grants"), ("GET", "/_sandbox/calls"), ("POST", "/_ministack/reset"),
     ("POST", "/_ministack/config"), ("GET", "/_ministack/sqs/messages")],
)  # fmt: skip
def test_its_own_addresses_want_the_token(server: Sandbox, method: str, path: str) -> None:
    assert ask(server, path, method)[0] == 403
    assert ask(server, path, method, headers={"Authorization": "no"})[0] == 403
    assert ask(server, f"http://localhost:{server.port}{path}", method)[0] == 403  # as to a proxy


WRONG = {"AccessKeyId": "AKIAAAAAAAAAAAAAAAAA", "SecretAccessKey": "wrong"}
SERVICES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "s3": ("list_buckets", {}, "InvalidAccessKeyId", "SignatureDoesNotMatch"),
    "s3control": ("list_access_grants_instances", {"AccountId": ACCOUNT}, "InvalidAccessKeyId",
                  "SignatureDoesNotMatch"),
    "sqs": ("list_queues", {}, "InvalidClientTokenId", "SignatureDoesNotMatch"),
    "iam": ("list_users", {}, "InvalidClientTokenId", "SignatureDoesNotMatch"),
    "sts": ("get_caller_identity", {}, "InvalidClientTokenId", "SignatureDoesNotMatch"),
    "cloudformation": ("list_stacks", {}, "InvalidClientTokenId", "SignatureDoesNotMatch"),
    "dynamodb": ("list_tables", {}, "UnrecognizedClientException", "InvalidSignatureException"),
    "lambda": ("list_functions", {}, "UnrecognizedClientException", "InvalidSignatureException"),
    "sagemaker": ("list_domains", {}, "UnrecognizedClientException", "InvalidSignatureException"),
    "events": ("list_rules", {}, "UnrecognizedClientException", "InvalidSignatureException"),
    "identitystore": ("list_users", {"IdentityStoreId": "d-1234567890"},
                      "UnrecognizedClientException", "InvalidSignatureException"),
    "sso-admin": ("list_instances", {}, "UnrecognizedClientException",
                  "InvalidSignatureException"),
    "logs": ("describe_log_groups", {}, "UnrecognizedClientException",
             "InvalidSignatureException"),
    "cloudtrail": ("describe_trails", {}, "UnrecognizedClientException",
                   "InvalidSignatureException"),
    "ec2": ("describe_vpcs", {}, "AuthFailure", "AuthFailure"),
    "efs": ("describe_file_systems", {}, "UnrecognizedClientException",
            "InvalidSignatureException"),
    "cloudwatch": ("list_dashboards", {}, "InvalidClientTokenId", "SignatureDoesNotMatch"),
    "scheduler": ("list_schedules", {}, "UnrecognizedClientException",
                  "InvalidSignatureException"),
    "sns": ("list_topics", {}, "InvalidClientTokenId", "SignatureDoesNotMatch"),
}  # fmt: skip


def refused(sandbox: Sandbox, service: str, keys: dict[str, str]) -> str:
    operation, request, _, _ = SERVICES[service]
    with pytest.raises(ClientError) as error:
        getattr(sandbox.client(service, keys), operation)(**request)
    return str(error.value.response["Error"]["Code"])


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_refuses_unknown_keys_and_wrong_secrets(
    server: Sandbox, service: str
) -> None:
    _, _, unknown, wrong = SERVICES[service]
    root = server.root_keys

    assert refused(server, service, WRONG) == unknown
    assert refused(server, service, {"AccessKeyId": "test", "SecretAccessKey": "test"}) == unknown
    assert refused(server, service, root | {"SecretAccessKey": "test"}) == wrong


def test_the_keys_of_a_user_and_of_a_session_are_checked(server: Sandbox) -> None:
    _, keys = make_user(server, {"Action": "*", "Resource": "*"})
    session = server.client("sts", keys).get_session_token()["Credentials"]

    for mine in (keys, session):
        assert server.client("s3", mine).list_buckets()
        assert refused(server, "s3", mine | {"SecretAccessKey": "x"}) == "SignatureDoesNotMatch"
    assert refused(server, "s3", session | {"SessionToken": "x"}) == "InvalidToken"


@pytest.mark.parametrize("minutes", [-20, 20])
@pytest.mark.parametrize("service", ["s3", "lambda"])
def test_a_signature_of_another_time_is_refused(
    server: Sandbox, monkeypatch: pytest.MonkeyPatch, minutes: int, service: str
) -> None:
    path = "/" if service == "s3" else "/2015-03-31/functions"
    code = "RequestTimeTooSkewed" if service == "s3" else "InvalidSignatureException"
    then = datetime.now(UTC) + timedelta(minutes=minutes)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: then)
    headers = sign(server, f"http://127.0.0.1:{server.port}{path}", service)

    status, said = ask(server, path, headers=headers)
    assert (status, code in said) == (403, True)


@pytest.fixture
def bucket(server: Sandbox) -> str:
    name = unique_name("bucket")
    server.client("s3").create_bucket(Bucket=name)
    server.client("s3").put_object(Bucket=name, Key="k", Body=b"secret")
    return name


def test_what_nobody_signed_is_nobodys(server: Sandbox, bucket: str) -> None:
    grants = "/v20180820/accessgrantsinstance"

    assert [
        ask(server, path, method, body)[0]
        for method, path, body in [
            ("GET", "/", b""),
            ("GET", f"/{bucket}", b""),
            ("GET", f"/{bucket}/k", b""),
            ("PUT", f"/{bucket}/new", b"x"),
            ("DELETE", f"/{bucket}/k", b""),
            ("POST", f"/{bucket}", b""),
            ("GET", "/2015-03-31/functions", b""),
            ("POST", "/?Action=CreateUser&UserName=attack", b""),
            ("GET", f"{grants}/grants", b""),
            ("POST", grants, b""),
        ]
    ] == [403] * 10


def test_a_bucket_whose_policy_lets_everybody_read_lets_everybody_read(
    server: Sandbox, bucket: str
) -> None:
    s3 = server.client("s3")
    s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration=dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"),
            False,
        ),
    )
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    statement = everybody | {"Resource": f"arn:aws:s3:::{bucket}/*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    assert ask(server, f"/{bucket}/k") == (200, "secret")
    assert ask(server, f"/{bucket}/k", "PUT", b"x")[0] == 403


def test_a_presigned_address_works_from_curl_and_not_with_another_signature(
    server: Sandbox, bucket: str
) -> None:
    url = server.client("s3").generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "k"}
    )
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"secret"
    for changed in (url[:-3] + "000", url.replace("/k?", "/other?")):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(changed)


def test_an_address_presigned_for_s3_opens_nothing_else(server: Sandbox) -> None:
    url = f"http://127.0.0.1:{server.port}/v20180820/accessgrantsinstance/grants"
    signed = sign(server, url, "s3", in_query=True)
    key = server.start_keys.access_key_id
    scope = f"{key}/{datetime.now(UTC):%Y%m%d}/{REGION}/s3/aws4_request"
    bare = url.partition(str(server.port))[2]
    query = (
        f"?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={scope}&X-Amz-Signature=00"
        "&X-Amz-SignedHeaders=host"
    )

    for path in (signed, f"{bare}{query}"):
        status, _ = ask(server, path, headers={"x-amz-account-id": ACCOUNT})
        assert status == 403
    assert ask(server, f"/2015-03-31/functions{query}")[0] == 403


@pytest.mark.parametrize("style", ["path", "virtual"])
@pytest.mark.parametrize("signature", ["s3v4", "s3"])
def test_every_way_to_sign_is_checked(
    server: Sandbox, bucket: str, signature: str, style: str
) -> None:
    def client(secret: str) -> Any:
        return boto3.client(
            "s3",
            region_name=REGION,
            endpoint_url=server.url,
            aws_access_key_id=server.start_keys.access_key_id,
            aws_secret_access_key=secret,
            config=Config(
                signature_version=signature,
                s3={"addressing_style": style, "payload_signing_enabled": True},
                proxies={"http": server.url},  # which resolves no name
                retries={"max_attempts": 1},
            ),
        )

    right, wrong = client(server.start_keys.secret_access_key), client("wrong")
    right.put_object(Bucket=bucket, Key="a b/ü", Body=b"1", Metadata={"a": "b"})
    assert right.get_object(Bucket=bucket, Key="a b/ü")["Body"].read() == b"1"
    for attempt in (
        lambda: wrong.put_object(Bucket=bucket, Key="x", Body=b"1"),
        lambda: wrong.get_object(Bucket=bucket, Key="k"),
        lambda: wrong.list_objects_v2(Bucket=bucket),
    ):
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            attempt()


def test_a_body_that_was_not_signed_is_refused(server: Sandbox, bucket: str) -> None:
    headers = sign(
        server,
        f"http://127.0.0.1:{server.port}/{bucket}/x",
        "s3",
        method="PUT",
        data=b"signed",
        headers={"x-amz-content-sha256": hashlib.sha256(b"signed").hexdigest()},
    )
    users = sign(
        server,
        f"http://127.0.0.1:{server.port}/",
        "iam",
        method="POST",
        data=b"Action=ListUsers",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )

    assert ask(server, f"/{bucket}/x", "PUT", b"signed", headers)[0] == 200
    status, said = ask(server, f"/{bucket}/x", "PUT", b"forged", headers)
    assert (status, "XAmzContentSHA256Mismatch" in said) == (400, True)
    assert ask(server, "/", "POST", b"Action=CreateUser&UserName=attack", users)[0] == 403


@pytest.mark.parametrize("key", ["k", "${filename}"])
def test_an_upload_by_form_is_refused(server: Sandbox, bucket: str, key: str) -> None:
    part = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    body = (part.format("key", key) + part.format("file", "x") + "--b--\r\n").encode()
    headers = {"Content-Type": "multipart/form-data; boundary=b"}

    assert ask(server, f"/{bucket}", "POST", body, headers)[0] == 403
    virtual = headers | {"Host": f"{bucket}.localhost:{server.port}"}
    assert ask(server, "/", "POST", body, virtual)[0] in (403, 501)
    assert server.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_the_keys_of_a_functions_role_cannot_be_computed(server: Sandbox) -> None:
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
    digest = hashlib.sha256(f"{arn}:arn:aws:iam::{ACCOUNT}:role/r".encode()).hexdigest()
    guess = {
        "AccessKeyId": f"ASIA{digest[:16].upper()}",
        "SecretAccessKey": hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
        "SessionToken": hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
    }

    assert refused(server, "s3", guess) == "InvalidAccessKeyId"
