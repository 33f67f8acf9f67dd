-- What stops a group, as groups.lua and explain.lua show it.
-- running_of(group): how many of its jobs run. limits_text(group): its own limits, as in limit_group.lua, or ''.
-- strikes_text(group): its strikes, as in strikes.lua, or ''.
-- some_running(group, most): ids of up to `most` jobs that run.
-- @use clock
local function running_of(group) return redis.call('SCARD', base .. 'running:' .. group) end
local function some_running(group, most) return redis.call('SRANDMEMBER', base .. 'running:' .. group, most) end
local function limits_text(group) return redis.call('HGET', base .. 'limits', group) or '' end
local function strikes_text(group) return redis.call('HGET', base .. 'strikes', group) or '' end

-- stop_of(group): 'paused' | 'hold' | 'rate' | 'concurrency' | '' where nothing stops it, and until when: ms as text,
-- or ''. held_by(group): the id of the job that holds the group, or nil.
local function held_by(group) return string.match(redis.call('HGET', base .. 'held', group) or '', '^%d+ (.+)$') end
local function stop_of(group)
  if string.sub(limits_text(group), -2) == '|1' then return 'paused', '' end
  local rests_ms = tonumber(redis.call('ZSCORE', base .. 'resting', group) or nil)
  if rests_ms and rests_ms > now_ms then return held_by(group) and 'hold' or 'rate', string.format('%.0f', rests_ms) end
  if redis.call('SISMEMBER', base .. 'full', group) == 1 then return 'concurrency', '' end
  return '', ''
end
