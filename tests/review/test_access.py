"""Links and sessions: nobody gets in where they don't belong."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvlarray.errors import CvlarrayError
from cvlarray.review import ReviewDatabase, sign_link
from cvlarray.review.access import (
    KEY_VARIABLE,
    LinkRefusedError,
    Visitor,
    open_link,
    read_key,
    read_session,
    sign_session,
)

KEY = "k" * 40
DAY = timedelta(days=1)


@pytest.fixture
def database(tmp_path):
    return ReviewDatabase(tmp_path / "review.db")


def test_a_link_opens_once_and_again_only_for_whom_it_let_in(database):
    token = sign_link(KEY, partner="Manu", reviewer="Ana", event_id="one", valid=DAY)
    visitor = open_link(database, KEY, token, None)
    assert (visitor.partner, visitor.reviewer, visitor.event_id) == ("Manu", "Ana", "one")
    assert open_link(database, KEY, token, visitor) == visitor
    stranger = open_link(database, KEY, sign_link(KEY, partner="Manu", valid=DAY), None)
    for session in (None, stranger):
        with pytest.raises(LinkRefusedError, match="link_used"):
            open_link(database, KEY, token, session)


def test_expired_and_foreign_links_open_nothing(database):
    with pytest.raises(LinkRefusedError, match="link_expired"):
        open_link(database, KEY, sign_link(KEY, partner="", valid=-DAY), None)
    with pytest.raises(LinkRefusedError, match="link_forged"):
        open_link(database, KEY, sign_link("x" * 40, partner="", valid=DAY), None)


TOKEN = sign_link(KEY, partner="Manu", valid=DAY)
COOKIE = sign_session(
    KEY, Visitor("session", "Manu", "Ana", None, (datetime.now(UTC) + DAY / 2).isoformat())
)


@pytest.fixture
def set_clock(monkeypatch):
    """Return a function that sets the clock of links and sessions, by how much it is off."""

    def set_to(off):
        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.now(tz) + off

        monkeypatch.setattr("cvlarray.review.access.datetime", Clock)

    return set_to


@pytest.mark.parametrize("off", [timedelta(minutes=-10), timedelta(minutes=10)])
def test_clocks_that_differ_a_little_keep_nobody_out(database, set_clock, off):
    token = sign_link(KEY, partner="Manu", valid=DAY)
    set_clock(off)
    cookie = sign_session(KEY, open_link(database, KEY, token, None))
    assert read_session(KEY, cookie).partner == "Manu"


def test_a_clock_set_back_lets_nobody_in_again(database, set_clock):
    token = sign_link(KEY, partner="Manu", valid=DAY)
    cookie = sign_session(KEY, open_link(database, KEY, token, None))
    for off in (DAY, -30 * DAY):  # expired; and then as if it were last month
        set_clock(off)
        assert read_session(KEY, cookie) is None
    with pytest.raises(LinkRefusedError, match="link_used"):
        open_link(database, KEY, token, None)


@given(at=st.integers(0, 60), letter=st.sampled_from("aZ0_.-"))
def test_a_changed_token_or_cookie_is_no_token_or_cookie(tmp_path_factory, at, letter):
    database = ReviewDatabase(tmp_path_factory.getbasetemp() / "forged.db")
    if TOKEN[at] != letter:
        with pytest.raises(LinkRefusedError, match="link_forged"):
            open_link(database, KEY, TOKEN[:at] + letter + TOKEN[at + 1 :], None)
    if COOKIE[at] != letter:
        assert read_session(KEY, COOKIE[:at] + letter + COOKIE[at + 1 :]) is None
    assert read_session(KEY, COOKIE) is not None
    database.close()


def test_a_cookie_opens_no_link_and_a_link_is_no_cookie(database):
    token = sign_link(KEY, partner="Manu", valid=DAY)
    cookie = sign_session(KEY, open_link(database, KEY, token, None))
    assert read_session(KEY, token) is None
    with pytest.raises(LinkRefusedError, match="link_forged"):
        open_link(database, KEY, cookie, None)


def test_looking_at_a_link_does_not_use_it_up(page):
    link = page.link("Manu")
    for _ in range(3):  # a mail scanner
        assert httpx.get(link).status_code == 200
    answer = httpx.post(link)
    assert answer.status_code == 303
    assert httpx.post(link).status_code == 403


def test_the_cookie_stays_with_the_browser_and_the_site(page):
    cookie = httpx.post(page.link()).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_without_a_session_there_is_nothing_but_a_sentence(page):
    answer = httpx.get(page.url, headers={"accept-language": "es-PE,es;q=0.9"})
    assert answer.status_code == 401
    assert "Abra el enlace" in answer.text
    for path in ("/api/alerts", "/api/cells", "/api/alerts/x", "/api/alerts/x/series"):
        assert httpx.get(page.url + path).status_code == 401


def test_the_key_is_the_environments_or_kept_for_its_owner(tmp_path, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    kept = read_key(tmp_path / "review")
    assert read_key(tmp_path / "review") == kept
    assert len(kept) >= 32
    assert stat.S_IMODE((tmp_path / "review" / "key").stat().st_mode) == 0o600
    monkeypatch.setenv(KEY_VARIABLE, "e" * 32)
    assert read_key(tmp_path / "review") == "e" * 32
    monkeypatch.setenv(KEY_VARIABLE, "short")
    with pytest.raises(CvlarrayError, match="32 characters or more, got 5"):
        read_key(tmp_path / "review")
