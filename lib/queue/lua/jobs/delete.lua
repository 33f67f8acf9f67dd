#!lua flags=allow-oom
-- delete.lua: forget a finished job.
-- KEYS 1 base
-- ARGV 1 id
-- RETURNS 'done' | the state that does not allow it | '' no such job
-- @transition completed --delete--> -
-- @transition dead --delete--> -
-- @transition cancelled --delete--> -
-- @use check_types forget
local id = ARGV[1]
local state = redis.call('HGET', base .. 'job:' .. id, 'state')

if not state then return '' end
if state ~= 'completed' and state ~= 'dead' and state ~= 'cancelled' then return state end
sound('ZCARD', 'all', state)
sound('HLEN', 'gone')
forget(state, {id})
return 'done'
