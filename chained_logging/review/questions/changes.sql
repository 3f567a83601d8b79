-- Which fields of what were changed, by whom, and when?

SELECT seq, timestamp, actor_id, on_behalf_of, action, resource_type, resource_id, changed_fields,
  result
FROM found
WHERE changed_fields IS NOT NULL OR action IN ('create', 'write', 'update', 'delete')
ORDER BY seq
