"""Measure what redaction finds, its false positives, and its cost.

    python benchmarks/redaction.py [--seed 1] [--negatives 2000]

Each secret is made from the seed, put into an event, and looked for in the bytes that would be
stored. Each negative kind is a form of value that must arrive unchanged.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import string
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from chained_logging.event.draft import draft
from chained_logging.redact import Redactor

EVENT = {"action": "read", "actor": "user-1", "resource": "patient/456", "ip": "10.0.0.1"}
ALNUM = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + string.digits
HEX = "0123456789abcdef"
URLSAFE = ALNUM + "-_"
Secret = tuple[str, dict[str, Any], str]
TEXTS = ("{}", "using {} now", "export KEY={}", "see https://x.example/{}", '{{"note": "{}"}}')


def some(rng: random.Random, alphabet: str, count: int) -> str:
    """Return random characters, a digit among them."""
    return "".join(rng.choices(alphabet, k=count - 1)) + rng.choice("23456789")


# Vendor, prefix, alphabet, length: as the vendors publish them.
TOKENS = [
    *(("GitHub", f"gh{kind}_", ALNUM, 36) for kind in "pousr"),
    ("GitHub, fine-grained", "github_pat_", ALNUM + "_", 82),
    *(("GitLab", f"gl{kind}-", URLSAFE, 20) for kind in ("pat", "dt", "rt", "ptt", "soat")),
    *(("Slack", f"xox{kind}-", ALNUM, 40) for kind in "bpars"),
    ("Slack app", "xapp-1-", ALNUM, 60),
    *(
        ("Stripe", f"{kind}_{mode}_", ALNUM, 24)
        for kind in ("sk", "rk")
        for mode in ("live", "test")
    ),
    ("Stripe webhook", "whsec_", ALNUM, 32),
    *(("AWS", prefix, UPPER, 16) for prefix in ("AKIA", "ASIA")),
    ("Google API", "AIza", URLSAFE, 35),
    ("Google OAuth", "GOCSPX-", URLSAFE, 28),
    ("Google access", "ya29.", URLSAFE, 100),
    ("OpenAI", "sk-proj-", URLSAFE, 64),
    ("OpenAI, old", "sk-", ALNUM, 48),
    ("Anthropic", "sk-ant-api03-", URLSAFE, 95),
    ("npm", "npm_", ALNUM, 36),
    ("PyPI", "pypi-AgEIcHlwaS5vcmc", URLSAFE, 120),
    ("Twilio", "SK", HEX, 32),
    ("Mailgun", "key-", HEX, 32),
    *(("Shopify", f"shp{kind}_", HEX, 32) for kind in ("at", "ca", "pa", "ss")),
    ("Square", "sq0atp-", URLSAFE, 22),
    ("DigitalOcean", "dop_v1_", HEX, 64),
    ("Databricks", "dapi", HEX, 32),
    ("Vault", "hvs.", URLSAFE, 90),
    ("Atlassian", "ATATT3xFfGF0", URLSAFE, 180),
    ("Hugging Face", "hf_", string.ascii_letters, 34),
    ("Linear", "lin_api_", ALNUM, 40),
    ("Notion", "ntn_", ALNUM, 46),
    ("Figma", "figd_", URLSAFE, 40),
    ("Grafana", "glsa_", ALNUM, 41),
    ("New Relic", "NRAK-", UPPER, 27),
    ("Sentry", "sntrys_", ALNUM, 60),
    ("PlanetScale", "pscale_tkn_", URLSAFE, 43),
    ("Supabase", "sbp_", HEX, 40),
    ("Docker", "dckr_pat_", URLSAFE, 27),
    ("age", "AGE-SECRET-KEY-1", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
    ("Postman", "PMAK-", HEX, 59),
    ("RubyGems", "rubygems_", HEX, 48),
    ("Tailscale", "tskey-auth-", ALNUM, 30),
    ("Doppler", "dp.pt.", ALNUM, 43),
]
NAMES = (
    *("password", "passwd", "pwd", "db_pass", "userPassword", "new-password", "password2"),
    *("password_confirmation", "PGPASSWORD", "passphrase", "kennwort", "contrasena", "senha"),
    *("secret", "client_secret", "clientSecret", "token", "access_token", "refreshToken"),
    *("id_token", "csrf_token", "apiKey", "X-API-Key", "api.key", "private_key", "sshKey"),
    *("secret_access_key", "encryption_key", "authorization", "cookie", "Set-Cookie", "jwt"),
    *("otp", "otp_code", "backup_codes", "cvv", "pin", "card_number", "ssn", "maiden_name"),
    *("security_answer", "seed_phrase", "PHPSESSID", "user[password]", "password_hash"),
)


def vendor_tokens(rng: random.Random) -> Iterator[Secret]:
    for number, (vendor, prefix, alphabet, count) in enumerate(TOKENS):
        token = prefix + some(rng, alphabet, count).replace("--", "-a")
        yield vendor, {"note": TEXTS[number % len(TEXTS)].format(token)}, token
    token = f"SG.{some(rng, URLSAFE, 22)}.{some(rng, URLSAFE, 43)}"
    yield "SendGrid", {"note": token}, token
    token = f"{rng.randrange(10**9, 10**10)}:AA{some(rng, URLSAFE, 33)}"
    yield "Telegram", {"note": f"https://api.telegram.org/bot{token}/getMe"}, token[12:]
    token = f"M{some(rng, ALNUM, 23)}.{some(rng, ALNUM, 6)}.{some(rng, ALNUM, 27)}"
    yield "Discord", {"note": token}, token
    hook = some(rng, ALNUM, 24)
    yield (
        "Slack hook",
        {"note": f"https://hooks.slack.com/services/T0AAAAAAA/B0AAAAAAA/{hook}"},
        hook,
    )
    token = f"{some(rng, ALNUM, 14)}.atlasv1.{some(rng, ALNUM, 60)}"
    yield "Terraform", {"note": token}, token
    token = f"{some(rng, ALNUM, 3)}8Q~{some(rng, ALNUM, 34)}"
    yield "Azure client secret", {"note": token}, token


def named(rng: random.Random) -> Iterator[Secret]:
    for number, name in enumerate(NAMES):
        value = f"{some(rng, ALNUM, 12)}"
        event: dict[str, Any] = [
            {name: value},
            {"form": {name: value}},
            {"rows": [{"a": ({name: [value]},)}]},
            {"headers": [[name, value]]},
            {"body": json.dumps({"user": "ann", name: value})},
        ][number % 5]
        yield f"name {name}", event, value


def shapes(rng: random.Random) -> Iterator[Secret]:
    def make(kind: str, build: Callable[[str], Any], name: str = "note") -> Secret:
        value = some(rng, ALNUM, 12)
        return kind, {name: build(value)}, value

    for kind, template in {
        "query": "GET /a?user=ann&password={}&x=1",
        "form": "user=ann&token={}",
        "spaces": "password = {}",
        "YAML": "user: ann\npassword: {}\nx: 1",
        "YAML list": "env:\n  - db_password: {}",
        "properties": "db.password={}",
        "ini": "[db]\npassword={}\n",
        "repr": "{{'user': 'ann', 'password': '{}'}}",
        "tuple": "[('password', '{}')]",
        "sentence": "the password is {}.",
        "sentence with colon": "Temporary password: {}",
        "changed to": "password changed to {} by ann",
        "GraphQL": 'mutation {{ login(user: "a", password: "{}") {{ id }} }}',
        "XML": "<login><user>a</user><password>{}</password></login>",
        "XML attribute": '<db user="a" password="{}"/>',
        "SOAP": '<wsse:Password Type="x">{}</wsse:Password>',
        "SQL": "ALTER ROLE bob WITH PASSWORD '{}'",
        "MySQL": "CREATE USER a IDENTIFIED BY '{}'",
        "option": "mysqldump --password={} db",
        "option and blank": "tool --api-key {} run",
        "short option": "mysql -uroot -p{} db",
        "sshpass": "sshpass -p {} ssh h",
        "curl": "curl -u ann:{} https://x",
        "curl header": "curl -H 'X-Api-Key: {}' https://x",
        "environment": "DB_PASSWORD={} python app.py",
        "header": "POST / HTTP/1.1\r\nAuthorization: Token {}\r\n\r\n",
        "cookie": "Cookie: session={}; theme=dark",
        "bearer": "sent Bearer {}",
        "libpq": "host=db user=a password={} dbname=x",
        "libpq, quoted": "host=db password='{} x' dbname=x",
        "ADO": "Server=db;User Id=sa;Password={};Encrypt=true",
        "ODBC": "DRIVER=x;UID=sa;PWD={{{}}}",
        "JDBC": "jdbc:mysql://db/x?user=a&password={}",
        "PostgreSQL URL": "postgresql://ann:{}@db:5432/x",
        "MongoDB": "mongodb+srv://ann:{}@c.example/x",
        "Redis": "redis://:{}@cache:6379/0",
        "AMQP with a slash": "amqp://ann:a/{}@mq//",
        "git": "git clone https://oauth2:{}@host/r.git",
        "Service Bus": "Endpoint=sb://x/;SharedAccessKeyName=root;SharedAccessKey={}abc=",
        "multipart": '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n{}\r\n--b--',
        "S3, signed": "https://b.s3.example/o?X-Amz-Date=1&X-Amz-Signature={}",
        "GCS, signed": "https://storage.example/o?X-Goog-Signature={}&x=1",
        "Azure SAS": "https://a.blob.example/c?sv=2022&sig={}abcdef%3D",
        "CloudFront": "https://d.example/o?Expires=1&Signature={}abcdef&Key-Pair-Id=K1",
        "escaped JSON": 'got "{{\\"password\\":\\"{}\\"}}"',
    }.items():
        yield make(kind, template.format)
    yield make("argv", lambda v: ["tool", "--password", v])
    yield make("raw headers", lambda v: ["Host", "x", "Authorization", f"Token {v}"])
    yield make("ASGI headers", lambda v: [[b"authorization", b"Token " + v.encode()]])
    yield make("name and value", lambda v: [{"name": "DB_PASSWORD", "value": v}])
    yield make("bytes", lambda v: json.dumps({"password": v}).encode())
    yield make("percent-encoded", lambda v: "next=" + quote(f"/a?token={v}", safe=""))
    yield make("exception", lambda v: ValueError(f"login failed: password={v}"))
    yield make("OAuth code", lambda v: f"/callback?code={v}&state=x", "url")
    value = base64.b64encode(b"ann:" + some(rng, ALNUM, 12).encode()).decode()
    yield "basic", {"note": f"Authorization: Basic {value}"}, value
    value = base64.b64encode(json.dumps({"password": some(rng, ALNUM, 12)}).encode()).decode()
    yield "base64", {"note": value}, value
    parts = [base64.urlsafe_b64encode(rng.randbytes(n)).decode().rstrip("=") for n in (30, 32)]
    jwt = f"eyJhbGciOiJIUzI1NiJ9.{parts[0]}.{parts[1]}"
    yield "JWT", {"note": f"https://x/#t={jwt}"}, parts[1]
    key = base64.b64encode(rng.randbytes(60)).decode()
    for kind in ("RSA ", "OPENSSH ", "EC ", ""):
        block = f"-----BEGIN {kind}PRIVATE KEY-----\n{key}\n-----END {kind}PRIVATE KEY-----"
        yield f"PEM {kind}", {"note": block}, key


def luhn(digits: str) -> str:
    """Return digits with their check digit."""
    total = sum(
        sum(divmod(int(digit) * (2 - at % 2), 10)) for at, digit in enumerate(reversed(digits))
    )
    return digits + str(-total % 10)


def numbers(rng: random.Random) -> Iterator[Secret]:
    for network, prefix, count in (
        *(("Visa", "4", 16), ("Mastercard", "53", 16), ("American Express", "37", 15)),
        *(("Discover", "6011", 16), ("JCB", "3530", 16), ("UnionPay", "62", 16)),
    ):
        number = luhn(prefix + "".join(rng.choices(string.digits, k=count - len(prefix) - 1)))
        yield network, {"note": f"paid with {number}"}, number
        if count == 16:
            grouped = rng.choice(" -").join(number[at : at + 4] for at in range(0, 16, 4))
            yield f"{network}, grouped", {"note": grouped}, grouped
        yield f"{network}, as a number", {"n": int(number)}, number
    for iban in ("DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606"):
        yield "IBAN", {"note": f"to {iban}"}, iban
    yield "IBAN, grouped", {"note": "to DE89 3704 0044 0532 0130 00 today"}, "0532 0130"
    yield "SSN", {"note": "born 1970, 219-09-9999"}, "219-09-9999"


def secrets(seed: int) -> list[Secret]:
    """Return all secrets: kind, event, and what must not be stored."""
    rng = random.Random(seed)
    return [*vendor_tokens(rng), *named(rng), *shapes(rng), *numbers(rng)]


def _moment(rng: random.Random) -> datetime:
    return datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.random() * 2e8)


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(string.digits, k=count))


def _ean13(rng: random.Random) -> str:
    body = _digits(rng, 12)
    return body + str(-sum(int(d) * (1 + 2 * (at % 2)) for at, d in enumerate(body)) % 10)


def _fours(digits: str) -> str:
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))


NEGATIVES: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "coordinates": lambda r: {"note": f"{r.uniform(-90, 90):.7f}, {r.uniform(-180, 180):.7f}"},
    "coordinates, blank": lambda r: {"note": f"{r.uniform(-90, 90):.6f} {r.uniform(0, 180):.6f}"},
    "latitude as a number": lambda r: {"lat": r.uniform(-90, 90), "lon": r.uniform(-180, 180)},
    "EAN-13": lambda r: {"note": _ean13(r)},
    "EAN-13 as a number": lambda r: {"ean": int(_ean13(r))},
    "parcel, 12 digits": lambda r: {"note": f"parcel {_fours(_digits(r, 12))}"},
    "parcel, 16 digits": lambda r: {"note": f"parcel {_fours(_digits(r, 16))} left"},
    "parcel, 20 digits": lambda r: {"note": _fours(_digits(r, 20))},
    "parcel, 22 digits": lambda r: {"note": _fours("94" + _digits(r, 20))},
    "snowflake": lambda r: {"note": str(r.randrange(10**17, 2 * 10**18))},
    "snowflake as an actor": lambda r: {"actor": str(r.randrange(4 * 10**15, 10**18))},
    "identifier of 16 digits": lambda r: {"order_id": _digits(r, 16)},
    "UUID": lambda r: {"note": str(uuid.UUID(int=r.getrandbits(128), version=4))},
    "git hash": lambda r: {"note": f"at {r.randbytes(20).hex()}"},
    "SHA-256": lambda r: {"digest": f"sha256:{r.randbytes(32).hex()}"},
    "telephone": lambda r: {"note": f"+49 {_digits(r, 4)} {_digits(r, 4)} {_digits(r, 4)}"},
    "telephone, US": lambda r: {"note": f"({_digits(r, 3)}) {_digits(r, 3)}-{_digits(r, 4)}"},
    "timestamp": lambda r: {
        "at": _moment(r).isoformat(),
        "note": f"{_moment(r):%Y-%m-%d %H:%M:%S}",
    },
    "Unix time": lambda r: {
        "ms": int(_moment(r).timestamp() * 1000),
        "us": r.randrange(10**15, 2 * 10**15),
    },
    "IP addresses": lambda r: {
        "note": ", ".join(f"10.{r.randrange(256)}.{r.randrange(256)}.7" for _ in "ab")
    },
    "amounts": lambda r: {
        "note": f"{r.randrange(10**6):,}.{r.randrange(100):02} EUR of {r.random() * 1e6:.2f}"
    },
    "words beside a name": lambda r: {"note": r.choice(SENTENCES)},
    "parameters": lambda r: {"note": r.choice(PARAMETERS).format(r.randrange(1, 100))},
    "names only": lambda r: {"fields": r.sample(["name", "password", "token", "email", "pin"], 3)},
    "user agent": lambda r: {
        "user_agent": f"Mozilla/5.0 (X11; Linux x86_64; rv:{r.randrange(60, 140)}.0) Gecko/20100101"
    },
    "URL": lambda r: {
        "url": f"https://x.example/p/{r.randrange(10**9)}?page={r.randrange(99)}&q=a%20b"
    },
    "ETag": lambda r: {"etag": f'W/"{r.randbytes(16).hex()}"'},
    "version": lambda r: {
        "note": f"v{r.randrange(20)}.{r.randrange(100)}.{r.randrange(1000)}-rc.{r.randrange(9)}"
    },
    "random base64": lambda r: {"blob": base64.b64encode(r.randbytes(60)).decode()},
    "ARN": lambda r: {
        "note": f"arn:aws:secretsmanager:x:{_digits(r, 12)}:secret:app/db-{some(r, ALNUM, 6)}"
    },
}
SENTENCES = (
    "reset password: user forgot it",
    "the password is required",
    "password must have at least 12 characters",
    "the token was revoked by an administrator",
    "basic subscription of the bearer",
    "pin the message to the board",
    "a secret of the trade",
)
PARAMETERS = (
    *("auth=ok n={}", "token_count={}", "password_changed=true n={}", "max_tokens={}"),
    *("has_password=false n={}", "passed={} failed=3", "token_type=bearer n={}", "pinned={}"),
    *("password_length={}", "tokens: {}", "secret_name=db{}", "author=ann{}", "compass={}"),
)


def stored(event: dict[str, Any], redact: Redactor | None) -> bytes:
    """Return the bytes of the fields that an event becomes, without what differs each time."""
    fields = json.loads(draft({**EVENT, **event}, redact=redact).body(1, "0" * 64))
    del fields["id"]
    if "timestamp" not in event:
        del fields["timestamp"]
    return json.dumps(fields, ensure_ascii=False).encode()


def missed(seed: int, redact: Redactor) -> list[str]:
    """Return the kinds of the secrets that would be stored."""
    found = []
    for kind, event, secret in secrets(seed):
        data = stored(event, redact)
        if secret.encode() in data or base64.b64encode(secret.encode()) in data:
            found.append(kind)
    return found


def false_positives(seed: int, count: int, redact: Redactor) -> dict[str, float]:
    """Return which part of each negative kind does not arrive unchanged."""
    rng = random.Random(seed)
    return {
        kind: sum(stored(e, redact) != stored(e, None) for e in (make(rng) for _ in range(count)))
        / count
        for kind, make in NEGATIVES.items()
    }


def main() -> None:
    """Print recall, false positives and the time for long texts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="What the values are made from.")
    parser.add_argument("--negatives", type=int, default=2000, help="How many of each kind.")
    options = parser.parse_args()
    redact = Redactor()
    total, lost = len(secrets(options.seed)), missed(options.seed, redact)
    print(f"{total - len(lost)} of {total} secrets found; not: {', '.join(lost) or '-'}")
    for kind, part in false_positives(options.seed, options.negatives, redact).items():
        print(f"{kind:26} {part:7.2%} taken for a secret")
    for text in ("password=", "a=[", "4111 ", "://", "%70in%3D1 ", "x"):
        long = (text * 65_536)[:65_536]
        took = []
        for _ in range(3):
            began = time.process_time()
            redact({"action": "read", "note": long})
            took.append(time.process_time() - began)
        print(f"64 KiB of {text!r:14} {min(took) * 1000:6.1f} ms")


if __name__ == "__main__":
    main()
