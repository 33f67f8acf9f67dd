#!lua flags=allow-oom
-- unschedule.lua: forget a schedule. Jobs that it has queued stay.
-- KEYS 1 base
-- ARGV 1 name  2 the version that it must have, or '' for any
-- RETURNS 'gone' (there is none) | 'changed' (it has another version, nothing was done) | 'done'
-- @use schedules
-- WHY pcall: a schedule whose key somebody broke is deleted as well, as one that is gone.
local name, wanted = ARGV[1], ARGV[2]
local version = redis.pcall('HGET', schedule_key(name), 'version')
if type(version) ~= 'string' then version = nil end
if version and wanted ~= '' and version ~= wanted then return 'changed' end
redis.call('ZREM', base .. 'slots', name)
redis.call('UNLINK', schedule_key(name))
return version and 'done' or 'gone'
