-- What stands in the schema chained_logging, as two columns: an object, and its definition.
-- Compared with postgres_catalog.txt, which is what this returned after postgres.sql was run.
WITH RECURSIVE
tables AS (
  SELECT c.oid FROM pg_class AS c
  WHERE c.relnamespace = to_regnamespace('chained_logging') AND c.relkind NOT IN ('i', 'I', 't')
  UNION  -- a partition may stand in another schema
  SELECT i.inhrelid FROM pg_inherits AS i JOIN tables ON i.inhparent = tables.oid
),
named AS (
  SELECT c.*, c.oid::regclass::text AS name FROM pg_class AS c JOIN tables USING (oid)
),
roles AS (
  SELECT * FROM pg_roles
  WHERE rolname IN ('chained_logging_owner', 'chained_logging_shipper', 'chained_logging_reader')
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
FROM named JOIN pg_trigger AS t ON tgrelid = named.oid WHERE NOT tgisinternal
UNION ALL
SELECT 'rule ' || name || '.' || rulename, pg_get_ruledef(r.oid)
FROM named JOIN pg_rewrite AS r ON ev_class = named.oid
UNION ALL
SELECT 'policy ' || name || '.' || polname, coalesce(pg_get_expr(polqual, polrelid), '')
FROM named JOIN pg_policy ON polrelid = named.oid
UNION ALL
SELECT 'function ' || p.oid::regprocedure, concat_ws(', ',
  'owner ' || pg_get_userbyid(proowner), 'returns ' || pg_get_function_result(p.oid), lanname,
  'volatile ' || provolatile::text, CASE WHEN proisstrict THEN 'strict' END,
  CASE WHEN prosecdef THEN 'security definer' END, array_to_string(proconfig, ' '),
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
SELECT 'role ' || rolname, concat_ws(', ', CASE WHEN rolsuper THEN 'superuser' END,
  CASE WHEN rolcreaterole THEN 'may create roles' END,
  CASE WHEN rolcreatedb THEN 'may create databases' END,
  CASE WHEN rolreplication THEN 'replication' END, CASE WHEN rolbypassrls THEN 'bypasses rls' END)
FROM roles
UNION ALL
SELECT 'membership of ' || pg_get_userbyid(member) || ' in ' || pg_get_userbyid(roleid), ''
FROM pg_auth_members JOIN roles ON roles.oid = member
UNION ALL  -- the owner, and shipper or reader, in one person (PostgreSQL 16 knows finer shades)
SELECT 'ownership by ' || r.rolname, 'who ships or reads as well'
FROM pg_roles AS r, lateral (SELECT CASE WHEN current_setting('server_version_num')::int < 160000
  THEN 'MEMBER' ELSE 'USAGE, SET' END) AS m (kind)
WHERE NOT r.rolsuper AND r.rolname NOT IN (SELECT rolname FROM roles)
  AND to_regrole('chained_logging_owner') IS NOT NULL
  AND pg_has_role(r.oid, to_regrole('chained_logging_owner'), kind)
  AND (pg_has_role(r.oid, to_regrole('chained_logging_shipper'), kind)
    OR pg_has_role(r.oid, to_regrole('chained_logging_reader'), kind))
