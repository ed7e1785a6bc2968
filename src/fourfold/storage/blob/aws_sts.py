"""Temporary keys from Amazon: a role from STS, a role of a single sign-on.

Two requests, each one HTTP call by the standard library. Where the keys to sign with come from is
decided in `aws_identity`. Formats: the STS and SSO portal API references of Amazon.
"""

import hashlib
import hmac
import http.client
import json
import re
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlencode, urlsplit

from fourfold.storage.blob.aws_profile import AwsProfileError
from fourfold.storage.blob.protocol import BlobDeniedError, BlobUnavailableError
from fourfold.storage.redact import redact

_TIMEOUT = 30
_MAX_ANSWER = 1 << 20

#: Access key, secret key, session token or None, when it ends or None.
Keys = tuple[str, str, str | None, datetime | None]


def assume_role(keys: Keys, values: Mapping[str, str], region: str, endpoint: str | None) -> Keys:
    """Ask STS for the keys of ``values['role_arn']``.

    Raises:
        BlobDeniedError: STS refuses.
        BlobUnavailableError: it cannot be reached.
    """
    endpoint = endpoint or f"https://sts.{region}.amazonaws.com"
    fields = {
        "Action": "AssumeRole",
        "Version": "2011-06-15",
        "RoleArn": values["role_arn"],
        "RoleSessionName": values.get("role_session_name", "fourfold"),
        "DurationSeconds": values.get("duration_seconds", "3600"),
    }
    if values.get("external_id"):
        fields["ExternalId"] = values["external_id"]
    body = urlencode(fields).encode()
    headers = _signed(keys, region, urlsplit(endpoint).netloc, body, datetime.now(UTC))
    status, answer = _ask("POST", endpoint, "/", body, headers)
    if status != 200:
        reason = re.search(r"<Message>([^<]{1,300})", answer)
        said = redact(reason[1]) if reason else "no reason given"
        raise BlobDeniedError(
            f"STS refuses the role {values['role_arn']}: {status} {said}",
            hint="check role_arn and source_profile in ~/.aws/config",
        )
    found = {
        name: _element(answer, name)
        for name in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
    }
    return (
        found["AccessKeyId"],
        found["SecretAccessKey"],
        found["SessionToken"],
        read_time(found["Expiration"]),
    )


def single_sign_on(cache: str, key: str, endpoint: str, account: str, role: str, profile: str) -> Keys:
    """Exchange the token that ``aws sso login`` left for the keys of a role.

    Args:
        cache: The folder of tokens.
        key: The session's name, or the start URL: its SHA-1 names the token's file.
        endpoint: URL of the portal.
        account: Account id.
        role: Role name.
        profile: For messages.

    Raises:
        BlobDeniedError: there is no token, it has ended, or it is refused.
    """
    login = BlobDeniedError(
        f"the single sign-on of AWS profile {profile!r} has ended",
        hint=f"run: aws sso login --profile {profile}",
    )
    name = hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()
    try:
        with open(f"{cache}/{name}.json", encoding="utf-8") as source:
            token = json.load(source)
        ends = read_time(token["expiresAt"])
        access = str(token["accessToken"])
    except (OSError, ValueError, KeyError, TypeError):
        raise login from None
    if ends is not None and ends <= datetime.now(UTC):
        raise login
    query = urlencode({"role_name": role, "account_id": account})
    status, answer = _ask(
        "GET",
        endpoint,
        f"/federation/credentials?{query}",
        b"",
        {"x-amz-sso_bearer_token": access},
    )
    if status == 401:
        raise login
    try:
        found = json.loads(answer)["roleCredentials"]
        moment = datetime.fromtimestamp(int(found["expiration"]) / 1000, UTC)
        return found["accessKeyId"], found["secretAccessKey"], found["sessionToken"], moment
    except (ValueError, KeyError, TypeError):
        raise BlobDeniedError(
            f"single sign-on gives no keys for role {role!r} in account {account}: {status}",
            hint=f"check sso_role_name and sso_account_id of profile {profile!r}",
        ) from None


def read_time(text: str | None) -> datetime | None:
    """An ISO 8601 moment, as Amazon writes it."""
    if not text:
        return None
    moment = datetime.fromisoformat(re.sub(r"(?i)(?:z|utc)$", "+00:00", text))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _ask(method: str, endpoint: str, target: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
    where = urlsplit(endpoint)
    kind = http.client.HTTPConnection if where.scheme == "http" else http.client.HTTPSConnection
    connection = kind(where.netloc, timeout=_TIMEOUT)
    try:
        connection.request(method, target, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read(_MAX_ANSWER).decode("utf-8", "replace")
    except (OSError, ssl.SSLError, http.client.HTTPException) as error:
        raise BlobUnavailableError(
            f"{endpoint} cannot be reached: {type(error).__name__}", hint="check the network, then run again"
        ) from None
    finally:
        connection.close()


def _element(answer: str, name: str) -> str:
    found = re.search(f"<{name}>([^<]+)</{name}>", answer)
    if found is None:
        raise AwsProfileError(f"the answer of STS has no {name}")
    return found[1]


def _signed(keys: Keys, region: str, host: str, body: bytes, now: datetime) -> dict[str, str]:
    """Headers of a POST to ``/``, signed by Signature Version 4."""
    access, secret, token, _ends = keys
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    headers = {"content-type": "application/x-www-form-urlencoded", "host": host, "x-amz-date": stamp}
    if token:
        headers["x-amz-security-token"] = token
    names = ";".join(sorted(headers))
    canonical = "\n".join(f"{name}:{headers[name]}" for name in sorted(headers))
    request = f"POST\n/\n\n{canonical}\n\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{day}/{region}/sts/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in (day, region, "sts", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    identity = f"Credential={quote(access, safe='')}/{scope}"
    headers["authorization"] = f"AWS4-HMAC-SHA256 {identity}, SignedHeaders={names}, Signature={signature}"
    return headers
