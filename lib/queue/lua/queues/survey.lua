#!lua flags=allow-oom
-- survey.lua: what upkeep needs to know of a queue, in one call; most of the time there is nothing to do.
-- KEYS 1 base
-- ARGV 1 completed jobs kept, and as many cancelled ones  2 ms that these are kept  3 ms that dead jobs are kept
--      4 dead jobs kept  5 most dead runners to look at
-- RETURNS {name, value, name, value …}, of these names:
--      due expiring trimmable   '1' where a delayed job is due or a group has rested, a job expires, records are to be
--                     trimmed; else ''
--      suspects       how many suspects may run: 0 while the queue is paused, or none of the next ones may start
--      overdue        '1' where a callback has not come in time (jobs/overdue.lua); else ''
--      rationed       '1' where the queue has limits or groups, so that mend.lua is to be called; else ''
--      dead_runners   the dead runners that still hold ids, parted by commas
--      rollup         '1' where numbers of a period that is over are to be kept (rollup.lua); else ''
--      wait           ms until the first of due, expiring, trimmable, overdue, rollup and asking becomes '1' by itself,
--                     or a slot of a schedule is due; or ''
--      notices        for how many ms the oldest notice has waited to be told (parts/notices.lua), or ''
--      asking         '1' where a job that waits for others is to ask what has become of them; else ''
--      slot           ms until the next slot of a schedule is due, or ''
--      beats          {runner, beat or 'none', runner, beat …}
-- @use clock group_room queue_room queue_settings schedules
-- WHY not no-writes: where Redis answers reads and refuses writes (a replica, a full disk, too few replicas), no
-- runner can beat, and a survey that came through then would take the living for dead. Redis refuses this script with
-- the beats.
local kept, kept_ms, dead_ms, dead_kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local most_dead_runners = tonumber(ARGV[5])
local DAY_MS = 86400000

-- Whether the sorted set's first score is at most `ms`. The shortest time until that is so is noted on the way.
local next_ms = math.huge
local function is_first_before(key, ms)
  local first_ms = tonumber(redis.call('ZRANGE', base .. key, 0, 0, 'WITHSCORES')[2])
  if not first_ms then return false end
  next_ms = math.min(next_ms, first_ms - ms)
  return first_ms <= ms
end

local is_trim_due = redis.call('ZCARD', base .. 'completed') > kept
  or redis.call('ZCARD', base .. 'cancelled') > kept
  or redis.call('ZCARD', base .. 'dead') > dead_kept
  or is_first_before('fading', now_ms)
  or is_first_before('completed', now_ms - kept_ms)
  or is_first_before('cancelled', now_ms - kept_ms)
  or is_first_before('dead', now_ms - dead_ms)
  or is_first_before('graves', now_ms - DAY_MS)

local dead_with_ids = {}
for _, runner in ipairs(redis.call('ZREVRANGE', base .. 'graves', 0, most_dead_runners - 1)) do
  if redis.call('EXISTS', base .. 'active:' .. runner) == 1 then dead_with_ids[#dead_with_ids + 1] = runner end
end

local is_due, is_expiring = is_first_before('delayed', now_ms), is_first_before('expiring', now_ms)
-- +inf where no schedule has a slot to come.
local slot_ms = tonumber(redis.call('ZRANGE', base .. 'slots', 0, 0, 'WITHSCORES')[2]) or math.huge
next_ms = math.min(next_ms, slot_ms - now_ms)
is_due = is_first_before('resting', now_ms) or is_due
local is_asking, is_overdue = is_first_before('unsure', now_ms), is_first_before('outside', now_ms)
local is_rollup_due = is_first_before('rollups', now_ms)
local notice_ms
for _, entry in ipairs(redis.call('XRANGE', base .. 'notices', '-', '+', 'COUNT', 1)) do
  notice_ms = now_ms - tonumber(string.match(unpack(entry), '^%d+'))
end
local paused, rationed, concurrency, rate = queue_settings('paused', 'rationed', 'concurrency', 'rate')
rationed = rationed or redis.call('EXISTS', base .. 'groups') == 1

-- May one of the suspects that are next start by the limits of the queue and of its group? ration.lua looks at as many.
local function may_suspects_start()
  local room = queue_room(concurrency, rate)
  if room.slots <= 0 or room.starts <= 0 then return false end
  for _, id in ipairs(redis.call('LRANGE', base .. 'suspects', '-20', '-1')) do
    local group = redis.pcall('HGET', base .. 'job:' .. id, 'group')
    local of_group = room_of(type(group) == 'string' and group or '')
    if of_group.slots > 0 and of_group.starts > 0 then return true end
  end
  return false
end

local suspects = paused and 0 or redis.call('LLEN', base .. 'suspects')
if suspects > 0 and rationed and not may_suspects_start() then suspects = 0 end
local beats, has_beat = redis.call('HGETALL', base .. 'beats'), {}
for i = 1, #beats, 2 do has_beat[beats[i]] = true end
-- WHY 'none': somebody deleted the beat of a registered runner. The runner is watched all the same, and lives if one
-- comes.
for _, runner in ipairs(redis.call('HKEYS', base .. 'workers')) do
  if not has_beat[runner] then
    beats[#beats + 1] = runner
    beats[#beats + 1] = 'none'
  end
end
return {
  'due', is_due and '1' or '',
  'expiring', is_expiring and '1' or '',
  'trimmable', is_trim_due and '1' or '',
  'suspects', suspects,
  'rationed', rationed and '1' or '',
  'dead_runners', table.concat(dead_with_ids, ','),
  'wait', next_ms < math.huge and string.format('%.0f', math.max(0, next_ms)) or '',
  'slot', slot_wait(slot_ms < math.huge and slot_ms or nil),
  'notices', notice_ms and string.format('%.0f', math.max(0, notice_ms)) or '',
  'asking', is_asking and '1' or '',
  'overdue', is_overdue and '1' or '',
  'rollup', is_rollup_due and '1' or '',
  'beats', beats,
}
