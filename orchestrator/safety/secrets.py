"""Finds secrets: keys of well-known services, private keys, tokens, and passwords that say what they are."""

from collections.abc import Iterator
from typing import Final

from orchestrator.safety.base import Action, Match
from orchestrator.safety.patterns import Pattern, matches

__all__ = ["SECRETS"]

_KEYS: Final = (
    ("Anthropic key", r"\bsk-ant-[A-Za-z0-9_-]{20,}", "sk-ant-"),
    ("OpenAI key", r"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,}", "sk-"),
    ("AWS key", r"\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b", "a"),
    ("Google key", r"\bAIza[0-9A-Za-z_-]{35}", "aiza"),
    ("Google token", r"\bya29\.[0-9A-Za-z_-]{20,}", "ya29."),
    ("GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})", "gh|github_pat_"),
    ("GitLab token", r"\bgl(?:pat|ptt|dt|rt|cbt|ft|imt|agent|oas|soat)-[A-Za-z0-9_.-]{20,}", "gl"),
    ("Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-[0-9]-[A-Za-z0-9-]{10,}", "xox|xapp-"),
    ("Slack webhook", r"https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{20,}", "hooks.slack"),
    ("Stripe key", r"\b(?:sk|rk)_(?:live|test)_[0-9A-Za-z]{20,}|\bwhsec_[0-9A-Za-z]{20,}", "_live_|_test_|whsec_"),
    ("Twilio key", r"\bSK[0-9a-f]{32}\b", "sk"),
    ("SendGrid key", r"\bSG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}", "sg."),
    ("Mailgun key", r"\bkey-[0-9a-f]{32}\b", "key-"),
    ("npm token", r"\bnpm_[0-9A-Za-z]{36}\b", "npm_"),
    ("PyPI token", r"\bpypi-[0-9A-Za-z_-]{50,}", "pypi-"),
    ("Hugging Face token", r"\bhf_[0-9A-Za-z]{30,}\b", "hf_"),
    ("DigitalOcean token", r"\bdo[oprt]_v1_[0-9a-f]{64}\b", "_v1_"),
    ("Databricks token", r"\bdapi[0-9a-f]{32}\b", "dapi"),
    ("Telegram token", r"\b[0-9]{8,10}:AA[0-9A-Za-z_-]{33}", ":aa"),
    ("Shopify token", r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b", "shp"),
    ("Vault token", r"\bhv[bs]\.[0-9A-Za-z_-]{24,}", "hv"),
    ("Azure key", r"(?i)\b(?:AccountKey|SharedAccessKey)=([0-9A-Za-z+/]{40,}={0,2})", "accesskey=|accountkey="),
)
_OTHERS: Final = (
    Pattern(
        "private key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[^-]*-----END [A-Z0-9 ]{0,40}PRIVATE KEY"
        r"(?: BLOCK)?-----|[0-9A-Za-z+/=\s]*)",
        needs=("private key",),
    ),
    Pattern("token (JWT)", r"\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]*", needs=("eyj",)),
    Pattern("password in an address", r"\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]{0,200}:([^\s/@]{1,200})@", needs=("://",)),
    Pattern("token", r"(?i)\b(?:bearer|basic)\s+([0-9A-Za-z._~+/-]{20,}=*)", needs=("bearer", "basic")),
    Pattern(
        "password",
        r"(?i)\b(?:\w{1,40}[_-])?(?:password|passwd|passphrase|pwd|passwort|secret[_ -]?key|client[_ -]?secret"
        # Also within JSON within JSON, where quotes have backslashes before them.
        r"|api[_ -]?key|access[_ -]?token)(?:\\{0,3}[\"'])?"
        r"\s*(?:[:=]|\bis\b)\s*(?:\\{0,3}[\"'])?([^\s\"',;<>{}]{6,200})",
        needs=("pass", "pwd", "secret", "api", "token"),
    ),
)
_PATTERNS: Final = (
    *_OTHERS[:2],
    *(Pattern(kind, expression, needs=tuple(needs.split("|"))) for kind, expression, needs in _KEYS),
    *_OTHERS[2:],
)


class _Secrets:
    name = "secrets"
    usual: Action = "flag"

    def find(self, text: str) -> Iterator[Match]:
        yield from matches(_PATTERNS, text)


SECRETS: Final = _Secrets()
