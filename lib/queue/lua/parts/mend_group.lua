-- mend_group(group): make what is written of one group agree with its lines and its jobs. Returns whether anything was
-- broken, whether the group has a turn that it did not have, and how many jobs were looked at.
-- @use broken_keys lines group_room clock is_outside strikes
local MOST_SEEN, DAY_MS = 100, 86400000

-- Ids of `running` whose job runs no more go. Returns how many there were, and how many were looked at.
local function drop_ghosts(group)
  local running, ghosts = base .. 'running:' .. group, {}
  local ids = redis.call('SRANDMEMBER', running, MOST_SEEN)
  for _, id in ipairs(ids) do
    local state, own_group = unpack(redis.pcall('HMGET', base .. 'job:' .. id, 'state', 'group'))
    local runs = state == 'active' or (state == 'blocked' and is_outside(id))
    if not runs or (own_group or '') ~= group then ghosts[#ghosts + 1] = id end
  end
  if #ghosts > 0 then redis.call('SREM', running, unpack(ghosts)) end
  return #ghosts, #ids
end

-- Its score in `turns` says how many of its jobs run; where it does not, the turn is given anew.
local function has_right_turn(priority, group, running)
  local score = tonumber(redis.call('ZSCORE', base .. 'turns:' .. priority, group) or nil)
  if not score then return false end
  if math.floor(score / LOAD) == running then return true end
  redis.call('ZREM', base .. 'turns:' .. priority, group)
  return false
end

-- keeps_strikes(group): has the group strikes, the last of them within a day? Older ones go.
-- WHY a day: a job that is tried again in 12 hours is in no line until then, and the strikes are what is known.
local function keeps_strikes(group)
  local _, last_ms = strikes_of(group)
  if last_ms and math.abs(now_ms - last_ms) < DAY_MS then return true end
  redis.call('HDEL', base .. 'strikes', group)
  return false
end

-- Forget a group that has no job: no turn, no count of stale ids, no name.
local function forget_group(group, running)
  for _, priority in ipairs(lines().PRIORITIES) do
    redis.call('ZREM', base .. 'turns:' .. priority, group)
    redis.call('HDEL', base .. 'stale', 'line:' .. priority .. ':' .. group)
  end
  redis.call('SREM', base .. 'full', group)
  if running == 0 and not keeps_strikes(group) then redis.call('ZREM', base .. 'groups', group) end
end

-- Does the group rest for its strikes for longer than it may? The clock was set back since.
local function is_too_long(group, held_until)
  local _, _, until_ms = strikes_of(group)
  return held_until == until_ms and held_until > now_ms + LONGEST_REST_MS
end

-- Does the group rest as it must? A hold that `resting` does not know is noted there again. A group that rests for its
-- rate, though that allows a start, does not, and none rests for longer than its rate asks: the rate is another one by
-- now, or the clock was set back.
local function rests(group)
  local held_until = tonumber(string.match(redis.call('HGET', base .. 'held', group) or '', '^%d+') or nil)
  local rests_until = tonumber(redis.call('ZSCORE', base .. 'resting', group) or nil)
  if held_until and held_until > now_ms and not is_too_long(group, held_until) then
    if rests_until ~= held_until then lines().rest(group, held_until) end
    return true
  end
  if not rests_until then return false end
  local room = room_of(group)
  if rests_until > now_ms and room.starts <= 0 then
    local until_ms = now_ms + room.rest_ms
    if rests_until > until_ms then redis.call('ZADD', base .. 'resting', digits(until_ms), group) end
    return true
  end
  redis.call('ZREM', base .. 'resting', group)
  redis.call('HDEL', base .. 'held', group)
  return false
end

local function mend_group(group)
  put_aside_broken('set', 'running:' .. group)
  put_aside_broken('list', 'rate:' .. group)
  local ghosts, looks = drop_ghosts(group)
  local running, waits_in = redis.call('SCARD', base .. 'running:' .. group), {}
  for _, priority in ipairs(lines().PRIORITIES) do
    local line = 'line:' .. priority .. ':' .. group
    put_aside_broken('list', line)
    if redis.call('EXISTS', base .. line) == 1 then waits_in[#waits_in + 1] = priority end
  end
  if rests(group) then return ghosts > 0, false, looks end
  if #waits_in == 0 then
    forget_group(group, running)
    return ghosts > 0, false, looks
  end
  -- WHY a full group that has a slot has its turn: where its last job was a ghost, nobody else would give it back.
  if redis.call('SISMEMBER', base .. 'full', group) == 1 then
    if room_of(group).slots <= 0 then return ghosts > 0, false, looks end
    redis.call('SREM', base .. 'full', group)
    return ghosts > 0, lines().resume({group}), looks + 1
  end
  local has_all_turns = true
  for _, priority in ipairs(waits_in) do
    has_all_turns = has_right_turn(priority, group, running) and has_all_turns
  end
  local has_new_turn = not has_all_turns and lines().resume({group})
  return ghosts > 0 or not has_all_turns, has_new_turn, looks + 1
end

-- note_unseen(most): of up to `most` jobs that runners hold, those that are missing in the `running` of their group
-- come in. WHY: the group would run above its concurrency.
local function note_unseen(most)
  for _, runner in ipairs(redis.call('HKEYS', base .. 'workers')) do
    for _, id in ipairs(redis.call('LRANGE', base .. 'active:' .. runner, 0, most - 1)) do
      local state, group = unpack(redis.pcall('HMGET', base .. 'job:' .. id, 'state', 'group'))
      if state == 'active' and group and group ~= '' then
        put_aside_broken('set', 'running:' .. group)
        redis.call('SADD', base .. 'running:' .. group, id)
      end
      most = most - 1
    end
    if most <= 0 then return end
  end
end

-- some_named(most): names of groups that stand in `turns`, `full` and `resting`, some of each.
local function some_named(most)
  local names = redis.call('SRANDMEMBER', base .. 'full', most)
  for _, key in ipairs({'resting', 'turns:high', 'turns:normal', 'turns:low'}) do
    for _, group in ipairs(redis.call('ZRANGE', base .. key, '0', most - 1)) do
      if group ~= '' then names[#names + 1] = group end
    end
  end
  return names
end

-- is_plain(): the queue has no group that waits, and no suspect, which may be of a group.
local function is_plain()
  return redis.call('EXISTS', base .. 'turns:high', base .. 'turns:normal', base .. 'turns:low', base .. 'full',
    base .. 'resting', base .. 'suspects') == 0
end
