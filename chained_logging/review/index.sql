-- The index of a log: derived from it, and thrown away when it does not fit. What it says is where
-- entries are; the entries themselves are read from the log. A blank line separates statements.

-- The columns are named as those of a log's own database (sinks/schema.sql). place is where the
-- source of the log finds the entry again: of a file, the offset of its line.
CREATE TABLE entries (
  seq INTEGER PRIMARY KEY, place INTEGER NOT NULL, hash BLOB NOT NULL, id BLOB NOT NULL,
  trace BLOB, timestamp TEXT NOT NULL,
  actor_id TEXT, resource_id TEXT, ip_address TEXT, session_id TEXT, changed_fields TEXT,
  shared INTEGER NOT NULL,
  trace_id GENERATED ALWAYS AS (CASE WHEN trace IS NOT NULL THEN lower(hex(trace)) END) VIRTUAL
);

-- The values that many entries share, under the seq of the first one that has them.
CREATE TABLE shared (
  first INTEGER PRIMARY KEY,
  actor_type TEXT, on_behalf_of TEXT, action TEXT, resource_type TEXT, result TEXT,
  user_agent TEXT, tenant_id TEXT
);

-- Which entries hold a word, and which have a value in a field: a low line, a letter for the field,
-- and the value in hexadecimal. A low line in a text separates words, so that no text in an event
-- can pass for a value.
CREATE VIRTUAL TABLE words USING fts5(
  text, content = '', detail = 'none', columnsize = 0, tokenize = "ascii tokenchars '_'"
);

-- The times in each block of 1,024 entries, so that a period is a range of seq.
CREATE TABLE spans (block INTEGER PRIMARY KEY, earliest TEXT NOT NULL, latest TEXT NOT NULL);

CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);

-- What comes last is made once the tables are filled. Nearly every entry has an id and a trace of
-- its own: in an inverted index, which is for words that many have, they would take more.
CREATE INDEX entries_id ON entries (id);

CREATE INDEX entries_trace ON entries (trace) WHERE trace IS NOT NULL;
