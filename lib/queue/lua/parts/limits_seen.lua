-- What keeps the jobs of a queue with limits or groups from starting, for a script that only looks; ration.lua and
-- turns.lua decide it. Both functions write into the table `seen`, under the names that explain.lua returns.
-- see_queue_limits(seen, concurrency, rate): the queue's own. see_group_limits(seen, group, concurrency, rate): those of
-- a group; concurrency and rate are the queue's for each of its groups. All are texts of settings, or false.
-- @use clock rate rate_seen
local MOST_NAMED = 5

local function full_text(concurrency, running, ids)
  return string.format('%d|%d|%s', concurrency, running, table.concat(ids, ',', 1, math.min(#ids, MOST_NAMED)))
end

-- A rate that is used up; '' where it allows a start. rests_until: ms until which the group rests anyway, or nil.
local function spent_text(rate, key, rests_until)
  local limit, per_ms = rate_in(rate or nil)
  local until_ms = limit and rate_seen(base .. key, limit, per_ms) or rests_until
  return until_ms and (rate or '') .. '|' .. digits(until_ms) or ''
end

local function see_queue_limits(seen, concurrency, rate)
  seen.spent_queue = spent_text(rate, 'rate:')
  concurrency = tonumber(concurrency or nil)
  if not concurrency then return end
  local count, ids = 0, {}
  for _, runner in ipairs(redis.call('HKEYS', base .. 'workers')) do
    local active_list = base .. 'active:' .. runner
    count = count + redis.call('LLEN', active_list)
    if #ids < MOST_NAMED then
      for _, id in ipairs(redis.call('LRANGE', active_list, 0, MOST_NAMED - 1)) do ids[#ids + 1] = id end
    end
  end
  if count >= concurrency then seen.full_queue = full_text(concurrency, count, ids) end
end

-- The limits of one group: its concurrency and rate as texts or false, and whether it is paused.
local function limits_seen_of(group, concurrency, rate)
  local own = redis.pcall('HGET', base .. 'limits', group)
  if type(own) ~= 'string' then return concurrency, rate, false end
  local own_concurrency, own_rate, paused = string.match(own, '^(%d*)|([^|]*)|(.*)$')
  return own_concurrency ~= '' and own_concurrency or concurrency, own_rate ~= '' and own_rate or rate, paused == '1'
end

-- Which job the group rests for, as 'until ms, id'; nil where no job has asked for that.
local function hold_of(group)
  local held = redis.pcall('HGET', base .. 'held', group)
  local until_ms = type(held) == 'string' and string.match(held, '^(%d+) .')
  return until_ms and tonumber(until_ms) > now_ms and held or nil
end

-- WHY SSCAN: 100,000 jobs of a group may run, and five are named.
local function see_group_limits(seen, group, queue_concurrency, queue_rate)
  local concurrency, rate, is_paused = limits_seen_of(group, queue_concurrency, queue_rate)
  if is_paused then seen.group_paused = '1' end
  concurrency = tonumber(concurrency or nil)
  local running = concurrency and tonumber(redis.pcall('SCARD', base .. 'running:' .. group)) or 0
  if concurrency and running >= concurrency then
    local _, ids = unpack(redis.call('SSCAN', base .. 'running:' .. group, '0', 'COUNT', MOST_NAMED))
    seen.full_group = full_text(concurrency, running, ids)
  end
  local rests_until = redis.pcall('ZSCORE', base .. 'resting', group)
  rests_until = type(rests_until) == 'string' and tonumber(rests_until) > now_ms and tonumber(rests_until) or nil
  seen.held = rests_until and hold_of(group) or ''
  seen.spent_group = spent_text(rate, 'rate:' .. group, seen.held == '' and rests_until or nil)
end
