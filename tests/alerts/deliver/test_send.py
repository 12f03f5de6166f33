"""A partner's endpoint that is down, slow, answers 500, or takes the alert and drops the line."""

from __future__ import annotations

import base64
import json
import time

import pytest
from standardwebhooks import Webhook as Receiving
from standardwebhooks.webhooks import WebhookVerificationError

from cvlarray.alerts.deliver import Secrets, SendError, send_due
from cvlarray.alerts.deliver.gundi import GundiChannel
from cvlarray.alerts.deliver.webhook import Webhook, WebhookChannel, signature, webhook_body
from cvlarray.errors import DeliveryError
from tests.alerts.deliver.messages import TO, make_digest, make_evidence, make_message
from tests.alerts.deliver.receiver import SECRET, running_receiver

KEY = base64.b64decode(SECRET.removeprefix("whsec_"))


def channel_to(receiver, timeout_s=5.0):
    return WebhookChannel(receiver.url, KEY, timeout_s)


def fill(outbox, n, to=TO):
    for number in range(n):
        assert outbox.put(make_message(number, to=to), destination=to, partner="ranger")


def deliver(outbox, channels, **options):
    with outbox.delivering():
        return send_due(outbox, channels, **options)


def test_all_arrive_once_signed_as_the_specification_says(outbox, receiver):
    fill(outbox, 3)
    outbox.put(make_digest(7, 8), destination=TO, partner="ranger")
    attempts = deliver(outbox, {TO: channel_to(receiver)})
    assert [attempt.receipt for attempt in attempts] == ["status 200"] * 4
    assert sorted(receiver.seen.values()) == [1, 1, 1, 1]
    assert outbox.pending() == []
    assert deliver(outbox, {TO: channel_to(receiver)}) == []
    kinds = [message["type"] for message in receiver.messages]
    assert kinds == ["alert.created"] * 3 + ["digest.created"]
    digest = receiver.messages[-1]["data"]
    assert len(digest["features"]["features"]) == 2
    assert digest["subject"] == "digest: 2 more alerts"


@pytest.mark.parametrize("mood", ["500", "503", "drop", "drop_after", "302", "404", "429"])
def test_what_fails_is_sent_again_and_counted_once(mood, outbox, receiver):
    fill(outbox, 1)
    receiver.moods = [mood]
    (attempt,) = deliver(outbox, {TO: channel_to(receiver)})
    assert attempt.error
    assert deliver(outbox, {TO: channel_to(receiver)}) == []  # it waits first
    (entry,) = outbox.pending()
    waits = entry.not_before - time.time()
    assert (890 < waits <= 900) if mood == "429" else (15 < waits <= 30)
    outbox.try_all_now()
    (again,) = deliver(outbox, {TO: channel_to(receiver)})
    assert again.error is None
    assert outbox.pending() == []
    # A receiver that took it before it dropped the line is told by the id.
    assert list(receiver.seen) == [make_message().key]
    assert receiver.seen[make_message().key] == (2 if mood == "drop_after" else 1)
    assert len({headers["webhook-id"] for headers in receiver.headers}) == 1


def test_an_answer_cut_short_is_an_answer(outbox, receiver):
    fill(outbox, 1)
    receiver.moods = ["cut_answer"]
    (attempt,) = deliver(outbox, {TO: channel_to(receiver)})
    assert attempt.error is None


def test_a_slow_one_is_left_and_holds_up_no_other(outbox, receiver):
    fill(outbox, 1)
    fill(outbox, 2, to="other/webhook")
    with running_receiver() as slow:
        slow.moods = ["slow"]
        channels = {TO: channel_to(slow, 1.0), "other/webhook": channel_to(receiver)}
        attempts = deliver(outbox, channels)
    assert [attempt.entry.destination for attempt in attempts] == ["other/webhook"] * 2 + [TO]
    assert attempts[-1].error.startswith("no answer within 1 s: ")
    assert [entry.destination for entry in outbox.pending()] == [TO]


def test_one_that_is_down_is_left_after_three_in_a_row(outbox):
    fill(outbox, 6)
    gone = WebhookChannel("http://127.0.0.1:9/", KEY, 2.0)
    attempts = deliver(outbox, {TO: gone})
    assert len(attempts) == 3
    assert len(outbox.due()) == 3  # those that weren't tried
    assert "127.0.0.1" not in attempts[0].error


def test_a_message_that_is_refused_holds_up_no_other(outbox, receiver):
    fill(outbox, 6)
    receiver.moods = ["400"] * 5
    attempts = deliver(outbox, {TO: channel_to(receiver)})
    assert [attempt.error is None for attempt in attempts] == [False] * 5 + [True]


def test_a_clock_that_differs_is_named(outbox, receiver):
    fill(outbox, 1)
    receiver.moods = ["401"]
    (attempt,) = deliver(outbox, {TO: channel_to(receiver)})
    assert attempt.error.startswith("the receiver answered 401; its clock is +3")


def test_a_receiver_refuses_old_and_forged_requests(receiver):
    message = make_message()
    old = WebhookChannel(receiver.url, KEY, 5.0, clock=lambda: time.time() - 3600)
    with pytest.raises(SendError):
        old.send(message)
    body, now = webhook_body(message), str(int(time.time()))
    headers = {
        "webhook-id": message.key,
        "webhook-timestamp": now,
        "webhook-signature": signature(KEY, message.key, now, body),
    }
    assert Receiving(SECRET).verify(body, headers)["data"]["name"] == message.name
    for forged in (
        {**headers, "webhook-id": "other"},
        {**headers, "webhook-signature": signature(b"x" * 24, message.key, now, body)},
    ):
        with pytest.raises(WebhookVerificationError):
            Receiving(SECRET).verify(body, forged)
    with pytest.raises(WebhookVerificationError):
        Receiving(SECRET).verify(body.replace(b"mine_pit", b"mine_xxx"), headers)


def test_evidence_goes_as_one_package(outbox, receiver):
    message = make_evidence()
    outbox.put(message, destination=TO, partner="fiscalia")
    deliver(outbox, {TO: channel_to(receiver)})
    (attachment,) = receiver.messages[0]["data"]["attachments"]
    assert attachment["name"] == f"{message.name}.zip"
    assert base64.b64decode(attachment["content_base64"]) == message.attachments()[0].content


def test_gundi_gets_a_point_the_polygon_and_details(outbox, receiver):
    receiver.checks_signature = False
    receiver.answer = b'{"object_id": "af8e2946", "created_at": "2025-04-11T06:00:00Z"}'
    outbox.put(make_message(), destination=TO, partner="ranger")
    outbox.put(make_digest(3, 4), destination=TO, partner="ranger")
    gundi = GundiChannel(receiver.url, "key-123", "cvlarray_alert", 5.0)
    attempts = deliver(outbox, {TO: gundi})
    assert [attempt.receipt for attempt in attempts] == ["af8e2946"] * 2
    alert, digest = receiver.messages
    assert {headers["apikey"] for headers in receiver.headers} == {"key-123"}
    assert alert["event_type"] == "cvlarray_alert"
    assert alert["recorded_at"] == "2025-04-11T06:00:00+00:00"
    assert alert["priority"] == 300
    assert alert["geometry"] == json.loads(json.dumps(make_message().features[0]["geometry"]))
    assert alert["event_details"]["cvlarray_class"] == "mine_pit"
    assert -69.191 < alert["location"]["lon"] < -69.189
    assert digest["geometry"]["type"] == "MultiPolygon"
    assert digest["event_details"]["cvlarray_n_alerts"] == 2


def test_secrets_come_from_the_environment_and_are_never_told(outbox, receiver):
    secrets = Secrets({"HOOK": SECRET, "BAD": "whsec_c2hvcnQ="})
    settings = Webhook(partner="ranger", url=receiver.url, secret_env="HOOK")
    channel = settings.channel(secrets)
    assert SECRET not in repr(channel) + repr(secrets) + repr(settings)
    assert str(KEY) not in repr(channel)

    class Chatty:
        def send(self, message):
            raise SendError(f"could not use {SECRET}")

    fill(outbox, 1)
    (attempt,) = deliver(outbox, {TO: Chatty()}, hide=secrets.hide)
    assert attempt.error == "could not use ***"
    assert SECRET.encode() not in outbox.path.read_bytes()
    for name in ("ABSENT", "BAD"):
        with pytest.raises(DeliveryError, match=name) as caught:
            settings.model_copy(update={"secret_env": name}).channel(secrets)
        assert "c2hvcnQ" not in str(caught.value)


def test_an_unforeseen_error_loses_nothing(outbox):
    class Broken:
        def send(self, message):
            raise ZeroDivisionError("inside a library")

    fill(outbox, 1)
    (attempt,) = deliver(outbox, {TO: Broken()})
    assert attempt.error == "unforeseen ZeroDivisionError"
    assert len(outbox.pending()) == 1
