#!lua flags=allow-oom
-- adjust.lua: change settings of a queue, those of lib/jobs/queue_settings.py.
-- KEYS 1 base
-- ARGV 1 queue  2 idempotency key, or ''  3 fingerprint of the request  4… name, value, name, value …; the value ''
--      takes the setting away
-- RETURNS 'done' | 'replayed' | 'conflict' (parts/idempotency.lua), and then nothing was changed
-- @use bell idempotency lines queue_settings numbers
-- WHY the empty text in a queue without jobs: what it is to begin with (queue_beginnings.py) is written where nothing
-- stands, and would come back.
-- WHY no runner is woken for a pause that ends: a runner that is held back by one asks again within 250 ms.
local queue, key, fingerprint = ARGV[1], ARGV[2], ARGV[3]
local LIMITS = {concurrency = true, rate = true, group_concurrency = true, group_rate = true}
local MOST_GROUPS, MOST_BELLS = 200, 1000

local before = asked_before(key, fingerprint)
if before then return before end
local blocked_on_bells, is_limit = blocks_on_bells(), false
local has_begun = redis.call('EXISTS', base .. 'totals') == 1
for i = 4, #ARGV, 2 do
  local name, value = ARGV[i], ARGV[i + 1]
  local goes = value == '' and (has_begun or name ~= 'group_concurrency')
  if goes then redis.call('HDEL', base .. 'meta', name) else redis.call('HSET', base .. 'meta', name, value) end
  is_limit = is_limit or LIMITS[name]
end
note_asked(key, fingerprint, queue)
publish_numbers('adjust')
if not is_limit then return 'done' end

-- A limit is another one: who may run by it now has a turn, and claims look who may. mend.lua wakes the groups beyond
-- the first ones.
lines().wake(MOST_GROUPS)
note_limits(queue_settings('concurrency', 'rate'))
local block_on_bells = blocks_on_bells()
if block_on_bells then lines().use_rations() end
-- Nobody rings from now on where idle runners have blocked until now: a bell for each of them. A list that is not empty
-- wakes them by itself.
local before_list = base .. (blocked_on_bells and 'bells' or 'ready:normal')
if block_on_bells ~= blocked_on_bells and redis.call('EXISTS', before_list) == 0 then
  local bells = {}
  for i = 1, math.min(redis.call('HLEN', base .. 'workers'), MOST_BELLS) do bells[i] = 'bell' end
  if #bells > 0 then redis.call('LPUSH', before_list, unpack(bells)) end
end
ring()
return 'done'
