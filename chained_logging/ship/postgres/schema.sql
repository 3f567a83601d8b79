-- The central audit log of chained_logging in PostgreSQL 14 or later (encoding UTF8).
--
--   psql -v ON_ERROR_STOP=1 -f this-file DATABASE
--
-- Run by a superuser, or by a role that may create roles and owns the database. It is one
-- transaction, and makes four roles that cannot log in, two settings of the database, and
-- everything else in one schema:
--
--   chained_logging_owner      owns it; nobody works as this role from day to day
--   chained_logging_shipper    may insert what its login is bound to, and ask where each log ends
--   chained_logging_reader     may select
--   chained_logging_retention  may select, and remove what a decision of the log names
--
-- Grant the others to roles of your own that log in, the last one to no login that ships. Bind each
-- login that ships to the logs that are its own ('example.com/audit/*' are all that begin so):
--
--   CREATE ROLE web_shipper LOGIN CONNECTION LIMIT 5 IN ROLE chained_logging_shipper;
--   INSERT INTO chained_logging.shippers (login, origin)
--     VALUES ('web_shipper', 'example.com/audit/web-7');
--   CREATE ROLE auditor LOGIN IN ROLE chained_logging_reader;
--   CREATE ROLE records_officer LOGIN IN ROLE chained_logging_retention;

BEGIN;

DO $$
DECLARE
  name text;
BEGIN
  IF current_setting('server_version_num')::int < 140000 THEN
    RAISE EXCEPTION 'PostgreSQL % is too old: 14 or later is needed',
      current_setting('server_version');
  END IF;
  IF current_setting('server_encoding') <> 'UTF8' THEN
    RAISE EXCEPTION 'the database has the encoding %: entries need UTF8',
      current_setting('server_encoding');
  END IF;
  FOREACH name IN ARRAY ARRAY[
    'chained_logging_owner', 'chained_logging_shipper', 'chained_logging_reader',
    'chained_logging_retention'
  ] LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', name);
    END IF;
  END LOOP;
  -- To make things for the owner, all but superusers must be members. Taken back at the end.
  IF NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
    GRANT chained_logging_owner TO CURRENT_USER;
  END IF;
  -- For every session that sets nothing else: one that hangs lets go of what it holds.
  EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = %L',
    current_database(), '60s');
  EXECUTE format('ALTER DATABASE %I SET lock_timeout = %L', current_database(), '10s');
END
$$;

CREATE SCHEMA chained_logging AUTHORIZATION chained_logging_owner;
SET LOCAL ROLE chained_logging_owner;
SET LOCAL search_path = pg_catalog;


-- Reading a body. It is read as json, never jsonb, which refuses the escape \u0000; and json
-- refuses it too as soon as a field is taken out. No field of an entry may hold it, but its
-- context may. So the character U+FFFD is read in its place; the body itself stays as it is.

-- Called many times for a row, so it sets no search_path, and names everything in full instead.
CREATE FUNCTION chained_logging.parsed(body text) RETURNS json
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF pg_catalog.strpos(body, '\u0000') OPERATOR(pg_catalog.=) 0 THEN
    RETURN body::pg_catalog.json;
  END IF;
  -- An escape has an odd number of backslashes: \\u0000 is text that only looks like one.
  RETURN pg_catalog.regexp_replace(
    body, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g')::pg_catalog.json;
END
$$;

-- An array of strings as the type for it.
CREATE FUNCTION chained_logging.names(list json) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog AS $$
BEGIN
  RETURN ARRAY(SELECT json_array_elements_text(list));
END
$$;

-- Further resources as an entry has them; NULL if one has no name that fits.
CREATE FUNCTION chained_logging.records(list json) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog AS $$
BEGIN
  RETURN (
    SELECT CASE WHEN coalesce(bool_and((octet_length(item ->> 'id') BETWEEN 1 AND 1024
        AND octet_length(item ->> 'type') BETWEEN 1 AND 1024) IS TRUE), true)
      THEN concat('[', string_agg(
        concat('{"id":', to_json(item ->> 'id'), ',"type":', to_json(item ->> 'type'), '}'),
        ',' ORDER BY number), ']') END
    FROM json_array_elements(list) WITH ORDINALITY AS found (item, number)
  );
END
$$;

-- The body as jsonb; NULL where it holds U+0000, which jsonb cannot: nothing is put in its place.
CREATE FUNCTION chained_logging.whole(body text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF pg_catalog.strpos(body, '\u0000') OPERATOR(pg_catalog.=) 0
    OR chained_logging.parsed(body)::pg_catalog.text OPERATOR(pg_catalog.=) body
  THEN
    RETURN body::pg_catalog.jsonb;
  END IF;
  RETURN NULL;
END
$$;

-- What an entry is found by: the words in its context, reason and old_values, and the values of its
-- fields, each behind a letter and =, which no word holds. docs/query.md says what a word is.

-- A lexeme has 2,046 bytes at most. What is longer is its beginning and its SHA-256.
CREATE FUNCTION chained_logging.lexemes(list text[]) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog AS $$
  SELECT array_to_tsvector(coalesce(array_agg(
    CASE WHEN octet_length(item) <= 1500 THEN item
      ELSE left(item, 100) || encode(sha256(convert_to(item, 'UTF8')), 'hex') END), '{}'))
  FROM unnest(list) AS found (item) WHERE item <> ''
$$;

-- Parameters of a request's route, each under the literal before it and under its own name.
CREATE FUNCTION chained_logging.parameters(context jsonb) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog AS $$
DECLARE
  found text[] := '{}';
  before text := '';
  part text;
  name text;
  value text;
BEGIN
  IF jsonb_typeof(context -> 'route') IS DISTINCT FROM 'string'
    OR jsonb_typeof(context -> 'params') IS DISTINCT FROM 'object'
  THEN
    RETURN found;
  END IF;
  FOREACH part IN ARRAY string_to_array(context ->> 'route', '/') LOOP
    name := substring(part FROM '^\{(\w+)\}$');
    IF name IS NULL THEN
      before := part;
    ELSIF jsonb_typeof(context -> 'params' -> name) = 'string' THEN
      value := context -> 'params' ->> name;
      value := concat('z=', length(value), ':', value, '/');
      -- One at a time, so that PostgreSQL need not copy the array for each.
      found := array_append(found, value || before);
      found := array_append(found, value || regexp_replace(name, '_id$', ''));
    END IF;
  END LOOP;
  RETURN found;
END
$$;

CREATE FUNCTION chained_logging.searched(body text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 1000 SET search_path = pg_catalog AS $$
DECLARE
  entry json := chained_logging.parsed(body);
  fields jsonb := entry::jsonb;
  said text := concat(entry -> 'context', ' ', entry -> 'reason', ' ', entry -> 'old_values');
  record jsonb;
  found text[];
BEGIN
  IF strpos(said, '\') > 0 THEN
    said := regexp_replace(said, '\\(u[0-9a-f]{4}|.)', ' ', 'g');
  END IF;
  found := string_to_array(translate(
    lower(said COLLATE "C"), E' !"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~\x7f', repeat(' ', 34)), ' ');
  found := found || ARRAY[
    'a=' || (fields ->> 'actor_id'), 'k=' || (fields ->> 'actor_type'),
    'o=' || (fields ->> 'on_behalf_of'), 'v=' || (fields ->> 'action'),
    'q=' || (fields ->> 'result'), 'p=' || (fields ->> 'ip_address'),
    'u=' || (fields ->> 'user_agent'), 's=' || (fields ->> 'session_id'),
    'n=' || (fields ->> 'tenant_id'), 't=' || (fields ->> 'trace_id'), 'i=' || (fields ->> 'id'),
    CASE WHEN fields -> 'context' ? 'invalid' THEN 'm=' END];
  FOR record IN
    SELECT jsonb_build_object('type', fields -> 'resource_type', 'id', fields -> 'resource_id')
    UNION ALL SELECT jsonb_array_elements(fields -> 'resources')
  LOOP
    found := found || ARRAY[
      'y=' || (record ->> 'type'), 'j=' || (record ->> 'id'),
      concat('x=', length(record ->> 'id'), ':', record ->> 'id', '/', record ->> 'type')];
  END LOOP;
  IF fields ? 'changed_fields' THEN
    found := found || ARRAY(
      SELECT 'c=' || name FROM jsonb_array_elements_text(fields -> 'changed_fields') AS name);
  END IF;
  RETURN chained_logging.lexemes(found || chained_logging.parameters(fields -> 'context'));
END
$$;


-- Entries: the exact text that was hashed, and columns that the database derives from it, so that
-- what is queried cannot disagree with what was hashed. A partition key can not be derived, so
-- the timestamp is given, and checked to be that of the text.

CREATE TABLE chained_logging.entries (
  origin text COLLATE "C" NOT NULL,
  "timestamp" timestamptz NOT NULL,
  body text COLLATE "C" NOT NULL,
  hash text COLLATE "C" NOT NULL,
  signature text COLLATE "C",
  seq bigint NOT NULL
    GENERATED ALWAYS AS ((chained_logging.parsed(body) ->> 'seq')::bigint) STORED,
  prev_hash text COLLATE "C" NOT NULL
    GENERATED ALWAYS AS (chained_logging.parsed(body) ->> 'prev_hash') STORED,
  id uuid NOT NULL
    GENERATED ALWAYS AS ((chained_logging.parsed(body) ->> 'id')::uuid) STORED,
  actor_id text COLLATE "C" NOT NULL
    GENERATED ALWAYS AS (chained_logging.parsed(body) ->> 'actor_id') STORED,
  actor_type text COLLATE "C" NOT NULL
    GENERATED ALWAYS AS (chained_logging.parsed(body) ->> 'actor_type') STORED,
  action text COLLATE "C" NOT NULL
    GENERATED ALWAYS AS (chained_logging.parsed(body) ->> 'action') STORED,
  resource_type text COLLATE "C" NOT NULL
    GENERATED ALWAYS AS (chained_logging.parsed(body) ->> 'resource_type') STORED,
  resource_id text COLLATE "C" NOT NULL
    GENERATED ALWAYS AS (chained_logging.parsed(body) ->> 'resource_id') STORED,
  result text COLLATE "C" NOT NULL
    GENERATED ALWAYS AS (chained_logging.parsed(body) ->> 'result') STORED,
  -- NULL if there was none, or if it was not known: the next column tells which.
  ip_address inet
    GENERATED ALWAYS AS (nullif(chained_logging.parsed(body) ->> 'ip_address', 'unknown')::inet)
    STORED,
  ip_address_unknown boolean NOT NULL
    GENERATED ALWAYS AS
      (coalesce(chained_logging.parsed(body) ->> 'ip_address', '') = 'unknown') STORED,
  user_agent text COLLATE "C"
    GENERATED ALWAYS AS (chained_logging.parsed(body) ->> 'user_agent') STORED,
  session_id text COLLATE "C"
    GENERATED ALWAYS AS (chained_logging.parsed(body) ->> 'session_id') STORED,
  reason text COLLATE "C"
    GENERATED ALWAYS AS
      (CASE WHEN strpos(body, '"reason":') > 0 THEN chained_logging.parsed(body) ->> 'reason' END)
    STORED,
  on_behalf_of text COLLATE "C"
    GENERATED ALWAYS AS
      (CASE WHEN strpos(body, '"on_behalf_of":') > 0 THEN chained_logging.parsed(body) ->> 'on_behalf_of' END)
    STORED,
  tenant_id text COLLATE "C"
    GENERATED ALWAYS AS
      (CASE WHEN strpos(body, '"tenant_id":') > 0 THEN chained_logging.parsed(body) ->> 'tenant_id' END)
    STORED,
  trace_id text COLLATE "C"
    GENERATED ALWAYS AS
      (CASE WHEN strpos(body, '"trace_id":') > 0 THEN chained_logging.parsed(body) ->> 'trace_id' END)
    STORED,
  -- Whatever else the body holds: no name of a resource holds U+0000.
  resources jsonb
    GENERATED ALWAYS AS
      (CASE WHEN strpos(body, '"resources":') > 0 THEN
        (chained_logging.parsed(body) -> 'resources')::jsonb END) STORED,
  changed_fields text[] COLLATE "C"
    GENERATED ALWAYS AS
      (CASE WHEN strpos(body, '"changed_fields":') > 0 THEN
        chained_logging.names(chained_logging.parsed(body) -> 'changed_fields') END) STORED,
  -- Rare fields are looked for before the body is parsed for them. Both of these are NULL where
  -- the body holds U+0000 in one of them: the body has all of it.
  old_values jsonb
    GENERATED ALWAYS AS
      (CASE WHEN strpos(body, '"old_values":') > 0 THEN
        chained_logging.whole(body) -> 'old_values' END) STORED,
  context jsonb
    GENERATED ALWAYS AS (chained_logging.whole(body) -> 'context') STORED,

  PRIMARY KEY (origin, seq, "timestamp"),
  CONSTRAINT origin_is_name CHECK (
    octet_length(origin) >= 1 AND octet_length(origin) <= 1024
    AND origin !~ '[[:space:][:cntrl:]+]'),
  CONSTRAINT body_fits CHECK (octet_length(body) <= 65535),
  -- Put together again, the columns are the body: each field has its type and its place, no other
  -- is there, and the timestamp is that of the text (docs/format.md, "The fields").
  CONSTRAINT body_is_its_columns CHECK (
    (chained_logging.parsed(body)::text = concat(
      '{"action":', to_json(action),
      ',"actor_id":', to_json(actor_id),
      ',"actor_type":', to_json(actor_type),
      ',"changed_fields":' || array_to_json(changed_fields)::text,
      ',"context":', chained_logging.parsed(body) -> 'context',
      ',"id":"', id,
      '","ip_address":', chained_logging.parsed(body) -> 'ip_address',
      CASE WHEN strpos(body, '"old_values":') > 0 THEN
        ',"old_values":' || (chained_logging.parsed(body) -> 'old_values')::text END,
      ',"on_behalf_of":' || to_json(on_behalf_of)::text,
      ',"prev_hash":', to_json(prev_hash),
      ',"reason":' || to_json(reason)::text,
      ',"resource_id":', to_json(resource_id),
      ',"resource_type":', to_json(resource_type),
      CASE WHEN strpos(body, '"resources":') > 0 THEN
        ',"resources":' || chained_logging.records(chained_logging.parsed(body) -> 'resources') END,
      ',"result":', to_json(result),
      ',"seq":', seq,
      ',"session_id":' || to_json(session_id)::text,
      ',"tenant_id":' || to_json(tenant_id)::text,
      ',"timestamp":"', to_char("timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
      '"',
      ',"trace_id":' || to_json(trace_id)::text,
      ',"user_agent":' || to_json(user_agent)::text,
      ',"v":1}')) IS TRUE),
  CONSTRAINT timestamp_is_of_our_era CHECK ("timestamp" >= '0001-01-01 00:00:00+00'::timestamptz),
  CONSTRAINT id_is_uuid_of_version_7
    CHECK (substr(id::text, 15, 1) = '7' AND substr(id::text, 20, 1) IN ('8', '9', 'a', 'b')),
  CONSTRAINT context_is_object CHECK (jsonb_typeof(context) = 'object'),
  CONSTRAINT old_values_is_object CHECK (jsonb_typeof(old_values) = 'object'),
  CONSTRAINT hash_is_hash CHECK (octet_length(hash) = 64),
  CONSTRAINT prev_hash_is_hash CHECK ((prev_hash = 'GENESIS') = (seq = 0)
    AND (prev_hash = 'GENESIS' OR octet_length(prev_hash) = 64)),
  CONSTRAINT signature_is_signature CHECK (octet_length(signature) = 88),
  CONSTRAINT seq_is_place CHECK (seq BETWEEN 0 AND 9007199254740991),
  CONSTRAINT actor_id_is_name CHECK (octet_length(actor_id) BETWEEN 1 AND 1024),
  CONSTRAINT actor_type_is_known
    CHECK (actor_type IN ('user', 'service', 'admin', 'system', 'unknown')),
  CONSTRAINT action_is_name CHECK (octet_length(action) BETWEEN 1 AND 1024),
  CONSTRAINT resource_type_is_name CHECK (octet_length(resource_type) BETWEEN 1 AND 1024),
  CONSTRAINT resource_id_is_name CHECK (octet_length(resource_id) BETWEEN 1 AND 1024),
  CONSTRAINT session_id_is_name CHECK (octet_length(session_id) BETWEEN 1 AND 1024),
  CONSTRAINT on_behalf_of_is_name CHECK (octet_length(on_behalf_of) BETWEEN 1 AND 1024),
  CONSTRAINT tenant_id_is_name CHECK (octet_length(tenant_id) BETWEEN 1 AND 1024),
  CONSTRAINT trace_id_is_trace_id CHECK (trace_id ~ '^[0-9a-f]{32}$' AND trace_id ~ '[1-9a-f]'),
  CONSTRAINT result_is_known CHECK (result IN ('success', 'failure', 'denied', 'unknown')),
  CONSTRAINT ip_address_is_host
    CHECK (masklen(ip_address) = CASE family(ip_address) WHEN 4 THEN 32 ELSE 128 END),
  CONSTRAINT ip_address_is_given
    CHECK (ip_address IS NOT NULL OR ip_address_unknown OR actor_type IN ('service', 'system')),
  CONSTRAINT genesis_names_origin CHECK (seq > 0 OR (action = 'log.open' AND resource_id = origin))
) PARTITION BY RANGE ("timestamp");

CREATE INDEX ON chained_logging.entries (actor_id, "timestamp");
CREATE INDEX ON chained_logging.entries (resource_type, resource_id, "timestamp");
CREATE INDEX ON chained_logging.entries ("timestamp");
CREATE INDEX ON chained_logging.entries (action, "timestamp");
-- Finds a record among others that one event touched: resources @> '[{"type": ..., "id": ...}]'.
CREATE INDEX ON chained_logging.entries USING gin (resources jsonb_path_ops)
  WHERE resources IS NOT NULL;
-- Small, as most attempts succeed; it answers refused_attempts() from itself alone.
CREATE INDEX ON chained_logging.entries ("timestamp", actor_id)
  WHERE result IN ('failure', 'denied');
-- Finds an entry by any of its fields, and by words: searched(body) @@ '''a=ann'' & treatment'.
CREATE INDEX entries_searched_idx ON chained_logging.entries
  USING gin (chained_logging.searched(body));

-- For what no month takes, such as an event of a clock that is far off.
CREATE TABLE chained_logging.entries_default PARTITION OF chained_logging.entries DEFAULT;

-- Where each log ends. Written by the trigger on entries alone.
CREATE TABLE chained_logging.heads (
  origin text COLLATE "C" PRIMARY KEY,
  seq bigint NOT NULL,
  hash text COLLATE "C" NOT NULL
);

CREATE TABLE chained_logging.checkpoints (
  origin text COLLATE "C" NOT NULL,
  size bigint NOT NULL,
  note text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL,
  timestamp text COLLATE "C",
  -- Different checkpoints of one size are all kept, such as one that witnesses signed later. Only
  -- the signatures tell which is genuine.
  digest bigint NOT NULL GENERATED ALWAYS AS
    (hashtextextended((note || coalesce(timestamp, '')) COLLATE "C", 0)) STORED,
  PRIMARY KEY (origin, size, digest),
  CONSTRAINT note_is_of_origin_and_size
    CHECK (split_part(note, E'\n', 1) = origin AND split_part(note, E'\n', 2) = size::text),
  CONSTRAINT note_fits CHECK (octet_length(note) <= 65535),
  CONSTRAINT state_fits CHECK (octet_length(state) <= 65535),
  CONSTRAINT timestamp_fits CHECK (octet_length(timestamp) <= 400000)
);


-- What is left of an entry that was removed. With it, links, Merkle roots and proofs still hold.
CREATE TABLE chained_logging.stubs (
  origin text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  hash text COLLATE "C" NOT NULL,
  signature text COLLATE "C",
  PRIMARY KEY (origin, seq),
  CONSTRAINT hash_is_hash CHECK (hash ~ '^[0-9a-f]{64}$'),
  CONSTRAINT signature_is_signature CHECK (octet_length(signature) = 88),
  CONSTRAINT seq_is_place CHECK (seq BETWEEN 0 AND 9007199254740991)
);

-- What may be removed: ranges that an entry retention.apply names, number "by" of its log, and that
-- entry's policy; a list that is NULL fits every entry. Written by approve() alone.
CREATE TABLE chained_logging.purges (
  origin text COLLATE "C" NOT NULL,
  first bigint NOT NULL,
  last bigint NOT NULL,
  by bigint NOT NULL,
  before timestamptz NOT NULL,
  resource_types text[] COLLATE "C",
  actions text[] COLLATE "C",
  tenants text[] COLLATE "C",
  PRIMARY KEY (origin, first),
  CONSTRAINT range_is_range CHECK (0 <= first AND first <= last AND last < by)
);

-- What must stay: legal holds, as entries hold.add say. A field that is NULL fits every entry.
-- Written by the trigger on entries alone.
CREATE TABLE chained_logging.holds (
  origin text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  "case" text COLLATE "C" NOT NULL,
  actor_id text COLLATE "C",
  action text COLLATE "C",
  resource_type text COLLATE "C",
  resource_id text COLLATE "C",
  tenant_id text COLLATE "C",
  since timestamptz,
  until timestamptz,
  PRIMARY KEY (origin, seq)
);

-- Which holds have ended, by which entry hold.release. Written by approve() alone.
CREATE TABLE chained_logging.lifts (
  origin text COLLATE "C" NOT NULL,
  hold bigint NOT NULL,
  by bigint NOT NULL,
  PRIMARY KEY (origin, hold),
  CONSTRAINT release_is_later CHECK (by > hold)
);

-- What was moved to an archive: entries of one month, from number "first" to "last", in one file
-- there. Written by archive() alone.
CREATE TABLE chained_logging.archived (
  origin text COLLATE "C" NOT NULL,
  first bigint NOT NULL,
  last bigint NOT NULL,
  since timestamptz NOT NULL,
  until timestamptz NOT NULL,
  archive text COLLATE "C" NOT NULL,
  file text COLLATE "C" NOT NULL,
  sha256 text COLLATE "C" NOT NULL,
  login text COLLATE "C" NOT NULL,
  moved timestamptz NOT NULL,
  PRIMARY KEY (origin, since, first, last),
  CONSTRAINT range_is_range CHECK (0 <= first AND first <= last),
  CONSTRAINT sha256_is_hash CHECK (sha256 ~ '^[0-9a-f]{64}$')
);

-- Partitions in whose files removed entries may still be read, until compact() has written them
-- again.
CREATE TABLE chained_logging.remains (
  month text COLLATE "C" PRIMARY KEY
);


-- Which login ships which logs. The administrator of the database fills this table.
CREATE TABLE chained_logging.shippers (
  login text COLLATE "C" NOT NULL,
  origin text COLLATE "C" NOT NULL,
  PRIMARY KEY (login, origin)
);

-- Called for each row, so it sets no search_path, and names everything in full instead.
CREATE FUNCTION chained_logging.is_bound() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  -- Before the row is in the table: one that waits in an unfinished transaction, under the name of
  -- another log, would keep that one's shipper waiting.
  IF EXISTS (
    SELECT FROM chained_logging.shippers AS s
    WHERE s.login OPERATOR(pg_catalog.=) session_user::pg_catalog.text
      AND (s.origin OPERATOR(pg_catalog.=) NEW.origin
        OR (pg_catalog.right(s.origin, 1) OPERATOR(pg_catalog.=) '*'
          AND pg_catalog.starts_with(NEW.origin, pg_catalog.left(s.origin, -1))))
  ) OR pg_catalog.pg_has_role(session_user, 'chained_logging_owner', 'MEMBER') THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'CL004', MESSAGE = pg_catalog.format(
    'the login %s is not bound to the log %s: INSERT INTO chained_logging.shippers (login, origin)'
    ' VALUES (%L, %L)', session_user, NEW.origin, session_user, NEW.origin);
END
$$;


-- The chain. No matter who inserts, or how, each row must be the next entry of its log.
-- Errors: CL001 the row does not continue the log; CL002 the entry is stored already; CL003 a stored
-- row would change; CL004 the login is not bound to this log; CL005 an entry may not be removed.
--
-- A log that is shipped after a part of it was removed has stubs among its entries. Those of a batch
-- come first; the entries then fill the places between them.

-- A hold that cannot be read keeps every entry, under a case of its own.
CREATE FUNCTION chained_logging.add_hold(log text, at bigint, body text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
  about json := chained_logging.parsed(body) -> 'context';
  given json;
  moment text := '^[0-9]{4}-[01][0-9]-[0-3][0-9]T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z$';
BEGIN
  given := about -> 'filter';
  IF (json_typeof(about -> 'case') = 'string' AND about ->> 'case' <> ''
    AND json_typeof(given) = 'object' AND NOT EXISTS (
      SELECT FROM json_each(given) AS field
      WHERE json_typeof(field.value) <> 'string'
        OR field.key NOT IN ('actor_id', 'action', 'resource_type', 'resource_id', 'tenant_id',
          'since', 'until')
        OR (field.key IN ('since', 'until') AND given ->> field.key !~ moment))) IS NOT TRUE
  THEN
    RAISE EXCEPTION 'not a hold';
  END IF;
  INSERT INTO chained_logging.holds (origin, seq, "case", actor_id, action, resource_type,
      resource_id, tenant_id, since, until)
    VALUES (log, at, about ->> 'case', given ->> 'actor_id', given ->> 'action',
      given ->> 'resource_type', given ->> 'resource_id', given ->> 'tenant_id',
      (given ->> 'since')::timestamptz, (given ->> 'until')::timestamptz);
EXCEPTION WHEN OTHERS THEN
  INSERT INTO chained_logging.holds (origin, seq, "case")
    VALUES (log, at, format('entry %s', at));
END
$$;

CREATE FUNCTION chained_logging.append() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  log record;
  head record;
  wrong record;
  hold record;
BEGIN
  FOR log IN SELECT added.origin FROM added GROUP BY added.origin ORDER BY added.origin LOOP
    INSERT INTO chained_logging.heads (origin, seq, hash) VALUES (log.origin, -1, 'GENESIS')
      ON CONFLICT DO NOTHING;
    -- Others who append to this log wait here until we commit, and then see what we wrote.
    SELECT heads.seq, heads.hash INTO STRICT head
      FROM chained_logging.heads WHERE heads.origin = log.origin FOR UPDATE;
    SELECT placed.* INTO wrong FROM (
      SELECT hashed.*,
        1 + coalesce(lag(hashed.seq) OVER in_order, head.seq) AS due,
        coalesce(lag(hashed.hash) OVER in_order, head.hash) AS before
      FROM (
        SELECT added.seq, added.prev_hash, added.hash,
          encode(sha256('\x00'::bytea || convert_to(added.body, 'UTF8')), 'hex') AS own
        FROM added WHERE added.origin = log.origin
        UNION ALL
        SELECT stubs.seq, NULL, stubs.hash, stubs.hash
        FROM chained_logging.stubs WHERE stubs.origin = log.origin AND stubs.seq > head.seq
        OFFSET 0
      ) AS hashed
      WINDOW in_order AS (ORDER BY hashed.seq)
    ) AS placed
    WHERE placed.seq <> placed.due OR placed.prev_hash <> placed.before OR placed.hash <> placed.own
    ORDER BY placed.seq LIMIT 1;
    IF wrong.seq IS NULL THEN
      UPDATE chained_logging.heads AS standing SET seq = latest.seq, hash = latest.hash
        FROM (SELECT added.seq, added.hash FROM added WHERE added.origin = log.origin
              UNION ALL SELECT stubs.seq, stubs.hash FROM chained_logging.stubs
              WHERE stubs.origin = log.origin AND stubs.seq > head.seq
              ORDER BY seq DESC LIMIT 1) AS latest
        WHERE standing.origin = log.origin;
      FOR hold IN SELECT added.seq, added.body FROM added WHERE added.origin = log.origin
        AND added.action = 'hold.add' AND added.actor_id = 'chained_logging'
        AND added.actor_type = 'system'
      LOOP
        PERFORM chained_logging.add_hold(log.origin, hold.seq, hold.body);
      END LOOP;
    ELSIF wrong.hash <> wrong.own THEN
      RAISE EXCEPTION USING ERRCODE = 'CL001', MESSAGE = format(
        'entry %s of %s was edited: its hash is not that of its body', wrong.seq, log.origin);
    ELSIF wrong.seq > wrong.due THEN
      RAISE EXCEPTION USING ERRCODE = 'CL001', MESSAGE = format(
        'entry %s of %s leaves a gap: the next is %s', wrong.seq, log.origin, wrong.due);
    ELSIF wrong.seq = wrong.due THEN
      RAISE EXCEPTION USING ERRCODE = 'CL001', MESSAGE = format(
        'entry %s of %s does not follow the previous entry, which has another hash', wrong.seq,
        log.origin);
    ELSIF EXISTS (
      SELECT FROM chained_logging.entries AS standing WHERE standing.origin = log.origin
        AND standing.seq = wrong.seq AND standing.hash <> wrong.hash
      UNION ALL
      SELECT FROM chained_logging.stubs AS standing WHERE standing.origin = log.origin
        AND standing.seq = wrong.seq AND standing.hash <> wrong.hash
    ) THEN
      RAISE EXCEPTION USING ERRCODE = 'CL001', MESSAGE = format(
        'entry %s of %s is a fork: another entry has this seq', wrong.seq, log.origin);
    ELSE
      RAISE EXCEPTION USING ERRCODE = 'CL002', MESSAGE = format(
        'entry %s of %s is stored already', wrong.seq, log.origin);
    END IF;
  END LOOP;
  RETURN NULL;
END
$$;

-- Stubs that are shipped: they are in front of the head. The head moves over those that follow it.
CREATE FUNCTION chained_logging.append_stubs() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  log record;
  head record;
BEGIN
  FOR log IN SELECT added.origin, min(added.seq) AS first FROM added
    GROUP BY added.origin ORDER BY added.origin
  LOOP
    INSERT INTO chained_logging.heads (origin, seq, hash) VALUES (log.origin, -1, 'GENESIS')
      ON CONFLICT DO NOTHING;
    SELECT heads.seq INTO STRICT head
      FROM chained_logging.heads WHERE heads.origin = log.origin FOR UPDATE;
    IF log.first <= head.seq THEN
      RAISE EXCEPTION USING ERRCODE = 'CL002', MESSAGE = format(
        'entry %s of %s is stored already', log.first, log.origin);
    END IF;
    UPDATE chained_logging.heads AS standing SET seq = latest.seq, hash = latest.hash
      FROM (SELECT placed.seq, placed.hash FROM (
              SELECT stubs.seq, stubs.hash,
                head.seq + row_number() OVER (ORDER BY stubs.seq) AS due
              FROM chained_logging.stubs
              WHERE stubs.origin = log.origin AND stubs.seq > head.seq
            ) AS placed
            WHERE placed.seq = placed.due ORDER BY placed.seq DESC LIMIT 1) AS latest
      WHERE standing.origin = log.origin;
  END LOOP;
  RETURN NULL;
END
$$;

-- At the end of a transaction, no stub is in front of the head.
CREATE FUNCTION chained_logging.stub_follows() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (
    SELECT FROM chained_logging.heads WHERE heads.origin = NEW.origin AND heads.seq >= NEW.seq
  ) THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'CL001', MESSAGE = format(
    'stub %s of %s leaves a gap', NEW.seq, NEW.origin);
END
$$;

CREATE FUNCTION chained_logging.append_only() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'CL003', MESSAGE = format(
    'the audit log is append-only: no %s of %s', TG_OP, TG_TABLE_NAME);
END
$$;

CREATE FUNCTION chained_logging.heads_only_follow() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP IN ('INSERT', 'UPDATE') AND pg_trigger_depth() > 1 THEN  -- from the trigger on entries
    RETURN NULL;
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'CL003', MESSAGE =
    'where a log ends is written by the trigger on entries alone';
END
$$;

CREATE FUNCTION chained_logging.checkpoint_fits() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NEW.size BETWEEN 1 AND
      (SELECT heads.seq + 1 FROM chained_logging.heads WHERE heads.origin = NEW.origin) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'CL001', MESSAGE = format(
    'a checkpoint of %s covers %s entries, more than stand there', NEW.origin, NEW.size);
END
$$;


-- Removing. An entry goes when its stub comes: the trigger on stubs checks it, and deletes it. It
-- checks what the database can: that a decision was approved, that its policy fits, that no hold
-- covers the entry. Whether the log's key signed the decision is for the caller of approve() to
-- check: PostgreSQL knows no Ed25519.

CREATE FUNCTION chained_logging.is_held(
  log text, moment timestamptz, actor text, act text, kind text, id text, tenant text, further jsonb)
RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT EXISTS (
    SELECT FROM chained_logging.holds AS h
    WHERE h.origin = log
      AND NOT EXISTS (SELECT FROM chained_logging.lifts AS l
        WHERE l.origin = h.origin AND l.hold = h.seq)
      AND (h.actor_id IS NULL OR h.actor_id = actor)
      AND (h.action IS NULL OR h.action = act)
      AND (h.tenant_id IS NULL OR h.tenant_id = tenant)
      AND (h.since IS NULL OR moment >= h.since)
      AND (h.until IS NULL OR moment < h.until)
      AND EXISTS (
        SELECT FROM (
          SELECT kind, id
          UNION ALL
          SELECT record ->> 'type', record ->> 'id' FROM jsonb_array_elements(further) AS record
        ) AS named (type, id)
        WHERE (h.resource_type IS NULL OR h.resource_type = named.type)
          AND (h.resource_id IS NULL OR h.resource_id = named.id)))
$$;

-- Entries that are never removed, besides the first and the last: what verifies the others.
CREATE FUNCTION chained_logging.is_about_the_log(actor text, act text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT actor = 'chained_logging' AND act ~ '^(key|retention|hold|archive)\.'
$$;

CREATE FUNCTION chained_logging.remove() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  log record;
  head record;
  wrong record;
BEGIN
  -- OFFSET 0 has each row looked up by itself. Without statistics, the planner would compare all
  -- rows with all.
  FOR log IN SELECT added.origin, array_agg(added.seq ORDER BY added.seq) AS seqs FROM added
    GROUP BY added.origin ORDER BY added.origin
  LOOP
    -- No hold is added meanwhile: it would have to wait for this row.
    SELECT heads.seq INTO STRICT head
      FROM chained_logging.heads WHERE heads.origin = log.origin FOR UPDATE;
    SELECT added.seq INTO wrong FROM added
      LEFT JOIN LATERAL (
        SELECT * FROM chained_logging.entries AS e
        WHERE e.origin = log.origin AND e.seq = added.seq OFFSET 0
      ) AS e ON true
      WHERE added.origin = log.origin AND (
        e.hash = added.hash AND e.signature IS NOT DISTINCT FROM added.signature
        AND e.seq > 0 AND e.seq < head.seq
        AND NOT chained_logging.is_about_the_log(e.actor_id, e.action)
        AND (
          EXISTS (
            SELECT FROM (
              SELECT * FROM chained_logging.purges AS p
              WHERE p.origin = e.origin AND p.first <= e.seq ORDER BY p.first DESC LIMIT 1
            ) AS p
            WHERE e.seq <= p.last AND e."timestamp" < p.before
              AND (p.resource_types IS NULL OR e.resource_type = ANY (p.resource_types))
              AND (p.actions IS NULL OR e.action = ANY (p.actions))
              AND (p.tenants IS NULL OR e.tenant_id = ANY (p.tenants)))
          OR EXISTS (
            SELECT FROM chained_logging.archived AS a
            WHERE a.origin = e.origin AND e.seq BETWEEN a.first AND a.last
              AND e."timestamp" >= a.since AND e."timestamp" < a.until))
        AND NOT chained_logging.is_held(e.origin, e."timestamp", e.actor_id, e.action,
          e.resource_type, e.resource_id, e.tenant_id, e.resources)) IS NOT TRUE
      LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION USING ERRCODE = 'CL005', MESSAGE = format(
        'entry %s of %s may not be removed: no approved decision covers it, or a hold does',
        wrong.seq, log.origin);
    END IF;
    WITH gone AS (
      DELETE FROM chained_logging.entries AS e
      WHERE e.origin = log.origin AND e.seq = ANY (log.seqs)
      RETURNING e.tableoid
    )
    INSERT INTO chained_logging.remains (month)
      SELECT DISTINCT c.relname FROM gone JOIN pg_class AS c ON c.oid = gone.tableoid
      ON CONFLICT DO NOTHING;
  END LOOP;
  RETURN NULL;
END
$$;

-- Entries are deleted by the trigger on stubs alone.
CREATE FUNCTION chained_logging.delete_only_for_stubs() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF pg_trigger_depth() > 1 THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'CL003', MESSAGE = format(
    'the audit log is append-only: no %s of %s', TG_OP, TG_TABLE_NAME);
END
$$;

-- Whatever else deletes: each entry that is gone has its stub.
CREATE FUNCTION chained_logging.gone_for_stubs() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (
    SELECT FROM gone WHERE NOT EXISTS (
      SELECT FROM chained_logging.stubs AS s
      WHERE s.origin = gone.origin AND s.seq = gone.seq AND s.hash = gone.hash
        AND s.signature IS NOT DISTINCT FROM gone.signature OFFSET 0)
  ) THEN
    RAISE EXCEPTION USING ERRCODE = 'CL003', MESSAGE = format(
      'the audit log is append-only: no DELETE of %s without a stub', TG_TABLE_NAME);
  END IF;
  RETURN NULL;
END
$$;

-- Makes a decision count here: of a retention.apply, that what it names may be removed; of a
-- hold.release, that the holds of its case have ended. The caller has checked that the log's key
-- signed it.
CREATE FUNCTION chained_logging.approve(log text, at bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
  decision record;
  about jsonb;
  wanted jsonb;
  moment timestamptz;
BEGIN
  PERFORM FROM chained_logging.heads WHERE heads.origin = log FOR UPDATE;
  SELECT e.* INTO decision FROM chained_logging.entries AS e WHERE e.origin = log AND e.seq = at
    AND e.actor_id = 'chained_logging' AND e.actor_type = 'system'
    AND e.action IN ('retention.apply', 'hold.release');
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'CL005', MESSAGE = format(
      'entry %s of %s is not a decision of the log', at, log);
  END IF;
  about := (chained_logging.parsed(decision.body) -> 'context')::jsonb;
  IF decision.action = 'hold.release' THEN
    INSERT INTO chained_logging.lifts (origin, hold, by)
      SELECT h.origin, h.seq, at FROM chained_logging.holds AS h
      WHERE h.origin = log AND h.seq < at AND h."case" = about ->> 'case'
      ON CONFLICT DO NOTHING;
    RETURN decision.action;
  END IF;
  IF EXISTS (SELECT FROM chained_logging.purges AS p WHERE p.origin = log AND p.by = at) THEN
    RETURN decision.action;
  END IF;
  wanted := coalesce(about -> 'selector', '{}');
  moment := (about ->> 'before')::timestamptz;
  IF (moment + (about ->> 'days')::int * interval '1 day' <= decision."timestamp"
    AND (about ->> 'days')::int > 0 AND jsonb_typeof(wanted) = 'object'
    AND NOT EXISTS (SELECT FROM jsonb_object_keys(wanted) AS key
      WHERE key NOT IN ('resource_type', 'action', 'tenant_id'))
    AND NOT EXISTS (SELECT FROM jsonb_array_elements(about -> 'ranges') AS range
      WHERE jsonb_array_length(range) <> 2)) IS NOT TRUE
  THEN
    RAISE EXCEPTION USING ERRCODE = 'CL005', MESSAGE = format(
      'entry %s of %s names a policy that does not hold: the period must have ended', at, log);
  END IF;
  INSERT INTO chained_logging.purges
      (origin, first, last, by, before, resource_types, actions, tenants)
    SELECT log, (range ->> 0)::bigint, (range ->> 1)::bigint, at, moment,
      chained_logging.names((wanted -> 'resource_type')::json),
      chained_logging.names((wanted -> 'action')::json),
      chained_logging.names((wanted -> 'tenant_id')::json)
    FROM jsonb_array_elements(about -> 'ranges') AS range;
  IF EXISTS (
    SELECT FROM (
      SELECT p.by, p.first, lag(p.last) OVER (ORDER BY p.first) AS before
      FROM chained_logging.purges AS p WHERE p.origin = log
    ) AS placed WHERE placed.before >= placed.first
  ) THEN
    RAISE EXCEPTION USING ERRCODE = 'CL005', MESSAGE = format(
      'entry %s of %s names ranges that overlap with others', at, log);
  END IF;
  RETURN decision.action;
END
$$;

-- Removes the next entries that a decision names, after one that was reached before, and returns how
-- many, and up to where all were looked at; NULL if none are left. What a hold covers stays.
CREATE FUNCTION chained_logging.purge(
  log text, decision bigint, after bigint DEFAULT -1, most int DEFAULT 5000,
  OUT removed bigint, OUT reached bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  lowest bigint;
BEGIN
  PERFORM FROM chained_logging.heads WHERE heads.origin = log FOR UPDATE;
  SELECT min(due.first), max(least(due.last, due.first + most - due.before - 1))
    INTO lowest, reached FROM (
      SELECT rest.first, rest.last,
        sum(rest.last - rest.first + 1) OVER (ORDER BY rest.first)
          - (rest.last - rest.first + 1) AS before
      FROM (
        SELECT greatest(p.first, after + 1) AS first, p.last FROM chained_logging.purges AS p
        WHERE p.origin = log AND p.by = decision AND p.last > after
      ) AS rest
    ) AS due WHERE due.before < most;
  WITH put AS (
    INSERT INTO chained_logging.stubs (origin, seq, hash, signature)
      SELECT e.origin, e.seq, e.hash, e.signature
      FROM chained_logging.purges AS p CROSS JOIN LATERAL (
        SELECT * FROM chained_logging.entries AS e
        WHERE e.origin = log
          AND e.seq BETWEEN greatest(p.first, lowest) AND least(p.last, reached) OFFSET 0
      ) AS e
      WHERE p.origin = log AND p.by = decision AND p.first <= reached AND p.last >= lowest
        AND NOT chained_logging.is_held(e.origin, e."timestamp", e.actor_id, e.action,
          e.resource_type, e.resource_id, e.tenant_id, e.resources)
      RETURNING 1
  )
  SELECT count(*) INTO removed FROM put;
END
$$;

-- Removes entries of one month, which has ended, that were stored in an archive, and returns how many:
-- those of a log from number "first" to "last". What a hold covers stays, and so does what is about
-- the log. The caller has read the file there again.
CREATE FUNCTION chained_logging.archive(
  log text, month timestamptz, first bigint, last bigint, archive text, file text, sha256 text)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
#variable_conflict use_variable
DECLARE
  since timestamptz := date_trunc('month', month);
  until timestamptz := date_trunc('month', month) + interval '1 month';
  head bigint;
  going bigint[];
BEGIN
  IF until > now() THEN
    RAISE EXCEPTION USING ERRCODE = 'CL005', MESSAGE = format(
      'the month %s has not ended', to_char(since, 'YYYY-MM'));
  END IF;
  SELECT h.seq INTO head FROM chained_logging.heads AS h WHERE h.origin = log FOR UPDATE;
  SELECT array_agg(e.seq) INTO going FROM chained_logging.entries AS e
    WHERE e.origin = log AND e.seq BETWEEN greatest(first, 1) AND least(last, head - 1)
      AND e."timestamp" >= since AND e."timestamp" < until
      AND NOT chained_logging.is_about_the_log(e.actor_id, e.action)
      AND NOT chained_logging.is_held(e.origin, e."timestamp", e.actor_id, e.action,
        e.resource_type, e.resource_id, e.tenant_id, e.resources);
  IF going IS NULL THEN
    RETURN 0;
  END IF;
  INSERT INTO chained_logging.archived
      (origin, first, last, since, until, archive, file, sha256, login, moved)
    VALUES (log, first, last, since, until, archive, file, sha256, session_user, now())
    ON CONFLICT DO NOTHING;
  INSERT INTO chained_logging.stubs (origin, seq, hash, signature)
    SELECT e.origin, e.seq, e.hash, e.signature
    FROM unnest(going) AS due (seq) CROSS JOIN LATERAL (
      SELECT * FROM chained_logging.entries AS e
      WHERE e.origin = log AND e.seq = due.seq OFFSET 0
    ) AS e;
  RETURN cardinality(going);
END
$$;

-- Writes a partition again without what was removed, or drops it if nothing is left and it is older
-- than a year. Until then, the bytes of removed entries are in its files, and their words in its
-- indexes. Returns whether all of it could be done: rows that an open transaction may still see stay.
CREATE FUNCTION chained_logging.compact(part text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
SET lock_timeout = '2s' AS $$
DECLARE
  living bigint;
  written real;
BEGIN
  IF NOT EXISTS (SELECT FROM chained_logging.remains WHERE month = part) THEN
    RETURN true;
  END IF;
  EXECUTE format('SELECT count(*) FROM chained_logging.%I', part) INTO living;
  IF living = 0 AND part ~ '^entries_[0-9]{4}_[0-9]{2}$'
    AND part < 'entries_' || to_char(now() - interval '13 months', 'YYYY_MM')
  THEN
    LOCK TABLE chained_logging.entries IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('SELECT count(*) FROM chained_logging.%I', part) INTO living;
    IF living = 0 THEN
      EXECUTE format('DROP TABLE chained_logging.%I', part);
      DELETE FROM chained_logging.remains WHERE month = part;
      RETURN true;
    END IF;
  END IF;
  EXECUTE format('CLUSTER chained_logging.%I USING %I', part, part || '_pkey');
  EXECUTE format('ALTER TABLE chained_logging.%I SET WITHOUT CLUSTER', part);
  EXECUTE format('SELECT count(*) FROM chained_logging.%I', part) INTO living;
  -- A new index has what is dead, too, but that somebody may still see.
  SELECT c.reltuples INTO written FROM pg_class AS c
    WHERE c.oid = to_regclass(format('chained_logging.%I', part || '_pkey'));
  EXECUTE format('ANALYZE chained_logging.%I', part);
  IF written::bigint = living THEN
    DELETE FROM chained_logging.remains WHERE month = part;
  END IF;
  RETURN written::bigint = living;
END
$$;


-- Triggers for a whole statement are not inherited by partitions, so each table gets its own. All
-- are ENABLE ALWAYS, so that session_replication_role does not pass them by. Those for each row
-- are of the partitions alone, where the rows are.
CREATE FUNCTION chained_logging.guard(name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format(
    'CREATE TRIGGER append AFTER INSERT ON chained_logging.%1$I REFERENCING NEW TABLE AS added'
    ' FOR EACH STATEMENT EXECUTE FUNCTION chained_logging.append();'
    ' CREATE TRIGGER append_only BEFORE UPDATE OR TRUNCATE ON chained_logging.%1$I'
    ' FOR EACH STATEMENT EXECUTE FUNCTION chained_logging.append_only();'
    ' CREATE TRIGGER delete_only BEFORE DELETE ON chained_logging.%1$I'
    ' FOR EACH STATEMENT EXECUTE FUNCTION chained_logging.delete_only_for_stubs();'
    ' CREATE TRIGGER gone AFTER DELETE ON chained_logging.%1$I REFERENCING OLD TABLE AS gone'
    ' FOR EACH STATEMENT EXECUTE FUNCTION chained_logging.gone_for_stubs();'
    ' ALTER TABLE chained_logging.%1$I ENABLE ALWAYS TRIGGER append;'
    ' ALTER TABLE chained_logging.%1$I ENABLE ALWAYS TRIGGER append_only;'
    ' ALTER TABLE chained_logging.%1$I ENABLE ALWAYS TRIGGER delete_only;'
    ' ALTER TABLE chained_logging.%1$I ENABLE ALWAYS TRIGGER gone;', name);
  -- A sample of texts in the planner's statistics would outlive the entries.
  EXECUTE format(
    'ALTER TABLE chained_logging.%1$I ALTER body SET STATISTICS 0,'
    ' ALTER context SET STATISTICS 0, ALTER old_values SET STATISTICS 0,'
    ' ALTER reason SET STATISTICS 0', name);
  IF name <> 'entries' THEN
    EXECUTE format(
      'CREATE TRIGGER bound BEFORE INSERT ON chained_logging.%1$I'
      ' FOR EACH ROW EXECUTE FUNCTION chained_logging.is_bound();'
      ' ALTER TABLE chained_logging.%1$I ENABLE ALWAYS TRIGGER bound;', name);
  END IF;
END
$$;

SELECT chained_logging.guard('entries');
SELECT chained_logging.guard('entries_default');

CREATE TRIGGER follow BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON chained_logging.heads
  FOR EACH STATEMENT EXECUTE FUNCTION chained_logging.heads_only_follow();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON chained_logging.checkpoints
  FOR EACH STATEMENT EXECUTE FUNCTION chained_logging.append_only();
CREATE TRIGGER bound BEFORE INSERT ON chained_logging.checkpoints
  FOR EACH ROW EXECUTE FUNCTION chained_logging.is_bound();
CREATE TRIGGER fits BEFORE INSERT ON chained_logging.checkpoints
  FOR EACH ROW EXECUTE FUNCTION chained_logging.checkpoint_fits();
CREATE TRIGGER bound BEFORE INSERT ON chained_logging.stubs
  FOR EACH ROW WHEN (current_user <> 'chained_logging_owner')
  EXECUTE FUNCTION chained_logging.is_bound();
CREATE TRIGGER append AFTER INSERT ON chained_logging.stubs REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT WHEN (current_user <> 'chained_logging_owner')
  EXECUTE FUNCTION chained_logging.append_stubs();
CREATE TRIGGER remove AFTER INSERT ON chained_logging.stubs REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT WHEN (current_user = 'chained_logging_owner')
  EXECUTE FUNCTION chained_logging.remove();
CREATE CONSTRAINT TRIGGER follow AFTER INSERT ON chained_logging.stubs
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION chained_logging.stub_follows();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON chained_logging.stubs
  FOR EACH STATEMENT EXECUTE FUNCTION chained_logging.append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON chained_logging.purges
  FOR EACH STATEMENT EXECUTE FUNCTION chained_logging.append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON chained_logging.holds
  FOR EACH STATEMENT EXECUTE FUNCTION chained_logging.append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON chained_logging.lifts
  FOR EACH STATEMENT EXECUTE FUNCTION chained_logging.append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON chained_logging.archived
  FOR EACH STATEMENT EXECUTE FUNCTION chained_logging.append_only();
ALTER TABLE chained_logging.stubs ENABLE ALWAYS TRIGGER bound;
ALTER TABLE chained_logging.stubs ENABLE ALWAYS TRIGGER append;
ALTER TABLE chained_logging.stubs ENABLE ALWAYS TRIGGER remove;
ALTER TABLE chained_logging.stubs ENABLE ALWAYS TRIGGER follow;
ALTER TABLE chained_logging.stubs ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE chained_logging.purges ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE chained_logging.holds ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE chained_logging.lifts ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE chained_logging.archived ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE chained_logging.heads ENABLE ALWAYS TRIGGER follow;
ALTER TABLE chained_logging.checkpoints ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE chained_logging.checkpoints ENABLE ALWAYS TRIGGER bound;
ALTER TABLE chained_logging.checkpoints ENABLE ALWAYS TRIGGER fits;


-- Months. The owner makes partitions ahead of time, and no shipper may: to make one takes a lock on
-- everything, which a transaction that is left open would keep. A month gets none where the default
-- partition has entries of it already; they stay there.
CREATE FUNCTION chained_logging.add_month(moment timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
SET lock_timeout = '2s' AS $$
DECLARE
  first timestamptz := date_trunc('month', moment);
  next timestamptz := first + interval '1 month';
  name text := 'entries_' || to_char(first, 'YYYY_MM');
BEGIN
  IF to_regclass('chained_logging.' || name) IS NOT NULL THEN
    RETURN name;
  END IF;
  IF EXISTS (
    SELECT FROM chained_logging.entries_default AS standing
      WHERE standing."timestamp" >= first AND standing."timestamp" < next
  ) THEN
    RETURN 'entries_default';
  END IF;
  EXECUTE format(
    'CREATE TABLE chained_logging.%I PARTITION OF chained_logging.entries'
    ' FOR VALUES FROM (%L) TO (%L)', name, first, next);
  PERFORM chained_logging.guard(name);
  RETURN name;
END
$$;

-- Those of the coming two years; returns the last of them.
CREATE FUNCTION chained_logging.add_months(ahead int DEFAULT 24) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
BEGIN
  FOR month IN 0 .. ahead LOOP
    PERFORM chained_logging.add_month(now() + month * interval '1 month');
  END LOOP;
  RETURN to_char(now() + ahead * interval '1 month', 'YYYY-MM');
END
$$;

SELECT chained_logging.add_month(now() - month * interval '1 month')
  FROM generate_series(1, 12) AS month;
SELECT chained_logging.add_months();


-- The ordinary questions. Everything is named in full, whatever search_path it is asked under.

CREATE FUNCTION chained_logging.actions_of(actor text, period interval DEFAULT '30 days')
RETURNS SETOF chained_logging.entries LANGUAGE sql STABLE AS $$
  SELECT e.* FROM chained_logging.entries AS e
  WHERE e.actor_id OPERATOR(pg_catalog.=) actor
    AND e."timestamp" OPERATOR(pg_catalog.>=) (pg_catalog.now() OPERATOR(pg_catalog.-) period)
  ORDER BY e."timestamp"
$$;

CREATE FUNCTION chained_logging.access_to(type text, id text)
RETURNS SETOF chained_logging.entries LANGUAGE sql STABLE AS $$
  SELECT e.* FROM chained_logging.entries AS e
  WHERE e.resource_type OPERATOR(pg_catalog.=) type
    AND e.resource_id OPERATOR(pg_catalog.=) access_to.id
    OR e.resources OPERATOR(pg_catalog.@>)
      pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_object('type', access_to.type, 'id', access_to.id))
  ORDER BY e."timestamp"
$$;

CREATE FUNCTION chained_logging.refused_attempts(
  more_than bigint DEFAULT 5, period interval DEFAULT '24 hours')
RETURNS TABLE (actor text, attempts bigint, earliest timestamptz, latest timestamptz)
LANGUAGE sql STABLE AS $$
  SELECT e.actor_id, pg_catalog.count(*), pg_catalog.min(e."timestamp"),
    pg_catalog.max(e."timestamp")
  FROM chained_logging.entries AS e
  WHERE e.result OPERATOR(pg_catalog.=) ANY (ARRAY['failure', 'denied'])
    AND e."timestamp" OPERATOR(pg_catalog.>=) (pg_catalog.now() OPERATOR(pg_catalog.-) period)
  GROUP BY e.actor_id HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) more_than
  ORDER BY 2 DESC, 1
$$;


-- Who may do what. Nobody but the owner may touch a partition by its own name.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA chained_logging FROM PUBLIC;
GRANT USAGE ON SCHEMA chained_logging
  TO chained_logging_shipper, chained_logging_reader, chained_logging_retention;

GRANT INSERT (origin, "timestamp", body, hash, signature)
  ON chained_logging.entries TO chained_logging_shipper;
GRANT INSERT (origin, seq, hash, signature) ON chained_logging.stubs TO chained_logging_shipper;
GRANT INSERT (origin, size, note, state, timestamp) ON chained_logging.checkpoints TO chained_logging_shipper;
GRANT SELECT ON chained_logging.heads TO chained_logging_shipper;
GRANT EXECUTE ON FUNCTION
  chained_logging.parsed(text), chained_logging.names(json), chained_logging.records(json),
  chained_logging.whole(text), chained_logging.searched(text), chained_logging.lexemes(text[]),
  chained_logging.parameters(jsonb)
  TO chained_logging_shipper;

GRANT SELECT ON chained_logging.entries, chained_logging.heads, chained_logging.checkpoints,
  chained_logging.stubs, chained_logging.purges, chained_logging.holds, chained_logging.lifts,
  chained_logging.archived, chained_logging.remains
  TO chained_logging_reader, chained_logging_retention;
GRANT EXECUTE ON FUNCTION
  chained_logging.approve(text, bigint), chained_logging.purge(text, bigint, bigint, int),
  chained_logging.archive(text, timestamptz, bigint, bigint, text, text, text),
  chained_logging.compact(text)
  TO chained_logging_retention;
GRANT EXECUTE ON FUNCTION
  chained_logging.actions_of(text, interval), chained_logging.access_to(text, text),
  chained_logging.refused_attempts(bigint, interval), chained_logging.searched(text),
  chained_logging.parsed(text), chained_logging.lexemes(text[]), chained_logging.parameters(jsonb)
  TO chained_logging_reader;

RESET ROLE;
DO $$
BEGIN
  IF NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
    REVOKE chained_logging_owner FROM CURRENT_USER;
  END IF;
END
$$;

COMMIT;
