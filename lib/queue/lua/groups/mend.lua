#!lua flags=allow-oom
-- mend.lua: put right what somebody broke among the groups of a queue, and take away what is of no use any more. Upkeep
-- calls it for queues with limits or groups, and goes on with the next groups each time.
-- KEYS 1 base
-- ARGV 1 most groups to look at
-- RETURNS {how many groups were mended, 'more' where others are to be looked at at once, or ''}
-- @use bell broken_keys mend_group queue_settings has_waiting queue_room lines
-- A key of another type than it must be is put aside. A group with waiting jobs and no turn, which is neither full nor
-- resting, gets one. A job that runs no more leaves `running`, and one that runs and is missing there comes in. A group
-- without jobs is forgotten.
local most = tonumber(ARGV[1])
put_aside_broken('zset', 'groups', 'resting', 'turns:high', 'turns:normal', 'turns:low')
put_aside_broken('set', 'full', 'running:')
put_aside_broken('hash', 'held', 'limits', 'stale', 'strikes')
put_aside_broken('list', 'bells', 'rate:')

-- WHY: whoever deleted `groups` left the names that stand elsewhere.
for _, group in ipairs(some_named(most)) do redis.call('ZADD', base .. 'groups', 'NX', '0', group) end
if type(redis.call('HGET', base .. 'meta', 'turn')) == 'string' and not tonumber(queue_settings('turn')) then
  redis.call('HDEL', base .. 'meta', 'turn')
end
note_unseen(most)
drop_ghosts('')

local mended, is_woken, left = 0, false, most * 10
local function mend(group)
  local was_mended, has_new_turn, looks = mend_group(group)
  if was_mended then mended = mended + 1 end
  is_woken, left = is_woken or has_new_turn, left - looks
end

-- WHY some full ones first: only there a ghost stops jobs, and a round of a hundred thousand groups takes minutes.
for _, group in ipairs(redis.call('SRANDMEMBER', base .. 'full', math.floor(most / 5))) do mend(group) end
local last = queue_settings('mended')
local names = redis.call('ZRANGEBYLEX', base .. 'groups', last and '(' .. last or '-', '+', 'LIMIT', 0, most)
for _, group in ipairs(names) do
  mend(group)
  last = group
  if left <= 0 then break end
end
local is_through = #names == 0 or (#names < most and last == names[#names])
if is_through then
  redis.call('HDEL', base .. 'meta', 'mended')
else
  redis.call('HSET', base .. 'meta', 'mended', last)
end

-- WHY also where no group was mended: a runner may have been woken for a free slot and have died, or may have ended a
-- job that began before the queue had its limit. The runner that is woken for nothing costs one claim a second.
local concurrency, rate = queue_settings('concurrency', 'rate')
note_limits(concurrency, rate)
local room = queue_room(concurrency, rate)
if is_woken or (room.slots > 0 and room.starts > 0 and has_waiting()) then ring() end
if concurrency or rate or not is_plain() then
  lines().use_rations()
else
  redis.call('HDEL', base .. 'meta', 'rationed', 'turn')
end
return {mended, (mended > 0 or is_woken) and not is_through and 'more' or ''}
