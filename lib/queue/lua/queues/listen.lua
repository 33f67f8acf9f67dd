#!lua flags=allow-oom
-- listen.lua: say that somebody reads the queue's stream, so that every transition is told there for a while.
-- KEYS 1 base
-- ARGV 1 seconds, after which it must be said again
-- RETURNS the newest entry's id
-- WHY an entry where nobody listened: who reads across it learns that transitions before it were not told.
local is_new = redis.call('SET', base .. 'listened', '1', 'NX', 'EX', ARGV[1])
if not is_new then redis.call('EXPIRE', base .. 'listened', ARGV[1]) end
local newest = redis.call('XREVRANGE', base .. 'events', '+', '-', 'COUNT', 1)[1]
if newest and not is_new then return newest[1] end
return redis.call('XADD', base .. 'events', 'MAXLEN', '~', 10000, '*', 'state', 'listened', 'by', 'listen', 'ids', '')
