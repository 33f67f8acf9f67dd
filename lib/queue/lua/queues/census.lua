#!lua flags=no-writes
-- census.lua: how many jobs of a queue are in which state, and its counters.
-- KEYS 1 base
-- ARGV 1 lease in ms of a runner whose registration names none
-- RETURNS {name, value, name, value …}, of these names:
--      all active delayed blocked completed dead cancelled   how many jobs
--      runners      how many runners live
--      dead_lately  how many of the dead have died within an hour
--      oldest       since when the oldest ready job waits (ms), or ''
--      now          Redis' clock (ms)
--      limited      'concurrency' or 'rate 1760000060000' where that limit of the queue lets no waiting job start now,
--                   and the ms at which it does; else ''
--      lines        how many groups have waiting jobs that may start, are full or paused, rest, are held, and have
--                   strikes: a text as below, as in 'waiting\0313\031full\0311\031resting\0312\031held\0311' and so
--                   on; '' without groups
--      totals minute last_minute settings   each a text 'name\31value\31name\31value …', as in 'enqueued email\0317':
--                   counts since the queue began, of this minute and of the last one, and what was set for the queue
-- @use clock alive has_waiting queue_room queue_settings
-- WHY ready jobs are not counted: the lists hold stale ids and bells as well. Ready is all jobs less those in other
-- states.
-- WHY the oldest of a hundred groups: a queue may have a hundred thousand.
local MOST_GROUPS, MOST_IDS, HOUR_MS = 100, 1000, 3600000
local active, alive = 0, 0
local runners = redis.call('HGETALL', base .. 'workers')
for i = 1, #runners, 2 do
  local runner, about = runners[i], runners[i + 1]
  -- A dead runner's jobs are active until a reaper takes them back.
  active = active + redis.call('LLEN', base .. 'active:' .. runner)
  if is_alive(about, redis.call('HGET', base .. 'beats', runner), tonumber(ARGV[1])) then alive = alive + 1 end
end

-- Since when the oldest ready job of a list waits, in ms, of the first `most` that are next; nil where none of the ids
-- that are next is ready.
-- WHY not that of the first: a job that came back, from a runner that died, say, stands in front, and waits since then.
local function oldest_in(list, most)
  local oldest_ms, seen = nil, 0
  for last = -1, -MOST_IDS, -most do
    local ids = redis.call('LRANGE', base .. list, last - most + 1, last)
    for i = #ids, 1, -1 do
      local state, since = unpack(redis.pcall('HMGET', base .. 'job:' .. ids[i], 'state', 'since'))
      if state == 'ready' then
        local ms = tonumber(since or redis.call('ZSCORE', base .. 'all', ids[i]) or nil)
        if ms and (not oldest_ms or ms < oldest_ms) then oldest_ms = ms end
        seen = seen + 1
        if seen == most then return oldest_ms end
      end
    end
    if #ids < most then break end
  end
  return oldest_ms
end

local oldest_ms
local function look_at(list, most)
  local ms = oldest_in(list, most)
  if ms and (not oldest_ms or ms < oldest_ms) then oldest_ms = ms end
end
for _, list in ipairs({'ready:high', 'ready:normal', 'ready:low', 'suspects'}) do look_at(list, 20) end
for _, group in ipairs(redis.call('ZRANGE', base .. 'groups', 0, MOST_GROUPS - 1)) do
  for _, priority in ipairs({'high', 'normal', 'low'}) do look_at('line:' .. priority .. ':' .. group, 3) end
end

-- Which limit of the queue lets nothing start.
local function limited_by()
  local concurrency, rate = queue_settings('concurrency', 'rate')
  if not (concurrency or rate) or not has_waiting() then return '' end
  local room = queue_room(concurrency, rate)
  if room.slots <= 0 then return 'concurrency' end
  return room.starts <= 0 and 'rate ' .. string.format('%.0f', now_ms + room.rest_ms) or ''
end

-- `lines` of the reply. A group that waits in two priorities counts twice.
local function line_counts()
  if redis.call('EXISTS', base .. 'groups') == 0 then return '' end
  local waiting = 0
  for _, priority in ipairs({'high', 'normal', 'low'}) do
    local turns = redis.call('ZCARD', base .. 'turns:' .. priority)
    waiting = waiting + math.max(0, turns - (redis.call('ZSCORE', base .. 'turns:' .. priority, '') and 1 or 0))
  end
  local full, resting = redis.call('SCARD', base .. 'full'), redis.call('ZCARD', base .. 'resting')
  local held, struck = redis.call('HLEN', base .. 'held'), redis.call('HLEN', base .. 'strikes')
  local counts = {'waiting', waiting, 'full', full, 'resting', resting, 'held', held, 'struck', struck}
  return table.concat(counts, '\31')
end

local function joined(key) return table.concat(redis.call('HGETALL', base .. key), '\31') end
local minute = math.floor(now_ms / 60000)
local reply = {
  'all', redis.call('ZCARD', base .. 'all'),
  'active', active,
  'runners', alive,
  'dead_lately', redis.call('ZCOUNT', base .. 'dead', now_ms - HOUR_MS, '+inf'),
  'oldest', oldest_ms and tostring(oldest_ms) or '',
  'now', now,
  'limited', limited_by(),
  'lines', line_counts(),
  'totals', joined('totals'),
  'minute', joined('minute:' .. minute),
  'last_minute', joined('minute:' .. (minute - 1)),
  'settings', joined('meta'),
}
for _, state in ipairs({'delayed', 'blocked', 'completed', 'dead', 'cancelled'}) do
  reply[#reply + 1] = state
  reply[#reply + 1] = redis.call('ZCARD', base .. state)
end
return reply
