-- What did an actor do, to what, and how did it end?
-- needs: actor

SELECT action, resource_type, result, count(*) AS entries, count(DISTINCT resource_id) AS resources,
  min(timestamp) AS first, max(timestamp) AS last
FROM found
GROUP BY action, resource_type, result
ORDER BY entries DESC, action, resource_type, result
