-- The objects in the schema chained_logging, and others that affect its answers, as two columns: an
-- object, and its definition. The result is compared with catalog.txt, the result right after
-- schema.sql was run. Run this under the search_path pg_catalog.
WITH RECURSIVE
tables AS (
  SELECT c.oid FROM pg_class AS c
  WHERE c.relnamespace = to_regnamespace('chained_logging') AND c.relkind NOT IN ('i', 'I', 't')
  UNION  -- a partition may be in another schema
  SELECT i.inhrelid FROM pg_inherits AS i JOIN tables ON i.inhparent = tables.oid
),
named AS (
  SELECT c.*, c.oid::regclass::text AS name FROM pg_class AS c JOIN tables USING (oid)
),
roles AS (
  SELECT * FROM pg_roles
  WHERE rolname IN ('chained_logging_owner', 'chained_logging_shipper', 'chained_logging_reader',
    'chained_logging_retention')
),
-- PostgreSQL 16 gives the creator of a role a membership that only lets them grant it: not counted.
-- Before 15, a role could grant itself to anybody, so such a grant says nothing about the member.
granted AS (
  SELECT member, roleid FROM pg_auth_members AS m
  WHERE grantor <> roleid AND (coalesce(to_jsonb(m) ->> 'inherit_option', 'true') = 'true'
    OR coalesce(to_jsonb(m) ->> 'set_option', 'true') = 'true')
),
reaches AS (  -- each role, and what it is by way of others
  SELECT member, roleid FROM granted
  UNION
  SELECT reaches.member, granted.roleid FROM reaches JOIN granted ON granted.member = reaches.roleid
),
people AS (  -- who ships, reads or removes
  SELECT DISTINCT p.* FROM pg_roles AS p JOIN reaches ON member = p.oid JOIN roles ON roles.oid = roleid
  WHERE roles.rolname <> 'chained_logging_owner' AND p.rolname NOT IN (SELECT rolname FROM roles)
),
grants AS (
  SELECT 'table ' || name AS object, relowner AS owner, relacl AS acl FROM named
  UNION ALL
  SELECT 'column ' || name || '.' || attname, relowner, attacl
  FROM named JOIN pg_attribute ON attrelid = named.oid AND attnum > 0
  UNION ALL
  SELECT 'function ' || p.oid::regprocedure, proowner, coalesce(proacl, acldefault('f', proowner))
  FROM pg_proc AS p WHERE pronamespace = to_regnamespace('chained_logging')
  UNION ALL
  SELECT 'schema ' || nspname, nspowner, nspacl
  FROM pg_namespace WHERE nspname = 'chained_logging'
)
SELECT 'schema ' || nspname, 'owner ' || pg_get_userbyid(nspowner)
FROM pg_namespace WHERE nspname = 'chained_logging'
UNION ALL
SELECT 'table ' || name, concat_ws(', ',
  'kind ' || relkind::text, 'persistence ' || relpersistence::text, 'owner ' || pg_get_userbyid(relowner),
  'kept by ' || (SELECT amname FROM pg_am WHERE pg_am.oid = relam AND amname <> 'heap'),
  CASE WHEN EXISTS (SELECT FROM pg_inherits WHERE inhrelid = named.oid AND inhdetachpending)
    THEN 'being detached' END,
  CASE WHEN relrowsecurity OR relforcerowsecurity THEN 'row security' END,
  'of ' || (SELECT string_agg(inhparent::regclass::text, ' ') FROM pg_inherits
            WHERE inhrelid = named.oid),
  pg_get_partkeydef(named.oid), pg_get_expr(relpartbound, named.oid))
FROM named
UNION ALL
SELECT 'column ' || name || '.' || attname, concat_ws(', ',
  format_type(atttypid, atttypmod), 'collation ' || nullif(attcollation, 0)::regcollation,
  CASE WHEN attnotnull THEN 'not null' END, CASE attgenerated WHEN '' THEN NULL ELSE
    'generated ' || attgenerated::text END, pg_get_expr(adbin, adrelid))
FROM named JOIN pg_attribute ON attrelid = named.oid AND attnum > 0 AND NOT attisdropped
  LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
UNION ALL
SELECT 'constraint ' || name || '.' || conname, concat_ws(', ',
  pg_get_constraintdef(k.oid), CASE WHEN NOT convalidated THEN 'not validated' END)
FROM named JOIN pg_constraint AS k ON conrelid = named.oid
WHERE contype <> 'n'  -- PostgreSQL 18 has one for each column that is not null
UNION ALL
SELECT 'index ' || indexrelid::regclass, concat_ws(', ', pg_get_indexdef(indexrelid),
  CASE WHEN NOT (indisvalid AND indisready AND indislive) THEN 'not valid' END)
FROM named JOIN pg_index ON indrelid = named.oid
UNION ALL
SELECT 'trigger ' || name || '.' || tgname,
  concat_ws(', ', pg_get_triggerdef(t.oid), 'enabled ' || tgenabled::text)
FROM named JOIN pg_trigger AS t ON tgrelid = named.oid
WHERE NOT tgisinternal OR (tgconstraint = 0 AND tgparentid = 0)  -- the mark alone hides none
UNION ALL
SELECT concat('reference ', conrelid::regclass, '.', conname), pg_get_constraintdef(k.oid)
FROM named JOIN pg_constraint AS k ON confrelid = named.oid
WHERE contype = 'f' AND conrelid NOT IN (SELECT oid FROM tables)
UNION ALL
SELECT 'rule ' || name || '.' || rulename, pg_get_ruledef(r.oid)
FROM named JOIN pg_rewrite AS r ON ev_class = named.oid
UNION ALL
SELECT 'policy ' || name || '.' || polname, concat_ws(', ', polcmd::text,
  pg_get_expr(polqual, polrelid), 'check ' || pg_get_expr(polwithcheck, polrelid))
FROM named JOIN pg_policy ON polrelid = named.oid
UNION ALL
SELECT 'function ' || p.oid::regprocedure, concat_ws(', ',
  'owner ' || pg_get_userbyid(proowner), 'of (' || pg_get_function_arguments(p.oid) || ')',
  'returns ' || pg_get_function_result(p.oid), lanname, 'kind ' || prokind::text,
  'volatile ' || provolatile::text, 'parallel ' || proparallel::text,
  CASE WHEN proisstrict THEN 'strict' END, CASE WHEN proleakproof THEN 'leakproof' END,
  CASE WHEN prosecdef THEN 'security definer' END, 'cost ' || procost, 'rows ' || prorows,
  'support ' || nullif(prosupport::oid, 0), array_to_string(proconfig, ' '),
  'sha256 ' || encode(sha256(convert_to(concat(prosrc, probin, prosqlbody), 'UTF8')), 'hex'))
FROM pg_proc AS p JOIN pg_language AS l ON l.oid = prolang
WHERE pronamespace = to_regnamespace('chained_logging')
UNION ALL
SELECT concat('grant on ', object, ' to ', CASE grantee WHEN 0 THEN 'PUBLIC' ELSE
  pg_get_userbyid(grantee) END, ' of ', privilege_type), CASE WHEN is_grantable THEN 'grantable'
  ELSE '' END
FROM grants, aclexplode(acl) WHERE grantee <> owner
UNION ALL
SELECT 'default privileges of ' || pg_get_userbyid(defaclrole), defaclacl::text
FROM pg_default_acl WHERE defaclnamespace = to_regnamespace('chained_logging')
  OR (defaclnamespace = 0 AND pg_get_userbyid(defaclrole) = 'chained_logging_owner')
UNION ALL
SELECT 'role ' || rolname, concat_ws(', ', CASE WHEN rolcanlogin THEN 'may log in' END,
  CASE WHEN rolsuper THEN 'superuser' END,
  CASE WHEN rolcreaterole THEN 'may create roles' END,
  CASE WHEN rolcreatedb THEN 'may create databases' END,
  CASE WHEN rolreplication THEN 'replication' END, CASE WHEN rolbypassrls THEN 'bypasses rls' END)
FROM roles
UNION ALL  -- who ships or reads, and may more than that
SELECT 'rights of ' || rolname, rights FROM people, LATERAL (SELECT concat_ws(', ',
  CASE WHEN rolsuper THEN 'superuser' END,
  CASE WHEN rolcreaterole THEN 'may create roles' END,
  CASE WHEN rolreplication THEN 'replication' END, CASE WHEN rolbypassrls THEN 'bypasses rls' END,
  (SELECT string_agg('member of ' || more.rolname, ', ' ORDER BY more.rolname)
   FROM reaches JOIN pg_roles AS more ON more.oid = roleid
   WHERE member = people.oid AND (more.rolsuper OR more.rolbypassrls OR more.rolcreaterole
     OR more.rolreplication OR more.rolname IN ('pg_write_all_data', 'pg_write_server_files',
     'pg_read_server_files', 'pg_execute_server_program', 'pg_signal_backend', 'pg_maintain',
     'pg_create_subscription', 'pg_use_reserved_connections')))) AS rights) AS has
WHERE rights <> ''
UNION ALL
SELECT 'membership of ' || pg_get_userbyid(member) || ' in ' || pg_get_userbyid(roleid), ''
FROM pg_auth_members JOIN roles ON roles.oid = member
UNION ALL  -- the owner, and shipper or reader, in one person
SELECT 'ownership by ' || rolname, 'who ships or reads as well' FROM people
WHERE NOT rolsuper AND oid IN (
  SELECT member FROM reaches JOIN roles ON roles.oid = roleid AND rolname = 'chained_logging_owner')
UNION ALL  -- shipper and retention in one person, who could remove by a decision of their own
SELECT 'retention by ' || rolname, 'who ships as well' FROM people
WHERE NOT rolsuper AND oid IN (
  SELECT member FROM reaches JOIN roles ON roles.oid = roleid AND rolname = 'chained_logging_retention')
  AND oid IN (
  SELECT member FROM reaches JOIN roles ON roles.oid = roleid AND rolname = 'chained_logging_shipper')
UNION ALL  -- what is set on the database, and on who asks, but for what only costs time or is shown;
-- others can set on themselves what they like
SELECT concat_ws(' ', 'setting', CASE setrole WHEN 0 THEN NULL ELSE 'of ' || pg_get_userbyid(setrole) END,
  CASE setdatabase WHEN 0 THEN NULL ELSE 'of the database' END, split_part(setting, '=', 1)),
  substr(setting, strpos(setting, '=') + 1)
FROM pg_db_role_setting, unnest(setconfig) AS setting
WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND (setrole = 0 OR setrole IN (SELECT oid FROM roles)
    OR pg_get_userbyid(setrole) IN (current_user, session_user))
  AND split_part(lower(setting), '=', 1) !~ '^(log_.*|.*_mem|.*_cost|.*_limit|effective_.*|max_parallel.*|jit.*|pgaudit\..*|pg_stat.*|auto_explain\..*|application_name|client_min_messages|timezone|lc_messages|deadlock_timeout|statement_timeout|temp_buffers)$'
UNION ALL
SELECT 'event trigger ' || evtname, concat_ws(', ', evtevent, evtfoid::regprocedure, 'enabled ' || evtenabled::text)
FROM pg_event_trigger
UNION ALL
SELECT 'publication ' || pubname, '' FROM pg_publication AS p
WHERE EXISTS (SELECT FROM pg_publication_tables AS t
  WHERE t.pubname = p.pubname AND t.schemaname = 'chained_logging')
UNION ALL
SELECT 'subscription ' || subname, '' FROM pg_subscription
WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
UNION ALL
SELECT 'setting of the server ' || name, setting FROM pg_settings
WHERE reset_val <> boot_val AND name IN ('transform_null_equals', 'zero_damaged_pages',
  'ignore_system_indexes', 'ignore_checksum_failure', 'standard_conforming_strings',
  'session_replication_role', 'row_security')
UNION ALL  -- What else was put into the schema, and into PostgreSQL's own. Anybody who may do that can
-- make it a part of an extension too, so only what shadows nothing is let off for being one.
SELECT concat_ws(' ', kind, namespace || '.' || name), ''
FROM (
  SELECT 'type', typnamespace, typname::text, oid, 'pg_type'::regclass, false FROM pg_type
    WHERE typrelid = 0 AND typelem = 0
  UNION ALL
  SELECT 'function', pronamespace, oid::regprocedure::text, oid, 'pg_proc'::regclass,
    proname IN (SELECT proname FROM pg_proc
      WHERE oid < 16384 AND pronamespace = 'pg_catalog'::regnamespace)
  FROM pg_proc
    WHERE pronamespace <> to_regnamespace('chained_logging')
  UNION ALL
  SELECT 'operator', oprnamespace, oid::regoperator::text, oid, 'pg_operator'::regclass,
    oprname IN (SELECT oprname FROM pg_operator WHERE oid < 16384)
  FROM pg_operator
  UNION ALL
  SELECT 'operator class', opcnamespace, opcname::text, oid, 'pg_opclass'::regclass, false FROM pg_opclass
  UNION ALL
  SELECT 'collation', collnamespace, collname::text, oid, 'pg_collation'::regclass, false FROM pg_collation
    WHERE collprovider <> 'c' AND collprovider <> 'i'
  UNION ALL
  SELECT 'conversion', connamespace, conname::text, oid, 'pg_conversion'::regclass, false FROM pg_conversion
  UNION ALL
  SELECT 'relation', relnamespace, relname::text, oid, 'pg_class'::regclass, false FROM pg_class
    WHERE relnamespace = 'pg_catalog'::regnamespace
) AS put (kind, nsp, name, oid, class, shadows), LATERAL (SELECT nsp::regnamespace::text) AS n (namespace)
WHERE put.oid >= 16384 AND (namespace = 'chained_logging' OR namespace = 'pg_catalog' AND (shadows
  OR NOT EXISTS (SELECT FROM pg_depend WHERE classid = class AND objid = put.oid AND deptype = 'e')))
UNION ALL
SELECT concat_ws(' ', 'cast from', castsource::regtype, 'to', casttarget::regtype), ''
FROM pg_cast WHERE pg_cast.oid >= 16384
  AND castsource < 16384 AND casttarget < 16384  -- anybody may make one of a type that he owns
UNION ALL
SELECT concat_ws(' ', 'operator', amopopr::regoperator, 'of', opfname), '' FROM pg_amop
JOIN pg_opfamily AS f ON f.oid = amopfamily
WHERE pg_amop.oid >= 16384 AND f.oid < 16384 AND amoplefttype < 16384 AND amoprighttype < 16384
UNION ALL
SELECT concat_ws(' ', 'function', amproc::regprocedure, 'of', opfname), '' FROM pg_amproc
JOIN pg_opfamily AS f ON f.oid = amprocfamily
WHERE pg_amproc.oid >= 16384 AND f.oid < 16384 AND amproclefttype < 16384 AND amprocrighttype < 16384
UNION ALL  -- PostgreSQL's own, as far as columns, constraints, triggers and answers rest on them
SELECT 'built-in function ' || p.oid::regprocedure, concat_ws(' ', lanname, prosrc)
FROM pg_proc AS p JOIN pg_language AS l ON l.oid = prolang
WHERE pronamespace = 'pg_catalog'::regnamespace AND p.oid < 16384 AND p.oid::regprocedure::text IN (
  'strpos(text,text)', 'regexp_replace(text,text,text,text)', 'json_object_field(json,text)',
  'json_object_field_text(json,text)', 'jsonb_object_field(jsonb,text)', 'to_json(anyelement)',
  'array_to_json(anyarray)', 'json_array_elements_text(json)', 'jsonb_typeof(jsonb)',
  'concat("any")', 'to_char(timestamp without time zone,text)', 'timezone(text,timestamp with time zone)',
  'octet_length(text)', 'split_part(text,text,integer)', 'hashtextextended(text,bigint)',
  'hash_record_extended(record,bigint)', 'encode(bytea,text)', 'sha256(bytea)',
  'convert_to(text,name)', 'byteacat(bytea,bytea)', 'texteq(text,text)', 'textne(text,text)',
  'text_lt(text,text)', 'int8eq(bigint,bigint)', 'int8ne(bigint,bigint)', 'int8gt(bigint,bigint)',
  'timestamptz_ge(timestamp with time zone,timestamp with time zone)',
  'timestamptz_mi_interval(timestamp with time zone,interval)', 'now()', 'count()',
  'starts_with(text,text)', 'pg_has_role(name,name,text)', 'pg_trigger_depth()',
  'textregexeq(text,text)', 'int8lt(bigint,bigint)', 'int8le(bigint,bigint)', 'int8ge(bigint,bigint)',
  'timestamptz_lt(timestamp with time zone,timestamp with time zone)', 'jsonb_array_elements(jsonb)',
  'timestamptz_le(timestamp with time zone,timestamp with time zone)', 'json_each(json)',
  'jsonb_object_field_text(jsonb,text)', 'jsonb_array_length(jsonb)', 'jsonb_object_keys(jsonb)',
  'timestamptz_pl_interval(timestamp with time zone,interval)', 'json_typeof(json)',
  'btint8cmp(bigint,bigint)', 'bttextcmp(text,text)', 'timestamptz_cmp(timestamp with time zone,timestamp with time zone)')
UNION ALL
SELECT concat_ws(' ', 'built-in order of', amproclefttype::regtype, 'by function', amprocnum), amproc::text
FROM pg_amproc JOIN pg_opfamily AS f ON f.oid = amprocfamily JOIN pg_am AS a ON a.oid = opfmethod
WHERE amname = 'btree' AND f.oid < 16384 AND amproclefttype = amprocrighttype AND amprocnum <= 2
  AND opfname IN ('text_ops', 'integer_ops', 'datetime_ops')
  AND amproclefttype IN ('text'::regtype, 'int8'::regtype, 'timestamptz'::regtype)
UNION ALL
SELECT 'language ' || lanname, concat_ws(' ', l.lanname, (SELECT concat_ws(' ', prosrc, probin)
  FROM pg_proc AS p WHERE p.oid = lanplcallfoid))
FROM pg_language AS l WHERE lanname = 'plpgsql'
UNION ALL
SELECT 'built-in operator ' || oid::regoperator, concat_ws(' ', oprcode,
  'negated by ' || nullif(oprnegate, 0)::regoperator, 'turned is ' || nullif(oprcom, 0)::regoperator)
FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace AND oid::regoperator::text IN (
  '->(json,text)', '->>(json,text)', '->(jsonb,text)', '=(text,text)', '<>(text,text)',
  '=(bigint,bigint)', '<>(bigint,bigint)', '>(bigint,bigint)', '||(bytea,bytea)',
  '<(bigint,bigint)', '<=(bigint,bigint)', '>=(bigint,bigint)', '~(text,text)', '->>(jsonb,text)',
  '<(timestamp with time zone,timestamp with time zone)',
  '<=(timestamp with time zone,timestamp with time zone)', '+(timestamp with time zone,interval)',
  '>=(timestamp with time zone,timestamp with time zone)', '-(timestamp with time zone,interval)')
ORDER BY 1, 2
