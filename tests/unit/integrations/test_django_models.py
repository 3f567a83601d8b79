"""The recorder for Django models, in a project of its own for each test."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
from chains import check_chain
from programs import run_to_end

PROJECT = """
import sys, types
from pathlib import Path
import django
from django.conf import settings
folder = Path(sys.argv[1])
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "app.db"}},
    INSTALLED_APPS=["shop"], DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True,
)
sys.modules["shop"] = shop = types.ModuleType("shop")
shop.__path__ = [str(folder)]
shop.__file__ = str(folder / "shop.py")
django.setup()
from django.db import connection, models, transaction

class Tag(models.Model):
    name = models.CharField(max_length=50)
    class Meta: app_label = "shop"

class Order(models.Model):
    number = models.IntegerField(default=1)
    note = models.TextField(null=True)
    password = models.CharField(max_length=50, default="")
    tags = models.ManyToManyField(Tag, related_name="orders")
    class Meta: app_label = "shop"

class Document(models.Model):
    file = models.FileField(blank=True)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    data = models.JSONField(default=dict)
    day = models.DateField(null=True)
    class Meta: app_label = "shop"

class Draft(Document):
    class Meta:
        app_label = "shop"
        proxy = True

class Invoice(Document):
    to = models.CharField(max_length=50)
    tags = models.ManyToManyField(Tag)
    class Meta: app_label = "shop"

class Line(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    class Meta: app_label = "shop"

class Living(models.Manager):
    def get_queryset(self): return super().get_queryset().filter(deleted=False)

class Paper(models.Model):
    deleted = models.BooleanField(default=False)
    objects = Living()
    class Meta:
        app_label = "shop"
        base_manager_name = "objects"

class Token(models.Model):
    key = models.CharField(max_length=40, primary_key=True)
    note = models.TextField(null=True)
    class Meta: app_label = "shop"

with connection.schema_editor() as editor:
    for model in (Tag, Order, Document, Invoice, Line, Paper, Token):
        editor.create_model(model)

from chained_logging import AuditLog, context
from chained_logging.integrations.django_models import record_changes
log = AuditLog(folder / "audit.jsonl")
recorder = record_changes(Order, Line, Document, Paper, Token, log=log)
with context(actor="user-7", ip="10.0.0.7"):
"""


def run(folder: Path, code: str) -> list[dict[str, Any]]:
    text = PROJECT + textwrap.indent(textwrap.dedent(code), "    ") + "\nlog.close()\n"
    run_to_end(text, folder, folder)
    entries = check_chain(folder / "audit.jsonl")[1:]
    assert {e["actor_id"] for e in entries} <= {"user-7"}
    return entries


def brief(entries: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (
            e["action"],
            f"{e['resource_type']}/{e['resource_id']}",
            e.get("changed_fields"),
            e.get("old_values"),
        )
        for e in entries
    ]


def test_create_update_and_delete_are_entries_with_old_values(tmp_path: Path) -> None:
    entries = run(
        tmp_path,
        """
        order = Order.objects.create(number=7, password="S3cret")
        order.number = 8
        order.password = "S3cret2"
        order.save()
        order.save()  # nothing changed
        order.number = "8"  # what the database has
        order.save()
        Line.objects.create(order=order)
        order.delete()
        """,
    )
    assert brief(entries) == [
        ("create", "shop.order/1", ["id", "number", "password"], None),
        *[
            (
                *("update", "shop.order/1", ["number", "password"]),
                {"number": 7, "password": "[redacted]"},
            )
        ],
        ("create", "shop.line/1", ["id", "order_id"], None),
        ("delete", "shop.line/1", None, {"id": 1, "order_id": 1}),
        (
            *("delete", "shop.order/1", None),
            {"id": 1, "note": None, "number": 8, "password": "[redacted]"},
        ),
    ]
    assert b"S3cret" not in (tmp_path / "audit.jsonl").read_bytes()


def test_what_is_rolled_back_is_not_recorded(tmp_path: Path) -> None:
    entries = run(
        tmp_path,
        """
        try:
            with transaction.atomic():
                Order.objects.create(number=1)
                raise RuntimeError
        except RuntimeError:
            pass
        with transaction.atomic():
            kept = Order.objects.create(number=2)
            try:
                with transaction.atomic():
                    kept.number = 3
                    kept.save()
                    raise RuntimeError
            except RuntimeError:
                pass
            assert len(list(log.entries())) == 1, "only what is committed"
        """,
    )
    assert brief(entries) == [("create", "shop.order/1", ["id", "number", "password"], None)]


def test_partial_deferred_and_computed_saves(tmp_path: Path) -> None:
    entries = run(
        tmp_path,
        """
        order = Order.objects.create(number=1, note="a")
        order.number, order.note = 2, "b"
        order.save(update_fields=["note"])
        order = Order.objects.defer("note").get()
        order.number = 5
        order.save()
        order.number = models.F("number") + 1
        order.save()
        """,
    )
    assert brief(entries)[1:] == [
        ("update", "shop.order/1", ["note"], {"note": "a"}),
        ("update", "shop.order/1", ["number"], {"number": 1}),
        ("update", "shop.order/1", ["number"], {"number": 5}),
    ]


def test_members_of_a_many_to_many_are_named(tmp_path: Path) -> None:
    entries = run(
        tmp_path,
        """
        order = Order.objects.create()
        one, two = Tag.objects.create(name="1"), Tag.objects.create(name="2")
        order.tags.add(one, two)
        order.tags.add(one)  # is there already
        order.tags.remove(one)
        order.tags.clear()
        one.orders.add(order)
        """,
    )
    assert [
        (e["resource_type"], e["changed_fields"], e["context"]["members"]) for e in entries[1:]
    ] == [
        ("shop.order", ["tags"], {"tags": {"added": ["1", "2"], "removed": []}}),
        ("shop.order", ["tags"], {"tags": {"added": [], "removed": ["1"]}}),
        ("shop.order", ["tags"], {"tags": {"added": [], "removed": ["2"]}}),
        ("shop.tag", ["orders"], {"orders": {"added": ["1"], "removed": []}}),
    ]


@pytest.mark.parametrize(
    "code",
    [
        "recorder.stop(); Order.objects.create()",
        "Tag.objects.create(name='x')",
        "Order.objects.bulk_create([Order()]); Order.objects.update(number=5)",
    ],
)
def test_what_is_said_not_to_be_seen_is_not(tmp_path: Path, code: str) -> None:
    assert run(tmp_path, code) == []


def test_only_what_changed_counts_as_changed(tmp_path: Path) -> None:
    entries = run(
        tmp_path,
        """
        made = Document.objects.create(file="scan.txt", price="1.5")
        for values in ({}, {"price": 1.5}, {"day": "2024-01-02"}, {"day": "2024-01-02"}):
            again = Document.objects.get()
            vars(again).update(values)
            again.save()
        again.data["k"] = 1
        again.save()
        """,
    )
    assert brief(entries)[1:] == [
        ("update", "shop.document/1", ["day"], {"day": None}),
        ("update", "shop.document/1", ["data"], {"data": {}}),
    ]


def test_proxies_and_child_models_are_recorded(tmp_path: Path) -> None:
    entries = run(
        tmp_path,
        """
        Document.objects.create()
        draft = Draft.objects.get()
        draft.price = 2
        draft.save()
        invoice = Invoice.objects.create(to="Ann")
        invoice.price = 3
        invoice.save()
        invoice.tags.add(Tag.objects.create(name="paid"))
        invoice.delete()
        draft.delete()
        """,
    )
    assert [row[:2] for row in brief(entries)] == [
        ("create", "shop.document/1"),
        ("update", "shop.document/1"),
        ("create", "shop.invoice/2"),
        ("update", "shop.invoice/2"),
        ("update", "shop.invoice/2"),
        ("delete", "shop.invoice/2"),
        ("delete", "shop.document/1"),
    ]
    assert entries[3]["changed_fields"] == ["price"]
    assert entries[4]["changed_fields"] == ["tags"]


def test_an_earlier_callback_that_raises_does_not_lose_the_entry(tmp_path: Path) -> None:
    entries = run(
        tmp_path,
        """
        called = []
        try:
            with transaction.atomic():
                transaction.on_commit(lambda: called.append("first"))
                transaction.on_commit(lambda: 1 / 0)
                Order.objects.create(number=1)
                Order.objects.create(number=2)
        except ZeroDivisionError:
            pass
        assert called == ["first"]
        """,
    )
    assert [row[1] for row in brief(entries)] == ["shop.order/1", "shop.order/2"]


def test_a_row_that_its_manager_hides_is_not_a_row_that_is_gone(tmp_path: Path) -> None:
    entries = run(
        tmp_path,
        """
        paper = Paper.objects.create()
        paper.deleted = True
        paper.save()
        paper.delete()
        """,
    )
    assert brief(entries)[1:] == [
        ("update", "shop.paper/1", ["deleted"], {"deleted": False}),
        ("delete", "shop.paper/1", None, {"deleted": True, "id": 1}),
    ]


def test_a_key_that_lets_in_is_not_in_the_log(tmp_path: Path) -> None:
    entries = run(
        tmp_path,
        """
        token = Token.objects.create(key="9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b")
        token.note = "x"
        token.save()
        log.append("read", resource=token, actor="user-7", ip="10.0.0.7", context={"token": token})
        log.append("read", resource=("a", token), actor="user-7", ip="10.0.0.7", old_values=token)
        token.delete()
        """,
    )
    assert {e["resource_id"] for e in entries} == {"5cc1e9113bbaa7040c4e0fbe80ea6aa7"}
    assert len(entries) == 5
    assert b"9944b09199" not in (tmp_path / "audit.jsonl").read_bytes()
