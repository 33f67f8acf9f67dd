#!lua flags=allow-oom
-- listen.lua: note that somebody reads the queue's stream: for a while the stream gets every transition, and not only
-- ends.
-- KEYS 1 base
-- ARGV 1 seconds for which the note stays
-- RETURNS the id of the stream's newest entry
-- WHY an entry `listened` where nobody listened before: a reader who passes the entry learns that transitions before
-- it are missing.
local is_new = redis.call('SET', base .. 'listened', '1', 'NX', 'EX', ARGV[1])
if not is_new then redis.call('EXPIRE', base .. 'listened', ARGV[1]) end
local newest = redis.call('XREVRANGE', base .. 'events', '+', '-', 'COUNT', 1)[1]
if newest and not is_new then return newest[1] end
return redis.call('XADD', base .. 'events', 'MAXLEN', '~', 10000, '*', 'state', 'listened', 'by', 'listen', 'ids', '')
