-- mend_group(group): make what is written of one group agree with its lines and its jobs. Returns whether anything was
-- wrong, whether the group has a turn that it did not have, and how many jobs were looked at.
-- @use broken_keys lines resume group_room
local MOST_SEEN = 100

-- Ids of `running` whose job runs no more go. Returns how many there were, and how many were looked at.
local function drop_ghosts(group)
  local running, ghosts = base .. 'running:' .. group, {}
  local ids = redis.call('SRANDMEMBER', running, MOST_SEEN)
  for _, id in ipairs(ids) do
    local state, own_group = unpack(redis.pcall('HMGET', base .. 'job:' .. id, 'state', 'group'))
    if state ~= 'active' or (own_group or '') ~= group then ghosts[#ghosts + 1] = id end
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

-- Forget a group that has no job: no turn, no count of stale ids, no name.
local function forget_group(group, running)
  for _, priority in ipairs(PRIORITIES) do
    redis.call('ZREM', base .. 'turns:' .. priority, group)
    redis.call('HDEL', base .. 'stale', 'line:' .. priority .. ':' .. group)
  end
  redis.call('SREM', base .. 'full', group)
  if redis.call('HEXISTS', base .. 'held', group) == 1 then return end
  redis.call('ZREM', base .. 'resting', group)
  if running == 0 then redis.call('ZREM', base .. 'groups', group) end
end

local function mend_group(group)
  put_aside_broken('set', 'running:' .. group)
  put_aside_broken('list', 'rate:' .. group)
  local ghosts, looks = drop_ghosts(group)
  local running, waits_in = redis.call('SCARD', base .. 'running:' .. group), {}
  for _, priority in ipairs(PRIORITIES) do
    local line = 'line:' .. priority .. ':' .. group
    put_aside_broken('list', line)
    if redis.call('EXISTS', base .. line) == 1 then waits_in[#waits_in + 1] = priority end
  end
  if #waits_in == 0 then
    forget_group(group, running)
    return ghosts > 0, false, looks
  end
  local is_full = redis.call('SISMEMBER', base .. 'full', group) == 1
  -- WHY a full group that has a slot has its turn: where its last job was a ghost, nobody else would give it back.
  local concurrency, _, is_paused = limits_of(group)
  local is_stuck = is_full and not is_paused and running < (tonumber(concurrency) or math.huge)
  local is_stopped = is_full or redis.call('ZSCORE', base .. 'resting', group)
  if is_stopped and not is_stuck then return ghosts > 0, false, looks end
  if is_stuck then redis.call('SREM', base .. 'full', group) end
  local has_all_turns = true
  for _, priority in ipairs(waits_in) do
    has_all_turns = has_right_turn(priority, group, running) and has_all_turns
  end
  local has_new_turn = not has_all_turns and resume(group)
  return ghosts > 0 or not has_all_turns, has_new_turn, looks + 1
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
