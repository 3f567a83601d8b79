-- What the database of a log holds. A blank line separates statements; SQLite keeps each as it is
-- written here. The verifier has a copy of its own, and names every difference.
-- entries_in_order is needed because INSERT OR REPLACE deletes without asking entries_no_delete.
-- The table resources is an index: a row for each of an entry's `resources`, in their order.
-- What an entry `retention.apply` of the log's own names in its `ranges` is in the table purges.
-- Such an entry may become a stub, its seq and hash, and only then may its row go; but the first,
-- the last, and those about keys, retention and holds stay. A copy of a log takes the stubs that it
-- finds, after its last entry.

CREATE TABLE entries (
  seq INTEGER PRIMARY KEY CHECK (seq = json_extract(body, '$.seq')),
  body TEXT NOT NULL CHECK (typeof(body) = 'text'),
  hash TEXT NOT NULL CHECK (length(hash) = 64),
  signature TEXT,
  id GENERATED ALWAYS AS (json_extract(body, '$.id')) VIRTUAL,
  timestamp GENERATED ALWAYS AS (json_extract(body, '$.timestamp')) VIRTUAL,
  actor_id GENERATED ALWAYS AS (json_extract(body, '$.actor_id')) VIRTUAL,
  actor_type GENERATED ALWAYS AS (json_extract(body, '$.actor_type')) VIRTUAL,
  on_behalf_of GENERATED ALWAYS AS (json_extract(body, '$.on_behalf_of')) VIRTUAL,
  action GENERATED ALWAYS AS (json_extract(body, '$.action')) VIRTUAL,
  resource_type GENERATED ALWAYS AS (json_extract(body, '$.resource_type')) VIRTUAL,
  resource_id GENERATED ALWAYS AS (json_extract(body, '$.resource_id')) VIRTUAL,
  resources GENERATED ALWAYS AS (json_extract(body, '$.resources')) VIRTUAL,
  result GENERATED ALWAYS AS (json_extract(body, '$.result')) VIRTUAL,
  ip_address GENERATED ALWAYS AS (json_extract(body, '$.ip_address')) VIRTUAL,
  user_agent GENERATED ALWAYS AS (json_extract(body, '$.user_agent')) VIRTUAL,
  session_id GENERATED ALWAYS AS (json_extract(body, '$.session_id')) VIRTUAL,
  tenant_id GENERATED ALWAYS AS (json_extract(body, '$.tenant_id')) VIRTUAL,
  trace_id GENERATED ALWAYS AS (json_extract(body, '$.trace_id')) VIRTUAL,
  changed_fields GENERATED ALWAYS AS (json_extract(body, '$.changed_fields')) VIRTUAL,
  old_values GENERATED ALWAYS AS (json_extract(body, '$.old_values')) VIRTUAL,
  reason GENERATED ALWAYS AS (json_extract(body, '$.reason')) VIRTUAL,
  context GENERATED ALWAYS AS (json_extract(body, '$.context')) VIRTUAL,
  prev_hash GENERATED ALWAYS AS (json_extract(body, '$.prev_hash')) VIRTUAL,
  v GENERATED ALWAYS AS (json_extract(body, '$.v')) VIRTUAL
);

CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no entry is changed');
END;

CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries
WHEN NOT EXISTS (
  SELECT 1 FROM stubs
  WHERE seq = OLD.seq AND hash = OLD.hash AND signature IS OLD.signature
) BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no entry is deleted');
END;

CREATE TRIGGER entries_in_order BEFORE INSERT ON entries
WHEN NEW.seq <= (SELECT max(seq) FROM entries) BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: this place is taken');
END;

CREATE INDEX entries_actor_id ON entries (actor_id);

CREATE INDEX entries_resource_type_resource_id ON entries (resource_type, resource_id);

CREATE INDEX entries_timestamp ON entries (timestamp);

CREATE INDEX entries_action ON entries (action);

CREATE TABLE resources (type TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL);

CREATE INDEX resources_type_id ON resources (type, id, seq);

CREATE TRIGGER resources_of_entry AFTER INSERT ON entries
WHEN NEW.resources IS NOT NULL BEGIN
  INSERT INTO resources (type, id, seq)
  SELECT json_extract(value, '$.type'), json_extract(value, '$.id'), NEW.seq
  FROM json_each(NEW.body, '$.resources');
END;

CREATE TRIGGER resources_no_update BEFORE UPDATE ON resources BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no resource is changed');
END;

CREATE TRIGGER resources_no_delete BEFORE DELETE ON resources
WHEN NOT EXISTS (SELECT 1 FROM stubs WHERE seq = OLD.seq) BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no resource is deleted');
END;

CREATE TABLE stubs (
  seq INTEGER PRIMARY KEY, hash TEXT NOT NULL CHECK (length(hash) = 64), signature TEXT
);

CREATE TRIGGER stubs_no_update BEFORE UPDATE ON stubs BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no stub is changed');
END;

CREATE TRIGGER stubs_no_delete BEFORE DELETE ON stubs BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no stub is deleted');
END;

CREATE TRIGGER stubs_of_entries BEFORE INSERT ON stubs
WHEN EXISTS (SELECT 1 FROM stubs WHERE seq = NEW.seq)
OR NEW.seq <= (SELECT max(seq) FROM entries) AND NOT EXISTS (
  SELECT 1 FROM entries
  WHERE seq = NEW.seq AND hash = NEW.hash AND signature IS NEW.signature
  AND seq > 0 AND seq < (SELECT max(seq) FROM entries)
  AND seq <= (SELECT last FROM purges WHERE first <= NEW.seq ORDER BY first DESC LIMIT 1)
  AND NOT (
    actor_id = 'chained_logging'
    AND (action GLOB 'key.*' OR action GLOB 'retention.*' OR action GLOB 'hold.*')
  )
) BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no retention.apply names this entry');
END;

CREATE TABLE purges (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, by INTEGER NOT NULL);

CREATE TRIGGER purges_no_update BEFORE UPDATE ON purges BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no purge is changed');
END;

CREATE TRIGGER purges_no_delete BEFORE DELETE ON purges BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no purge is deleted');
END;

CREATE TRIGGER purges_named BEFORE INSERT ON purges
WHEN NEW.first < 1 OR NEW.last < NEW.first OR NEW.last >= NEW.by
OR NEW.first <= (SELECT last FROM purges WHERE first <= NEW.last ORDER BY first DESC LIMIT 1)
OR NOT EXISTS (
  SELECT 1 FROM entries WHERE seq = NEW.by
  AND substr(body, 1, 57) = '{"action":"retention.apply","actor_id":"chained_logging",'
) BEGIN
  SELECT RAISE(IGNORE);
END;

CREATE TRIGGER purges_of_entry AFTER INSERT ON entries
WHEN substr(NEW.body, 1, 57) = '{"action":"retention.apply","actor_id":"chained_logging",' BEGIN
  INSERT INTO purges (first, last, by)
  SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), NEW.seq
  FROM json_each(NEW.body, '$.context.ranges')
  WHERE type = 'array'
  AND json_type(value, '$[0]') = 'integer' AND json_type(value, '$[1]') = 'integer';
END;

CREATE TABLE checkpoints (
  id INTEGER PRIMARY KEY, size INTEGER NOT NULL, note TEXT NOT NULL, state TEXT NOT NULL,
  timestamp TEXT
);

CREATE INDEX checkpoints_size ON checkpoints (size);

CREATE TRIGGER checkpoints_no_update BEFORE UPDATE ON checkpoints BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no checkpoint is changed');
END;

CREATE TRIGGER checkpoints_no_delete BEFORE DELETE ON checkpoints BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no checkpoint is deleted');
END;

CREATE TRIGGER checkpoints_in_order BEFORE INSERT ON checkpoints
WHEN NEW.id <= (SELECT max(id) FROM checkpoints) BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: this place is taken');
END;
