"""The tokens of vendors, by the prefixes that they publish: a table, and one expression.

A token is looked for by its prefix alone, together with all that may belong to it; how long it
must be is asked afterwards. An expression that counted would need an automaton with a state for
each count of each token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from chained_logging.redact.encodings import holds_login
from chained_logging.redact.names import BOUNDARY, compile_bytes
from chained_logging.redact.plain import is_plain
from chained_logging.redact.spans import Span

# Vendor, least length behind the prefix, prefixes.
VENDORS: Final[tuple[tuple[str, int, str], ...]] = (
    ("1Password", 40, "ops_"),
    ("Adobe", 30, "p8e-"),
    ("Alibaba Cloud", 18, "LTAI"),
    ("Anthropic", 20, "sk-ant-"),
    ("Artifactory", 20, "AKCp cmVmdGtu"),
    ("Asana", 30, "1/1"),
    ("Atlassian", 20, "ATATT3 ATCTT3 ATBB ATSTT3"),
    ("AWS", 16, "AKIA ASIA ABIA ACCA"),
    ("AWS Bedrock", 40, "ABSK bedrock-api-key-"),
    ("AWS MWS", 30, "amzn.mws."),
    ("Buildkite", 30, "bkua_ bkpat_"),
    ("Cerebras", 30, "csk-"),
    ("CircleCI", 30, "CCIPAT_ CCIPRJ_"),
    ("ClickHouse Cloud", 30, "4b1d"),
    ("Clojars", 40, "CLOJARS_"),
    ("Cloudflare", 40, "v1.0- cfat_ cfut_ cfk_"),
    ("Contentful", 30, "CFPAT-"),
    ("Databricks", 30, "dapi dkea dose"),
    ("Datadog", 24, "ddapi_ ddapp_"),
    ("DigitalOcean", 32, "dop_v1_ doo_v1_ dor_v1_"),
    ("Docker", 20, "dckr_pat_ dckr_oat_"),
    ("Doppler", 20, "dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit."),
    ("Duffel, EasyPost", 20, "duffel_test_ duffel_live_"),
    ("EasyPost", 50, "EZAK EZTK"),
    ("Dynatrace", 30, "dt0c01. dt0s01. dt0s16."),
    ("Facebook", 60, "EAACEdEose0cBA EAAG EAAB"),
    ("Fastly, Fly.io", 30, "fo1_ fm1_ fm2_ fm1a_ fm1r_"),
    ("Figma", 20, "figd_ figu_ figoh_ figor_"),
    ("Flutterwave", 12, "FLWSECK_TEST- FLWSECK-"),
    ("Frame.io, Gumroad", 30, "fio-u-"),
    ("GitHub", 30, "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_"),
    ("GitLab", 16, "glpat- gloas- gldt- glrt- glrtr- glcbt- glptt- glft- glimt- glagent- glsoat-"),
    ("GitLab", 16, "glffct- glwt- GR1348941"),
    ("Google", 30, "AIza"),
    ("Google", 20, "GOCSPX- ya29. 1// GOOG1"),
    ("Grafana", 24, "glsa_ glc_ eyJrIjoi"),
    ("Groq", 30, "gsk_"),
    ("Harness", 30, "pat. sat."),
    ("HashiCorp", 20, "hvs. hvb. hvr. s."),
    ("Heroku", 30, "HRKU-"),
    ("Hugging Face", 26, "hf_ api_org_"),
    ("Infracost", 20, "ico-"),
    ("Langfuse, LangSmith", 24, "lsv2_pt_ lsv2_sk_ sk-lf-"),
    ("LaunchDarkly", 30, "api- sdk- mob-"),
    ("Linear", 30, "lin_api_ lin_oauth_ lin_wh_"),
    ("Mailgun", 30, "key- pubkey-"),
    ("MailChimp, Brevo", 60, "xkeysib- xsmtpsib-"),
    ("Mapbox", 40, "sk.eyJ tk.eyJ"),
    ("MaxMind", 20, "mmk_"),
    ("Neon, npm", 30, "napi_ npm_"),
    ("New Relic", 24, "NRAK- NRIQ- NRRA- NRJS- NRII- NRSP- NRAA- NRAL-"),
    ("Netlify", 30, "nfp_ nfc_ nfo_ nfb_ nfu_"),
    ("Notion", 40, "secret_ ntn_"),
    ("NuGet", 40, "oy2"),
    ("Octopus", 20, "API-"),
    ("OpenAI", 20, "sk-proj- sk-svcacct- sk-admin- sk-None- sk-or-v1- sess-"),
    ("OpenAI", 32, "sk-"),
    ("OpenShift", 30, "sha256~"),
    ("Perplexity, Replicate", 30, "pplx- r8_"),
    ("PlanetScale", 30, "pscale_tkn_ pscale_pw_ pscale_oauth_"),
    ("PostHog", 30, "phx_ phs_"),
    ("Postman", 40, "PMAK- PMAT-"),
    ("Prefect, Pulumi", 30, "pnu_ pul-"),
    ("PyPI", 40, "pypi-AgE pypi-"),
    ("Razorpay", 14, "rzp_live_ rzp_test_"),
    ("ReadMe", 40, "rdme_"),
    ("Render, Resend", 20, "rnd_ re_"),
    ("RubyGems", 40, "rubygems_"),
    ("Scalingo, Sendinblue", 40, "tk-us-"),
    ("SendGrid", 40, "SG."),
    ("Sentry", 32, "sntrys_ sntryu_ sntrya_"),
    ("Settlemint", 14, "sm_aat_ sm_pat_ sm_sat_"),
    ("Shippo", 30, "shippo_live_ shippo_test_"),
    ("Shopify", 30, "shpat_ shpca_ shppa_ shpss_ shptka_ shpua_"),
    ("Slack", 10, "xoxb- xoxp- xoxa- xoxo- xoxr- xoxs- xoxe- xoxe. xoxc- xoxd- xapp-"),
    ("SonarQube", 36, "squ_ sqp_ sqa_"),
    ("Sourcegraph", 36, "sgp_ slk_"),
    ("Square", 20, "sq0atp- sq0csp- EAAAl EAAAE"),
    ("Stripe", 14, "sk_live_ sk_test_ rk_live_ rk_test_ sk_org_ whsec_"),
    ("Stytch", 30, "secret-live- secret-test-"),
    ("Supabase", 20, "sbp_ sb_secret_"),
    ("Tailscale", 16, "tskey-auth- tskey-api- tskey-client- tskey-webhook- tskey-scim- tskey-"),
    ("Terraform Cloud", 40, "atlasv1."),
    ("Twilio", 30, "SK"),
    ("Typeform", 30, "tfp_"),
    ("Vercel", 20, "vcp_ vci_ vca_ vcr_ vck_"),
    ("xAI", 40, "xai-"),
    ("Yandex", 30, "AQVN"),
    ("age", 16, "AGE-SECRET-KEY-1 AGE-SECRET-KEY-PQ-1"),
    ("Braintree", 20, "access_token$production$ access_token$sandbox$"),
    ("SSH", 60, "b3BlbnNzaC1rZXktdjE"),
)
# Where a prefix is a common word: how the rest begins, and what it must be.
_HEX: Final = (rb"[0-9a-f]{10}", re.compile(rb"[0-9a-f]{32,}(?:-\d)?\Z"))
_AWS: Final = (rb"[A-Z0-9]{10}", re.compile(rb"[A-Z0-9]{16,}\Z"))
_UUID: Final = (rb"[0-9a-f-]{20}", re.compile(rb"[0-9a-f-]{36}\Z"))
_LETTERS: Final = rb"[A-Za-z0-9]{16}"
_STRICT: Final[dict[bytes, tuple[bytes, re.Pattern[bytes]]]] = {
    **dict.fromkeys((b"SK", b"key-", b"pubkey-", b"dapi", b"dkea", b"dose"), _HEX),
    **dict.fromkeys((b"AKIA", b"ASIA", b"ABIA", b"ACCA"), _AWS),
    **dict.fromkeys((b"api-", b"sdk-", b"mob-"), _UUID),
    b"LTAI": (_LETTERS, re.compile(rb"[A-Za-z0-9]{16,24}\Z")),
    b"4b1d": (_LETTERS, re.compile(rb"[A-Za-z0-9]{38}\Z")),
    b"oy2": (rb"[a-z0-9]{20}", re.compile(rb"[a-z0-9]{43}\Z")),
    b"1/1": (rb"[0-9]{15}", re.compile(rb"[0-9]{15}[:/].{30,}\Z")),
    b"1//": (rb"0[A-Za-z0-9_\-]{20}", re.compile(rb"0[\w-]{30,}\Z")),
    b"API-": (rb"[A-Z0-9]{20}", re.compile(rb"[A-Z0-9]{26,}\Z")),
    b"re_": (rb"[A-Za-z0-9]{6,10}_", re.compile(rb"[A-Za-z0-9]{6,10}_[A-Za-z0-9]{16,}\Z")),
    b"secret_": (rb"[A-Za-z0-9]{20}", re.compile(rb"[A-Za-z0-9]{43}\Z")),
    b"v1.0-": (rb"[0-9a-f]{20}", re.compile(rb"[0-9a-f]{20,}-[0-9a-f]{100,}\Z")),
    b"SG.": (rb"[A-Za-z0-9_\-]{10}", re.compile(rb"[\w-]{16,}\.[\w-]{16,}\Z")),
    b"sk-": (rb"[A-Za-z0-9_\-]{20}", re.compile(rb"(?=.*[0-9])[\w-]{32,}\Z")),
    b"s.": (_LETTERS, re.compile(rb"[A-Za-z0-9]{24}\Z")),
    b"sess-": (_LETTERS, re.compile(rb"[A-Za-z0-9]{40}\Z")),
    b"ico-": (_LETTERS, re.compile(rb"[A-Za-z0-9]{32}\Z")),
}
_PREFIXES: Final = {
    prefix.encode(): least for _, least, prefixes in VENDORS for prefix in prefixes.split()
}
_BY_LENGTH: Final = sorted(_PREFIXES, key=lambda prefix: (-len(prefix), prefix))
_REST: Final = rb"[A-Za-z0-9_.~+/=:\-]*"
_PREFIX: Final = b"(?:" + b"|".join(map(re.escape, _BY_LENGTH)) + b")"
_TELLING_PREFIX: Final = b"|".join(re.escape(p) for p in _BY_LENGTH if p not in _STRICT)
_DOUBTFUL_PREFIX: Final = b"|".join(
    re.escape(prefix) + begin for prefix, (begin, _) in sorted(_STRICT.items())
)

# Tokens with their mark in the middle: what may be one, and what it must be then.
_MARKED: Final = (
    (rb"hooks\.(?:slack|zapier)\.com/[A-Za-z0-9_/\-]+", rb".*/[\w/\-]{16,}"),
    (rb"discord(?:app)?\.com/api/[a-z0-9/]*webhooks/[A-Za-z0-9_/\-]+", rb".*/[0-9]+/[\w\-]{20,}"),
    (rb"webhook\.office\.com/webhookb2/[A-Za-z0-9_@/.\-]+", rb".*"),
    (rb"(?:bot)?[0-9]+:AA[A-Za-z0-9_\-]+", rb"(?:bot)?[0-9]{8,10}:[\w\-]{32,}"),  # Telegram
    (  # Discord
        rb"[MNO][A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+",
        rb"[\w\-]{23,30}\.[\w\-]{6}\.[\w\-]{27,}",
    ),
    (rb"[A-Za-z0-9_\-]+[78]Q~[A-Za-z0-9_.~\-]+", rb"[\w\-]{5}~[\w.~\-]{30,}"),  # Azure
    (rb"pat[A-Za-z0-9]+\.[0-9a-f]+", rb"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),  # Airtable
    (rb"[0-9a-f]+-us[0-9]+", rb"[0-9a-f]{32}-us[0-9]{1,2}"),  # MailChimp
    (rb"[A-Za-z0-9]+\.atlasv1\.[A-Za-z0-9_\-]+", rb"[A-Za-z0-9]{14}\.atlasv1\.[\w\-]{40,}"),
    (rb"A3-[A-Z0-9\-]+", rb"A3-[A-Z0-9]{6}-[A-Z0-9-]{22,30}"),  # 1Password
)

TOKEN: Final = (
    BOUNDARY
    + rb"(?:(?:"
    + _TELLING_PREFIX
    + rb")[A-Za-z0-9_.~+/=:\-]{10}|"
    + _DOUBTFUL_PREFIX
    + rb")|hooks\.(?:slack|zapier)\.com/|/webhooks?b?2?/|:AA[A-Za-z0-9_\-]{30}"
    rb"|\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{27}|[78]Q~|[0-9a-f]-us[0-9]|atlasv1\.|A3-[A-Z0-9]{6}-"
    rb"|pat[A-Za-z0-9]{14}\."
)
"""The expression of where a token may be."""

_TOKEN: Final = compile_bytes(rb"(?:\b|_)(" + _PREFIX + rb")(" + _REST + rb")")
_CLUE: Final = compile_bytes(TOKEN)
_FORMS: Final = tuple(
    (compile_bytes(rb"\b" + loose), re.compile(strict)) for loose, strict in _MARKED
)
_WORDS: Final = re.compile(rb"[a-z_.\-/:]*\Z")
_TELLING: Final = 8  # characters of a prefix that is not a beginning of an ordinary name

JWT: Final = rb"eyJ[A-Za-z0-9_\-]{4,}(?:\.[A-Za-z0-9_\-]*)+"
"""The expression of a JSON Web Token, whole or cut off (RFC 7519)."""
_JWT: Final = compile_bytes(rb"(?:^|[^A-Za-z0-9])(" + JWT + rb")")
_SCHEME: Final = compile_bytes(rb"(?i)\b(bearer|basic)[ \t]+([A-Za-z0-9_.~+/=-]{8,})")

PRIVATE_KEY: Final = rb"BEGIN [A-Z0-9 ]*PRIVATE KEY|Private-Lines:|PRIVATE KEY-----"
"""The expression of where a private key in text form may begin (RFC 7468)."""
_BEGIN: Final = compile_bytes(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|Private-Lines:")
_END: Final = compile_bytes(rb"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|Private-MAC:")


def tokens(data: bytes) -> Iterator[Span]:
    """Find the tokens of vendors, by their prefixes."""
    if _CLUE.find(data) is None:
        return
    for (_, end), given, rest in _TOKEN.each(data):
        if _is_token(data[slice(*given)], data[slice(*rest)].rstrip(b".:=/+")):
            yield given[0], end
    for loose, strict in _FORMS:
        for found, *_ in loose.each(data):
            if strict.fullmatch(data, *found):
                yield found


def _is_token(prefix: bytes, rest: bytes) -> bool:
    strict = _STRICT.get(prefix)
    if strict is not None:
        return strict[1].match(rest) is not None
    if len(rest) < _PREFIXES[prefix]:
        return False
    return len(prefix) >= _TELLING or _WORDS.match(rest) is None


def web_tokens(data: bytes) -> Iterator[Span]:
    """Find JSON Web Tokens."""
    for _, found in _JWT.each(data):
        yield found


def private_keys(data: bytes) -> Iterator[Span]:
    """Find private keys in text form, each to its end, or to the end of the text."""
    at = 0
    while begin := _BEGIN.find(data, at):
        start, stop = begin[0]
        end = _END.find(data, stop)
        at = end[0][1] if end else len(data)
        yield start, at


def credentials(data: bytes) -> Iterator[Span]:
    """Find credentials after ``Bearer`` and ``Basic``, but leave ``basic subscription`` alone."""
    for _, scheme, found in _SCHEME.each(data):
        given = data[slice(*found)]
        basic = data[slice(*scheme)].lower() == b"basic"
        if holds_login(given) if basic else not is_plain(given):
            yield found
