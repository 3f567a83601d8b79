-- What left the system: who exported or downloaded what, and when?
-- narrowed: action=export&action=download&action=print

SELECT seq, timestamp, actor_id, on_behalf_of, action, resource_type, resource_id, result, ip_address
FROM found
WHERE action IN ('export', 'download', 'print')
ORDER BY seq
