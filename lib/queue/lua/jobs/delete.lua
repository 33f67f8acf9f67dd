#!lua flags=allow-oom
-- delete.lua: forget a job that has ended.
-- KEYS 1 base
-- ARGV 1 id
-- RETURNS 'done' | the state that does not allow it | '' there is no such job
-- @transition completed --delete--> -
-- @transition dead --delete--> -
-- @transition cancelled --delete--> -
-- @use states check_types forget
local id = ARGV[1]
local state = redis.call('HGET', base .. 'job:' .. id, 'state')

if not state then return '' end
if LIVES[state] ~= false then return state end
check_types('ZCARD', 'all', state)
check_types('HLEN', 'gone')
forget(state, {id})
return 'done'
