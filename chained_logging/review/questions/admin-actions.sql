-- What did administrators do, and what did the log record about itself (keys, recoveries)?
-- narrowed: actor_type=admin&actor_type=system

SELECT seq, timestamp, actor_id, actor_type, on_behalf_of, action, resource_type, resource_id, result,
  ip_address
FROM found
WHERE actor_type = 'admin' OR (actor_type = 'system' AND actor_id = 'chained_logging')
ORDER BY seq
