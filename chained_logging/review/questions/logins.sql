-- Who signed in and out, from where, and who could not?
-- narrowed: action=login&action=logout&action=login_failed&action=login.failed

SELECT actor_id, ip_address, action, result, count(*) AS entries, min(timestamp) AS first,
  max(timestamp) AS last
FROM found
WHERE action IN ('login', 'logout', 'login_failed', 'login.failed')
GROUP BY actor_id, ip_address, action, result
ORDER BY actor_id, coalesce(ip_address, ''), action, result
