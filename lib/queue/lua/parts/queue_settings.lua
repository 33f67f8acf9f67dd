-- queue_settings(name, name …): what an operator has set for the queue (lua/queues/adjust.lua), a value for each name;
-- false for a setting that was not set. Nothing else reads single fields of `meta`.
-- Example: local paused, max_depth = queue_settings('paused', 'max_depth')
-- WHY one function: what decides about jobs is read by one command a call of a script, however many settings there are.
local function queue_settings(...) return unpack(redis.call('HMGET', base .. 'meta', ...)) end
