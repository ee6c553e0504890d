"""Connection strings, cookies and credentials in URLs: the secret goes, what helps at an incident stays."""

# ruff: noqa: E501  tables of texts read best as they are
from __future__ import annotations

import json

import pytest

from redaction import FinalScanner, Redactor

CONNECTIONS = {
    "SQL Server": (
        "Server=db-3;Database=pay;User Id=app;Password=P4ss-w0rd!x;Encrypt=true",
        "P4ss-w0rd!x",
        "Server=db-3",
    ),
    "ODBC": ("Driver={PostgreSQL};Server=db-3;Uid=app;Pwd=s3cr3t-x;", "s3cr3t-x", "Server=db-3"),
    "JDBC": ("jdbc:postgresql://db-3:5432/pay?user=app&password=s3cr3t-x&ssl=true", "s3cr3t-x", "db-3:5432/pay"),
    "JDBC of SQL Server": ("jdbc:sqlserver://db-3;user=sa;password=s3cr3t-x;encrypt=true", "s3cr3t-x", "db-3"),
    "libpq": ("host=db-3 port=5432 user=app password=s3cr3t-x dbname=pay", "s3cr3t-x", "host=db-3 port=5432"),
    "URL": ("postgresql://app:s3cr3t-x@db-3:5432/pay", "s3cr3t-x", "db-3:5432/pay"),
    "URL without a user": ("redis://:s3cr3t-x@cache-1:6379/0", "s3cr3t-x", "cache-1:6379/0"),
    "Go DSN": ("app:s3cr3t-x@tcp(db-3:3306)/pay", "s3cr3t-x", "db-3:3306"),
    "storage account": (
        "AccountName=pay;AccountKey=" + "aB3dE5gH7jK9mN1pQ3sT5vW7" * 2 + "==",
        "gH7jK9mN1pQ3sT",
        "AccountName=",
    ),
    "service bus": (
        "Endpoint=sb://pay.bus.example/;SharedAccessKeyName=root;SharedAccessKey=" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9b=",
        "gH7jK9mN1pQ3sT",
        "pay.bus.example",
    ),
}
COOKIES = {
    "request": ("GET /pay 200 Cookie: theme=dark; session=abc123def456", "abc123def456"),
    "answer": ("Set-Cookie: sid=abc123def456; Path=/; HttpOnly", "abc123def456"),
    "JSON": (json.dumps({"headers": {"Cookie": "sid=abc123def456; theme=dark"}}), "abc123def456"),
    "small letters": ("cookie=sid=abc123def456; theme=dark", "abc123def456"),
    "Java": ("headers={cookie=[JSESSIONID=abc123def456]}", "abc123def456"),
    "session key": ("level=info jsessionid=abc123def456 rc=05", "abc123def456"),
}


@pytest.mark.parametrize("name", CONNECTIONS)
def test_a_connection_string_keeps_its_host_and_loses_its_password(name: str, redactor: Redactor) -> None:
    text, secret, stays = CONNECTIONS[name]
    for written in (text, f'level=error msg="cannot connect: {text}"', json.dumps({"dsn": text}), f"dsn: {text}\n"):
        redacted = redactor.redact(written)
        assert secret not in redacted.text and "SECRET" in redacted.counts, redacted.text
        FinalScanner(classes=("SECRET",)).check(redacted.text, sink="test")
    assert stays in redactor.redact(text).text


@pytest.mark.parametrize("name", COOKIES)
def test_a_cookie_goes(name: str, redactor: Redactor) -> None:
    text, secret = COOKIES[name]
    redacted = redactor.redact(text)
    assert secret not in redacted.text and "SECRET" in redacted.counts, redacted.text


SAD_FORMS = (
    "{key}=917", '"{key}": "917"', '"{key}":917', "'{key}': '917'", "<{key}>917</{key}>", "<{key}><![CDATA[917]]></{key}>", '<card {key}="917"/>',
    '<Data Name="{key}">917</Data>', '<param name="{key}" value="917"/>', '{{"name":"{key}","value":"917"}}', '{{"{key}":{{"value":"917"}}}}',
    "--{key} 917", "--{key}=917", "{key} => 917", "{key}|917", "[{key}] 917", "{key}(917)", "{key} := 917", "&{key}=917&x=1", "{key}%3D917",
    '\\"{key}\\": \\"917\\"', "Card({key}=917, x=1)", "map[{key}:917 x:1]", "{{Number:1 {key}:917}}", 's:3:"{key}";s:3:"917";',
    '["{key}"]=> string(3) "917"', "{key}: !!str 917", "{key}:\n  917\n", 'name="{key}"\r\n\r\n917\r\n', "&lt;{key}&gt;917&lt;/{key}&gt;",
)  # fmt: skip


@pytest.mark.parametrize("key", ["cvv", "cvc2", "cid", "cardCvv", "card.security_code", "verification_value"])
def test_a_verification_value_goes_under_its_key_in_every_notation(key: str, redactor: Redactor) -> None:
    left = [form for form in SAD_FORMS if "917" in redactor.redact(form.format(key=key)).text]
    assert not left
