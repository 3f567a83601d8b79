-- What the database of a log holds. A blank line separates statements; SQLite keeps each as it is
-- written here. The verifier has a copy of its own, and names every difference.
-- entries_in_order is needed because INSERT OR REPLACE deletes without asking entries_no_delete.
-- The table resources is an index: a row for each of an entry's `resources`, in their order.

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

CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries BEGIN
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

CREATE TRIGGER resources_no_delete BEFORE DELETE ON resources BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only: no resource is deleted');
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
