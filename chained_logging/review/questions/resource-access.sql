-- Who read or changed a resource, or was refused it?
-- needs: resource

SELECT actor_id, actor_type, on_behalf_of, action, result, count(*) AS entries,
  min(timestamp) AS first, max(timestamp) AS last
FROM found
GROUP BY actor_id, actor_type, on_behalf_of, action, result
ORDER BY entries DESC, actor_id, actor_type, coalesce(on_behalf_of, ''), action, result
