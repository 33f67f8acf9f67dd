-- What keeps the jobs of a queue with limits or groups from starting, for a script that only looks. Both functions
-- write into the table `seen`, under the names that explain.lua returns.
-- see_queue_limits(seen, concurrency, rate): the queue's own limits, by its settings of these names or false.
-- see_group_limits(seen, group): those of a group.
-- @use clock group_room group_stop is_outside queue_room
local MOST_NAMED = 5

-- `full_queue` and `full_group`: a concurrency of 2 that leaves 0 slots is '2|2|id,id'.
local function full_text(concurrency, slots, ids)
  return string.format('%d|%d|%s', concurrency, concurrency - slots, table.concat(ids, ','))
end

-- `spent_queue` and `spent_group`.
local function spent_text(rate, until_ms) return rate .. '|' .. digits(until_ms) end

-- The ids of some jobs that run, of any group.
local function some_active()
  local ids = {}
  for _, runner in ipairs(redis.call('HKEYS', base .. 'workers')) do
    local most = MOST_NAMED - #ids
    if most == 0 then break end
    for _, id in ipairs(redis.call('LRANGE', base .. 'active:' .. runner, 0, most - 1)) do ids[#ids + 1] = id end
  end
  return ids
end

local function see_queue_limits(seen, concurrency, rate)
  local room = queue_room(concurrency, rate)
  if room.slots <= 0 then seen.full_queue = full_text(tonumber(concurrency), room.slots, some_active()) end
  if room.starts <= 0 then seen.spent_queue = spent_text(rate, now_ms + room.rest_ms) end
end

-- What a group that may start no job runs. usual: of limits_of. A group that has strikes is full by what it may run
-- else, where so many are outside, or by the one job that tries.
local function full_group_text(group, concurrency, usual, slots)
  local most, running = tonumber(usual or ''), running_of(group)
  local ids, of_runners = some_running(group, MOST_NAMED), {}
  if most and running >= most then return full_text(most, most - running, ids) end
  for _, id in ipairs(ids) do
    if not usual or not is_outside(id) then of_runners[#of_runners + 1] = id end
  end
  return full_text(tonumber(concurrency), slots, of_runners)
end

local function see_group_limits(seen, group)
  local concurrency, rate, is_paused, usual = limits_of(group)
  local room, by, until_ms = room_of(group), stop_of(group)
  seen.strikes = strikes_text(group)
  if is_paused then
    seen.group_paused = '1'
  elseif room.slots <= 0 then
    seen.full_group = full_group_text(group, concurrency, usual, room.slots)
  end
  if by == 'hold' then
    seen.held = until_ms .. ' ' .. held_by(group)
  elseif room.starts <= 0 then
    seen.spent_group = spent_text(rate, now_ms + room.rest_ms)
  elseif by == 'rate' then
    seen.spent_group = (rate or '') .. '|' .. until_ms
  end
end
