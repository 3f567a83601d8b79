"""The recorder for SQLAlchemy: what was committed is recorded, once, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chains import check_chain
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from programs import run_to_end
from sqlalchemy import (
    Column,
    Engine,
    ForeignKey,
    String,
    Table,
    TypeDecorator,
    create_engine,
    delete,
    event,
    insert,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    scoped_session,
    sessionmaker,
)
from sqlalchemy.pool import NullPool

from chained_logging import AuditLog, context
from chained_logging.integrations.sqlalchemy import record_changes

WHO = {"actor": "user-7", "ip": "10.0.0.7"}


class Base(DeclarativeBase):
    pass


membership = Table(
    "membership",
    Base.metadata,
    Column("patient", ForeignKey("patient.id"), primary_key=True),
    Column("team", ForeignKey("team.id"), primary_key=True),
)


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)


class Patient(Base):
    __tablename__ = "patient"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    ward: Mapped[int | None]
    password: Mapped[str | None]
    teams: Mapped[list[Team]] = relationship(secondary=membership)


class Pair(Base):
    __tablename__ = "pair"
    a: Mapped[int] = mapped_column(primary_key=True)
    b: Mapped[str] = mapped_column(primary_key=True)
    parent: Mapped[int | None] = mapped_column(
        ForeignKey("patient.id", deferrable=True, initially="DEFERRED")
    )


class Setup:
    def __init__(self, folder: Path) -> None:
        self.log = AuditLog(folder / "audit.jsonl")
        self.engine: Engine = create_engine(f"sqlite:///{folder / 'app.db'}", poolclass=NullPool)
        Base.metadata.create_all(self.engine)
        self.Session = sessionmaker(self.engine)
        self.recorder = record_changes(self.Session, log=self.log)

    def entries(self) -> list[dict[str, Any]]:
        return check_chain(self.log.path)[1:]

    def brief(self) -> list[tuple[Any, ...]]:
        return [
            (
                e["action"],
                f"{e['resource_type']}/{e['resource_id']}",
                e.get("changed_fields"),
                e.get("old_values"),
            )
            for e in self.entries()
        ]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Setup]:
    setup = Setup(tmp_path)
    with context(**WHO):
        yield setup
    setup.log.close()
    setup.engine.dispose()


def test_insert_update_and_delete_are_entries_with_old_values(made: Setup) -> None:
    with made.Session() as session:
        session.add(Patient(name="Ann", ward=7, password="S3cret"))
        session.commit()
        ann = session.get_one(Patient, 1)
        ann.ward, ann.name = 8, "Ann"
        session.commit()
        session.delete(ann)
        session.commit()
    assert made.brief() == [
        ("create", "patient/1", ["id", "name", "password", "ward"], None),
        ("update", "patient/1", ["ward"], {"ward": 7}),
        (
            *("delete", "patient/1", None),
            {"id": 1, "name": "Ann", "password": "[redacted]", "ward": 8},
        ),
    ]
    assert {e["actor_id"] for e in made.entries()} == {"user-7"}
    assert {e["ip_address"] for e in made.entries()} == {"10.0.0.7"}
    assert b"S3cret" not in made.log.path.read_bytes()


def test_an_old_value_that_was_never_loaded_is_fetched(made: Setup) -> None:
    with made.Session() as session:
        session.add(Patient(name="Ann", ward=7))
        session.commit()
        ann = session.get_one(Patient, 1)
        session.commit()  # it is expired now
        ann.ward = 9
        session.commit()
        ann.ward = 9  # the same again: nothing changed
        session.commit()
        session.delete(ann)
        session.commit()
    assert made.brief()[1:] == [
        ("update", "patient/1", ["ward"], {"ward": 7}),
        ("delete", "patient/1", None, {"id": 1, "name": "Ann", "password": None, "ward": 9}),
    ]


def test_what_is_rolled_back_is_not_recorded(made: Setup) -> None:
    with made.Session() as session:
        session.add(Patient(name="Ann"))
        session.flush()
        session.rollback()
        session.add(Patient(name="Bob"))
        session.commit()
        session.add(Patient(name="Cid"))
        session.flush()
        session.close()  # neither committed nor rolled back, and used again
        session.add(Team(id=9))
        session.commit()
    with made.Session() as session:
        session.add(Team(id=9))
        with pytest.raises(IntegrityError):
            session.commit()
    assert [row[:2] for row in made.brief()] == [
        ("create", "patient/1"),
        ("create", "team/9"),
    ]


def test_a_commit_that_the_database_refuses_is_not_recorded(made: Setup) -> None:
    event.listen(
        made.engine, "connect", lambda raw, _: raw.execute("PRAGMA foreign_keys=ON").close()
    )
    with made.Session() as session:
        session.add(Pair(a=1, b="x", parent=99))
        session.flush()  # the constraint is deferred: only the commit finds it
        with pytest.raises(IntegrityError):
            session.commit()
        session.rollback()
        session.add(Pair(a=2, b="y"))
        session.commit()
    assert [row[1] for row in made.brief()] == ["pair/2,y"]


def test_savepoints_keep_what_they_keep(made: Setup) -> None:
    with made.Session() as session:
        session.add(Team(id=1))
        with session.begin_nested():
            session.add(Team(id=2))
            inner = session.begin_nested()
            session.add(Team(id=3))
            session.flush()
            inner.rollback()
            with session.begin_nested():
                session.add(Team(id=4))
        assert made.brief() == []
        outer = session.begin_nested()
        session.add(Team(id=5))
        with session.begin_nested():
            session.add(Team(id=6))
        outer.rollback()
        session.commit()
    assert [row[1] for row in made.brief()] == ["team/1", "team/2", "team/4"]


def test_members_of_a_many_to_many_are_named(made: Setup) -> None:
    with made.Session() as session:
        session.add(Patient(name="Ann", teams=[Team(id=1), Team(id=2)]))
        session.commit()
        ann = session.get_one(Patient, 1)
        ann.teams = [session.get_one(Team, 2), Team(id=3)]
        session.commit()
    change = made.entries()[-1]
    assert change["changed_fields"] == ["teams"]
    assert change["context"]["members"] == {"teams": {"added": ["3"], "removed": ["1"]}}


def test_keys_of_several_columns_and_the_choice_of_models(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.recorder.stop()
    record_changes(setup.Session, log=setup.log, models=[Pair])
    with setup.Session() as session, context(**WHO):
        session.add_all([Pair(a=1, b="x"), Team(id=1)])
        session.commit()
        session.execute(delete(Team))
        session.commit()
    assert [row[:2] for row in setup.brief()] == [("create", "pair/1,x")]
    setup.log.close()


def test_bulk_statements_are_one_entry_each_without_values(made: Setup) -> None:
    with made.Session() as session:
        rows = [{"name": "S3cret", "ward": n} for n in range(3)]
        session.execute(insert(Patient), rows)
        session.execute(update(Patient).where(Patient.ward > 0).values(ward=5, name="S3cret"))
        session.execute(delete(Patient).where(Patient.ward == 5))
        session.commit()
        session.execute(delete(Patient))
        session.rollback()
    assert [
        (e["action"], e["resource_id"], e["context"]["rows"], e.get("changed_fields"))
        for e in made.entries()
    ] == [
        ("create", "*", 3, ["name", "ward"]),
        ("update", "*", 2, ["name", "ward"]),
        ("delete", "*", 2, None),
    ]
    assert b"S3cret" not in made.log.path.read_bytes()


def test_stopped_it_records_no_more(made: Setup) -> None:
    made.recorder.stop()
    with made.Session() as session:
        session.add(Team(id=1))
        session.commit()
    assert made.brief() == []


def test_all_sessions_by_their_class(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.recorder.stop()
    recorder = record_changes(Session, log=tmp_path / "other.jsonl")
    with setup.Session() as session, context(**WHO):
        session.add(Team(id=1))
        session.commit()
    recorder.stop()
    recorder.log.close()
    assert check_chain(tmp_path / "other.jsonl")[1]["resource_id"] == "1"
    setup.log.close()


def test_async_sessions(tmp_path: Path) -> None:
    async def main() -> None:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'app.db'}")
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        maker = async_sessionmaker(engine)
        recorder = record_changes(maker, log=tmp_path / "a.jsonl")
        with context(**WHO):
            async with maker() as session:
                session.add(Patient(name="Ann", ward=1))
                await session.commit()
                ann = await session.get_one(Patient, 1)
                await session.commit()
                ann.ward = 2
                await session.commit()
            async with AsyncSession(engine) as other:  # of another maker
                other.add(Team(id=1))
                await other.commit()
        await engine.dispose()
        recorder.log.close()

    asyncio.run(main())
    made = check_chain(tmp_path / "a.jsonl")[1:]
    assert [(e["action"], e.get("old_values")) for e in made] == [
        ("create", None),
        ("update", {"ward": 1}),
    ]


def test_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="sessionmaker"):
        record_changes(object(), log=tmp_path / "a.jsonl").log.close()


def test_scoped_sessions_and_flask_sqlalchemy(tmp_path: Path) -> None:
    made = Setup(tmp_path)
    made.recorder.stop()
    scoped = scoped_session(made.Session)
    recorder = record_changes(scoped, log=made.log)
    with context(**WHO):
        scoped.add(Team(id=1))
        scoped.commit()
    scoped.remove()
    recorder.stop()

    app = Flask("shop")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'flask.db'}"
    database = SQLAlchemy(app, model_class=Base, disable_autonaming=True)
    recorder = record_changes(database.session, log=made.log)
    with app.app_context(), context(**WHO):
        database.create_all()
        database.session.add(Team(id=2))
        database.session.commit()
        database.session.remove()
        database.engine.dispose()
    recorder.stop()
    assert [row[:2] for row in made.brief()] == [("create", "team/1"), ("create", "team/2")]
    made.log.close()
    made.engine.dispose()


def test_an_async_scoped_session(tmp_path: Path) -> None:
    async def main() -> None:
        made = Setup(tmp_path)
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'app.db'}")
        scoped = async_scoped_session(async_sessionmaker(engine), scopefunc=asyncio.current_task)
        recorder = record_changes(scoped, log=made.log)
        with context(**WHO):
            scoped.add(Team(id=1))
            await scoped.commit()
        await scoped.remove()
        recorder.stop()
        await engine.dispose()
        assert [row[:2] for row in made.brief()] == [("create", "team/1")]
        made.log.close()
        made.engine.dispose()

    asyncio.run(main())


def test_core_statements_through_a_session(made: Setup) -> None:
    teams = Team.__table__
    with made.Session() as session:
        session.execute(insert(teams), [{"id": 1}, {"id": 2}])
        session.execute(update(teams).where(teams.c.id == 2).values(id=3))
        session.execute(upsert(teams).values(id=3).on_conflict_do_nothing())
        session.execute(delete(teams).returning(teams.c.id)).all()
        session.commit()
    assert [
        (e["action"], e["resource_type"], e["resource_id"], e.get("changed_fields"))
        for e in made.entries()
    ] == [
        ("create", "team", "*", ["id"]),
        ("update", "team", "*", ["id"]),
        ("write", "team", "*", ["id"]),
        ("delete", "team", "*", None),
    ]
    assert [e["context"].get("rows") for e in made.entries()] == [2, 1, 0, None]


def test_core_statements_are_chosen_by_their_table(tmp_path: Path) -> None:
    made = Setup(tmp_path)
    made.recorder.stop()
    record_changes(made.Session, log=made.log, models=[Team])
    with made.Session() as session, context(**WHO):
        session.execute(insert(Team.__table__).values(id=1))
        session.execute(insert(membership).values(patient=1, team=1))
        session.commit()
    assert [row[:2] for row in made.brief()] == [("create", "team/*")]
    made.log.close()
    made.engine.dispose()


def test_a_bulk_update_by_primary_key_names_what_it_sets(made: Setup) -> None:
    with made.Session() as session:
        session.add_all([Patient(name="Ann"), Patient(name="Bob")])
        session.flush()
        session.execute(update(Patient), [{"id": 1, "ward": 5}, {"id": 2, "ward": 6}])
        session.commit()
    last = made.entries()[-1]
    assert (last["changed_fields"], last["context"]["rows"]) == (["ward"], 2)


class Awkward:
    """A value that can be stored, and neither be compared nor be described."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not to be compared")

    __hash__ = object.__hash__


class AwkwardType(TypeDecorator[Any]):
    impl = String
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        return None if value is None else "awkward"

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else Awkward()

    def compare_values(self, x: Any, y: Any) -> bool:
        return x is y


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(AwkwardType)


def test_a_value_that_cannot_be_compared_breaks_no_flush(made: Setup) -> None:
    with made.Session() as session:
        session.add(Thing(id=1, value=Awkward()))
        session.commit()
        thing = session.get_one(Thing, 1)
        session.commit()  # it is expired, so that the old value is read anew
        thing.value = Awkward()
        session.commit()
        session.delete(thing)
        session.commit()
    assert [row[:2] for row in made.brief()] == [
        ("create", "thing/1"),
        ("update", "thing/1"),
        ("delete", "thing/1"),
    ]
    assert made.brief()[1][2] == ["value"]


def test_a_listener_that_raises_after_the_commit_does_not_lose_the_entry(tmp_path: Path) -> None:
    made = Setup(tmp_path)
    made.recorder.stop()

    @event.listens_for(made.Session, "after_commit")
    def fails(session: Session) -> None:
        raise RuntimeError("the mail server is down")

    record_changes(made.Session, log=made.log)
    with made.Session() as session, context(**WHO):
        session.add(Team(id=1))
        with pytest.raises(RuntimeError, match="mail server"):
            session.commit()
    assert [row[:2] for row in made.brief()] == [("create", "team/1")]
    made.log.close()
    made.engine.dispose()


def test_without_greenlet_the_recorder_works(tmp_path: Path) -> None:
    """SQLAlchemy 2.1 installs greenlet only with its extra, and its asyncio part needs it."""
    code = """
    import sys
    sys.modules["greenlet"] = None
    sys.modules["sqlalchemy.ext.asyncio"] = None
    from sqlalchemy.orm import sessionmaker
    from chained_logging.integrations.sqlalchemy import record_changes
    record_changes(sessionmaker(), log="audit.jsonl").log.close()
    """
    run_to_end(code, tmp_path)
