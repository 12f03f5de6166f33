"""Folders, mail, the feed and buckets: a message that comes twice is there once."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import json
from contextlib import contextmanager
from dataclasses import replace
from xml.etree import ElementTree as ET

import geopandas as gpd
import pystac
import pytest
import shapely
from aiosmtpd.controller import Controller
from pydantic import TypeAdapter, ValidationError

from cvlarray.alerts.deliver import AnyChannel, Secrets, SendError
from cvlarray.alerts.deliver.directory import DirectoryChannel
from cvlarray.alerts.deliver.feed import FeedChannel
from cvlarray.alerts.deliver.mail import Mail
from cvlarray.alerts.deliver.object_store import ObjectStoreChannel
from cvlarray.alerts.evidence import verify_package
from cvlarray.alerts.package import read_package, zip_bytes
from cvlarray.alerts.route import PackageFormat
from cvlarray.errors import DeliveryError
from tests.alerts.deliver.messages import NOW, make_digest, make_evidence, make_message
from tests.alerts.dossiers import make_dossier


class TestDirectory:
    def test_a_message_is_a_folder_and_stays_one(self, tmp_path):
        channel = DirectoryChannel(tmp_path / "partner")
        message = make_message(form=PackageFormat.KML)
        assert channel.send(message) == channel.send(message)
        assert [path.name for path in (tmp_path / "partner").iterdir()] == [message.name]
        assert read_package(tmp_path / "partner" / message.name) == message.files

    def test_evidence_can_be_verified_where_it_lies(self, tmp_path):
        message = make_evidence()
        folder = DirectoryChannel(tmp_path).send(message)
        assert verify_package(tmp_path / folder).is_intact

    def test_other_files_of_the_same_name_are_refused(self, tmp_path):
        channel = DirectoryChannel(tmp_path)
        folder = channel.send(make_message())
        (tmp_path / folder / "alert.geojson").write_text("{}")
        with pytest.raises(SendError, match="there already with other files") as caught:
            channel.send(make_message())
        assert caught.value.is_refusal

    def test_a_folder_that_cannot_be_written(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(SendError):
            DirectoryChannel(tmp_path / "file").send(make_message())


class Mailbox:
    """Keeps mails by Message-ID; may refuse, fail, or hang up after it took one."""

    def __init__(self):
        self.mails = {}
        self.n_taken = 0
        self.moods = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 (aiosmtpd's name)
        mood = self.moods.pop(0) if self.moods else "ok"
        if mood.isdecimal():
            return f"{mood} no"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.n_taken += 1
        self.mails[mail["Message-ID"]] = mail
        if mood == "hang_up":
            server.transport.abort()
        return "250 OK"


class AnyPort(Controller):
    """Asks itself for an answer on the port that the system gave it."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def running_mailbox():
    mailbox = Mailbox()
    controller = AnyPort(mailbox, hostname="127.0.0.1", port=0, ready_timeout=60)
    controller.start()
    mailbox.port = controller.port
    try:
        yield mailbox
    finally:
        controller.stop()


class TestMail:
    @pytest.fixture
    def mailbox(self):
        with running_mailbox() as running:
            yield running

    @pytest.fixture
    def channel(self, mailbox):
        settings = Mail(
            partner="ranger",
            to="guardaparques@example.org",
            sender="alertas@lab.example.org",
            host="127.0.0.1",
            port=mailbox.port,
            encryption="none",
            timeout_s=5.0,
        )
        return settings.channel(Secrets({}))

    def test_what_a_ranger_gets(self, mailbox, channel):
        receipt = channel.send(make_message(form=PackageFormat.KML))
        mail = mailbox.mails[receipt]
        assert receipt == f"<{make_message().key}@lab.example.org>"
        assert mail["Date"].datetime == make_message().created_at
        assert "high mine_pit: 4.64 ± 0.35 ha" in mail["Subject"]
        assert "https://review.example.org" in mail.get_body().get_content()
        attached = {part.get_filename(): part.get_content() for part in mail.iter_attachments()}
        assert sorted(attached) == [
            "alert.geojson", "alert.kml", "chips_after.png", "chips_before.png",
        ]  # fmt: skip
        assert attached["alert.kml"] == make_message(form=PackageFormat.KML).files["alert.kml"]

    @pytest.mark.parametrize(("mood", "is_refusal"), [("451", False), ("550", True)])
    def test_refused_for_now_and_for_good(self, mood, is_refusal, mailbox, channel):
        mailbox.moods = [mood]
        with pytest.raises(SendError, match=f"code {mood}") as caught:
            channel.send(make_message())
        assert caught.value.is_refusal == is_refusal
        channel.send(make_message())
        assert len(mailbox.mails) == 1

    def test_taken_and_hung_up(self, mailbox, channel):
        mailbox.moods = ["hang_up"]
        with pytest.raises(SendError):
            channel.send(make_message())
        channel.send(make_message())
        assert mailbox.n_taken == 2
        assert len(mailbox.mails) == 1  # the Message-ID tells that it is one

    def test_a_server_without_encryption_gets_no_mail(self, mailbox, channel):
        settings = channel.settings.model_copy(update={"encryption": "starttls"})
        with pytest.raises(SendError, match="can't be reached"):
            settings.channel(Secrets({})).send(make_message())
        assert mailbox.mails == {}

    def test_a_subject_cannot_add_headers(self, mailbox, channel):
        dossier = make_dossier(**{"class": "pit\r\nBcc: all@example.org"})
        message = make_message()
        object.__setattr__(message, "subject", f"{dossier.properties['class']}")
        mail = mailbox.mails[channel.send(message)]
        assert mail["Bcc"] is None
        assert mail["Subject"] == "pit Bcc: all@example.org"


class TestFeed:
    def test_atom_geojson_and_stac(self, tmp_path):
        feed = FeedChannel(tmp_path, "https://alerts.example.org/sernanp")
        for message in (make_message(0), make_message(1), make_digest(2, 3), make_message(0)):
            feed.send(message)
        feed.send(make_message(1, version="2"))

        root = ET.fromstring((tmp_path / "feed.atom").read_bytes())
        names = {"a": "http://www.w3.org/2005/Atom", "g": "http://www.georss.org/georss"}
        ids = [each.text for each in root.iterfind("a:entry/a:id", names)]
        assert len(ids) == len(set(ids)) == 4
        for tag in ("a:id", "a:title", "a:updated", "a:author/a:name"):
            assert root.find(tag, names).text
        for link in root.iterfind("a:entry/a:link[@rel='enclosure']", names):
            path = link.get("href").removeprefix("https://alerts.example.org/sernanp/")
            assert read_package(tmp_path / path)
        (first, *_) = root.iterfind("a:entry/g:polygon", names)
        numbers = [float(text) for text in first.text.split()]
        corners = list(zip(numbers[1::2], numbers[::2], strict=True))
        outlines = [make_dossier(n).geometry for n in range(4)]
        assert any(
            shapely.Polygon(corners).equals(shapely.Polygon(each.exterior)) for each in outlines
        )

        table = gpd.read_file(tmp_path / "alerts.geojson")
        assert table["event_id"].is_unique
        assert table.set_index("event_id")["version"].to_dict() == {
            make_dossier(n).event_id: "2" if n == 1 else "1" for n in range(4)
        }

        collection = pystac.Collection.from_file(tmp_path / "collection.json")
        items = sorted(collection.get_items(), key=lambda item: item.id)
        assert [item.id for item in items] == [
            make_dossier(n, version="2" if n == 1 else "1").name for n in range(4)
        ]
        assert all(
            read_package((tmp_path / "items" / item.assets["package"].href).resolve())
            for item in items
        )
        assert items[0].get_collection().id == collection.id

    def test_old_entries_are_in_pages_that_stay(self, tmp_path, monkeypatch):
        monkeypatch.setattr("cvlarray.alerts.deliver.feed_documents.PAGE_ENTRIES", 3)
        url = "https://alerts.example.org/sernanp"
        messages = [
            replace(make_message(n), created_at=NOW + dt.timedelta(hours=n)) for n in range(13)
        ]
        feed = FeedChannel(tmp_path, url)
        for message in messages[:10]:
            feed.send(message)
        archived = {path: path.read_bytes() for path in (tmp_path / "archive").iterdir()}
        assert len(archived) == 2 * 2
        again = FeedChannel(tmp_path, url)  # by the next delivery
        for message in messages[9:]:
            again.send(message)
        assert all(path.read_bytes() == content for path, content in archived.items())

        names = {
            "a": "http://www.w3.org/2005/Atom",
            "fh": "http://purl.org/syndication/history/1.0",
        }
        found, path = [], "feed.atom"
        while path is not None:
            root = ET.fromstring((tmp_path / path).read_bytes())
            assert root.find("a:link[@rel='self']", names).get("href") == f"{url}/{path}"
            assert (root.find("fh:archive", names) is None) == (path == "feed.atom")
            entries = [each.text for each in root.iterfind("a:entry/a:id", names)]
            assert 3 <= len(entries) <= 5
            found += entries
            link = root.find("a:link[@rel='prev-archive']", names)
            path = None if link is None else link.get("href").removeprefix(f"{url}/")
        assert found == [f"urn:cvlarray:message:{each.key}" for each in reversed(messages)]

        told, path = [], "alerts.geojson"
        while path is not None:
            table = gpd.read_file(tmp_path / path)
            told += table["event_id"].tolist()
            links = json.loads((tmp_path / path).read_text())["links"]
            older = [each["href"] for each in links if each["rel"] == "prev-archive"]
            path = older[0].removeprefix(f"{url}/") if older else None
        assert sorted(told) == sorted(make_dossier(n).event_id for n in range(13))
        items = pystac.Collection.from_file(tmp_path / "collection.json").get_items()
        assert len(list(items)) == 13


class TestObjectStore:
    @staticmethod
    def listed(s3, bucket):
        found = s3.client().list_objects_v2(Bucket=bucket).get("Contents", [])
        return sorted(each["Key"] for each in found)

    def test_an_object_a_message_once(self, s3):
        bucket = s3.new_bucket()
        channel = ObjectStoreChannel(f"s3://{bucket}/alerts", s3.endpoint, 20.0)
        alert, digest = make_message(), make_digest(1, 2)
        for message in (alert, digest, alert):
            assert channel.send(message).startswith(f"s3://{bucket}/alerts/")
        keys = [f"alerts/{alert.name}.zip", f"alerts/{digest.name}.geojson"]
        assert self.listed(s3, bucket) == keys
        body = s3.client().get_object(Bucket=bucket, Key=keys[0])["Body"].read()
        assert body == zip_bytes(alert.files)
        s3.client().put_object(Bucket=bucket, Key=keys[0], Body=b"changed")
        with pytest.raises(SendError, match="there already with other content"):
            channel.send(alert)

    def test_no_bucket_and_no_server(self, s3):
        with pytest.raises(SendError, match="refused or is away"):
            ObjectStoreChannel("s3://absent", s3.endpoint, 20.0).send(make_message())
        with pytest.raises(SendError, match="refused or is away"):
            ObjectStoreChannel("s3://absent", "http://127.0.0.1:9", 5.0).send(make_message())


class TestSettings:
    """What the YAML may say."""

    @staticmethod
    def read(**settings):
        return TypeAdapter(AnyChannel).validate_python({"partner": "p", **settings})

    @pytest.mark.parametrize(
        ("settings", "reason"),
        [
            ({"kind": "pigeon"}, "pigeon"),
            ({"kind": "webhook", "url": "http://example.org/", "secret_env": "A"}, "https"),
            ({"kind": "webhook", "url": "https://a:b@example.org/", "secret_env": "A"}, "without"),
            ({"kind": "webhook", "url": "https://example.org/"}, "secret_env"),
            ({"kind": "webhook", "url": "https://e.org/", "secret_env": "whsec_=="}, "secret_env"),
            ({"kind": "mail", "to": "nobody", "sender": "a@b.org", "host": "h"}, "address"),
            (
                {"kind": "mail", "to": "a@b.org", "sender": "a@b.org", "host": "h"}
                | {"encryption": "none"},
                "starttls",
            ),
            (
                {"kind": "mail", "to": "a@b.org", "sender": "a@b.org", "host": "h"}
                | {"user_env": "A"},
                "together",
            ),
            ({"kind": "object_store", "url": "ftp://x"}, "url"),
            ({"kind": "directory", "path": "x", "password": "y"}, "password"),
        ],
    )
    def test_refused(self, settings, reason):
        with pytest.raises(ValidationError, match=reason):
            self.read(**settings)

    def test_destinations(self):
        assert self.read(kind="directory", path="x").destination == "p/directory"
        assert self.read(kind="directory", path="x", name="share").destination == "p/share"

    def test_passwords_are_read_when_needed(self):
        settings = self.read(
            kind="mail", to="a@b.org", sender="a@b.org", host="h", user_env="U", password_env="P"
        )
        channel = settings.channel(Secrets({"U": "me", "P": "hunter2"}))
        assert channel.login == ("me", "hunter2")
        assert "hunter2" not in repr(channel)
        with pytest.raises(DeliveryError, match="environment variable P"):
            settings.channel(Secrets({"U": "me"}))


def test_messages_are_json_all_through():
    assert json.loads(json.dumps(make_message().features))
