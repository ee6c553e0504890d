"""Sessions end by themselves, can be ended, cannot be made or changed in the database, and are seen by replicas."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from assistant.errors import SettingsError
from assistant.notebook.database import open_database
from assistant.settings import Settings, Web, Workflow
from assistant.web.access.open import session_key
from assistant.web.access.person import person
from assistant.web.access.sessions import Sessions, sessions
from tests.doubles import postgres
from tests.fakes.clock import StandingClock

KEY = b"k" * 32
ADA = person("oidc:ada@idp", "Ada", ["auditor"])


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def store(tmp_path: Path, clock: StandingClock) -> Iterator[Sessions]:
    database = open_database("", state=tmp_path)
    made = Sessions(database, key=KEY, moment=lambda c: clock.at)
    made.prepare()
    yield made
    database.close()


def again(store: Sessions, key: bytes = KEY) -> Sessions:
    return Sessions(store._db, key=key, moment=store._moment)


def test_a_session_is_found_with_its_person(store: Sessions) -> None:
    cookie, begun = store.begin(ADA, how="oidc")
    found = again(store).find(cookie, active=True)
    assert found == begun
    assert found is not None and found.person == ADA


@pytest.mark.parametrize("change", ["", "x", "cut", "longer", "other signature"])
def test_a_changed_cookie_is_none(store: Sessions, change: str) -> None:
    cookie, _ = store.begin(ADA, how="oidc")
    value, _, signature = cookie.rpartition(".")
    other = again(store, b"o" * 32).begin(ADA, how="oidc")[0]
    given = {"": "", "x": "x", "cut": value, "longer": cookie + "x", "other signature": other}[change]
    assert store.find(given, active=True) is None
    assert signature


def test_it_ends_fifteen_minutes_after_the_last_use(store: Sessions, clock: StandingClock) -> None:
    cookie, _ = store.begin(ADA, how="oidc")
    for _ in range(10):
        clock.move(14 * 60)
        assert store.find(cookie, active=True) is not None
    clock.move(15 * 60 + 1)
    assert store.find(cookie, active=True) is None


def test_a_stream_is_no_use(store: Sessions, clock: StandingClock) -> None:
    cookie, _ = store.begin(ADA, how="oidc")
    for _ in range(14):
        clock.move(60)
        assert store.find(cookie, active=False) is not None
    clock.move(61)
    assert store.find(cookie, active=False) is None


def test_it_ends_after_eight_hours_however_much_it_is_used(store: Sessions, clock: StandingClock) -> None:
    cookie, _ = store.begin(ADA, how="oidc")
    for _ in range(8 * 6):
        clock.move(600)
        assert store.find(cookie, active=True) is not None
    clock.move(1)
    assert store.find(cookie, active=True) is None


@pytest.mark.parametrize(
    "values",
    [
        {"roles": '["auditor","commander","responder"]'},
        {"person": "oidc:eve@idp"},
        {"ends_at": 9e12},
        {"csrf": "known"},
        {"mac": "0" * 64},
    ],
)
def test_who_can_write_to_the_database_gains_nothing(store: Sessions, values: dict[str, object]) -> None:
    cookie, _ = store.begin(ADA, how="oidc")
    with store._db.write() as c:
        c.execute(sa.update(sessions).values(**values))
    assert store.find(cookie, active=True) is None


def test_sessions_can_be_ended_from_outside(store: Sessions) -> None:
    mine, _ = store.begin(ADA, how="oidc")
    other, _ = store.begin(person("oidc:bob@idp", "Bob", ["responder"]), how="oidc")
    assert [o.name for o in store.end_all("oidc:ada@idp")] == ["Ada"]
    assert store.find(mine, active=True) is None
    assert store.find(other, active=True) is not None
    assert [o.name for o in store.all()] == ["Bob"]
    store.end_all()
    assert store.all() == ()


def test_what_is_over_is_forgotten(store: Sessions, clock: StandingClock) -> None:
    store.begin(ADA, how="oidc")
    store.spend("state", span_s=600)
    clock.move(3600)
    store.tidy()
    with store._db.read() as c:
        assert c.execute(sa.select(sa.func.count()).select_from(sessions)).scalar() == 0
    assert store.spend("state", span_s=600)
    assert set(store.names()) == {"oidc:ada@idp"}
    store.forget("oidc:ada@idp")
    assert not store.names()


def test_the_database_holds_no_cookie(store: Sessions, tmp_path: Path) -> None:
    cookie, _ = store.begin(ADA, how="oidc")
    value = cookie.rpartition(".")[0].encode()
    assert not any(value in p.read_bytes() for p in tmp_path.glob("live.sqlite*"))


def test_an_own_key_is_made_once_for_its_owner(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path, web=Web(login="oidc"))
    first = session_key(settings)
    assert session_key(settings) == first
    assert len(first) == 64
    assert stat.S_IMODE((tmp_path / "keys" / "session.key").stat().st_mode) == 0o600


def test_replicas_must_be_given_one_key(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="one session key; set"):
        session_key(Settings(state=tmp_path, workflow=Workflow(url="postgresql://x/y")))
    (tmp_path / "short").write_text("short")
    with pytest.raises(SettingsError, match="openssl rand -hex 32"):
        session_key(Settings(state=tmp_path, web=Web(session_key_file=str(tmp_path / "short"))))


@pytest.mark.live
def test_two_replicas_share_sessions_and_attempts(tmp_path: Path) -> None:
    with postgres.running() as server:
        url = server.create_database("sessions")
        first, second = (Sessions(open_database(url, state=tmp_path), key=KEY) for _ in range(2))
        first.prepare(), second.prepare()
        cookie, begun = first.begin(ADA, how="oidc")
        found = second.find(cookie, active=True)
        assert found is not None and (found.person, found.csrf) == (ADA, begun.csrf)
        second.end(begun.key)
        assert first.find(cookie, active=True) is None

        won: list[bool] = []

        def race(store: Sessions) -> None:
            won.append(store.spend("state", span_s=60))

        racers = [threading.Thread(target=race, args=(store,)) for store in (first, second) * 4]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        assert sorted(won) == [False] * 7 + [True]
        first._db.close(), second._db.close()
