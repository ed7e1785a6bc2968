"""Taking secrets out of text before a person or a log sees it.

Every message that names a URL, quotes a server or shows a configuration goes through here. It
knows what a secret looks like in a URL and in a request, and which configuration keys hold one;
it does not know the secrets themselves. Standard library only.
"""

import re

#: What stands where a secret stood.
HIDDEN = "***"

#: Configuration keys of remotes whose values are secrets. They belong in ``config.local``, never in
#: a committed file; `doctor` and ``remote modify`` ask this set.
SECRET_OPTIONS = frozenset(
    {
        "secret_access_key",
        "session_token",
        "sse_customer_key",
        "password",
        "passphrase",
        "token",
        "account_key",
        "sas_token",
        "connection_string",
        "client_secret",
        "oss_key_secret",
        "gdrive_client_secret",
        "access_token",
        "bearer_token",
        "api_key",
    }
)

#: Query parameters that sign a URL or carry a key: S3, GCS, Azure, and the usual names.
_QUERY = re.compile(
    r"""(?<=[?&;])
        (x-amz-(?:signature|credential|security-token)|x-goog-(?:signature|credential)|signature|sig
        |awsaccesskeyid|googleaccessid|token|access_token|id_token|refresh_token|api[_-]?key|apikey|key
        |password|passwd|pwd|secret|client_secret|auth|private_token|job_token)
        =[^&;\s"'<>]*""",
    re.IGNORECASE | re.VERBOSE,
)
#: ``scheme://user:password@``: the password goes, and a lone user that is long enough to be a token.
#: It begins at ``://``, so that a long text without one is read once.
_USERINFO = re.compile(r"(?<=[a-z0-9+.-])(://)([^/\s@:'\"]*)(:[^/\s'\"]*)?@", re.IGNORECASE)
_HEADER = re.compile(
    r"(?im)\b(authorization|proxy-authorization|cookie|set-cookie|x-amz-security-token|x-ms-copy-source-authorization"
    r"|x-amz-server-side-encryption-customer-key|private-token|x-api-key)(['\"]?\s*[:=]\s*['\"]?)[^\r\n'\"]+"
)
_FIELD = re.compile(
    r"(?i)\b((?:aws_)?secret_?access_?key|(?:aws_)?session_?token|account_?key|shared_?access_?signature|sas_?token"
    r"|client_?secret|password|passphrase|private_?key)(['\"]?\s*[:=]\s*)(['\"]?)[^\s;,'\"}&]+\3"
)
_XML = re.compile(
    r"(?i)<(AWSAccessKeyId|SignatureProvided|StringToSign\w*|CanonicalRequest\w*|Token\w*|HostId)>[^<]*</\1>"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9+/=._~-]{8,}")


def redact_url(url: str) -> str:
    """The URL without its password, its tokens and its signed query parameters."""
    return _QUERY.sub(_hide_parameter, _USERINFO.sub(_hide_userinfo, url))


def redact(text: str) -> str:
    """Any text, such as a server's answer, without what looks like a secret."""
    text = redact_url(text)
    text = _XML.sub(lambda found: f"<{found[1]}>{HIDDEN}</{found[1]}>", text)
    text = _HEADER.sub(lambda found: f"{found[1]}{found[2]}{HIDDEN}", text)
    text = _FIELD.sub(lambda found: f"{found[1]}{found[2]}{found[3]}{HIDDEN}{found[3]}", text)
    return _BEARER.sub(lambda found: f"{found[1]} {HIDDEN}", text)


def is_secret(option: str) -> bool:
    """Whether a configuration key of a remote holds a secret."""
    return option.lower() in SECRET_OPTIONS


def _hide_parameter(found: re.Match[str]) -> str:
    return f"{found[1]}={HIDDEN}"


def _hide_userinfo(found: re.Match[str]) -> str:
    scheme, user, password = found.groups()
    if password is not None:
        return f"{scheme}{user}:{HIDDEN}@" if user else f"{scheme}{HIDDEN}@"
    if len(user) >= 20:  # names are short; personal tokens are 20 characters and more
        return f"{scheme}{HIDDEN}@"
    return f"{scheme}{user}@" if user else scheme
