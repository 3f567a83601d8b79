-- Who failed or was refused, from where, and how often?
-- narrowed: result=failure&result=denied

SELECT actor_id, ip_address, action, result, count(*) AS entries,
  count(DISTINCT resource_id) AS resources, min(timestamp) AS first, max(timestamp) AS last
FROM found
WHERE result IN ('failure', 'denied')
GROUP BY actor_id, ip_address, action, result
ORDER BY entries DESC, actor_id, coalesce(ip_address, ''), action, result
