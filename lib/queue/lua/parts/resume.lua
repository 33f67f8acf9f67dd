-- resume(group): a group that was stopped has its turn again wherever its jobs wait. Returns whether it had none.
-- The caller has taken it out of `full` or `resting`, and rings.
-- @use lines
local PRIORITIES = {'high', 'normal', 'low'}
local function resume(group)
  local is_new, turn = false, nil
  for _, priority in ipairs(PRIORITIES) do
    if redis.call('EXISTS', base .. 'line:' .. priority .. ':' .. group) == 1 then
      turn = turn or newest_turn()
      is_new = give_turn(priority, group, turn) or is_new
    end
  end
  return is_new
end

-- priorities_with_turns(): the priorities in which groups may have turns, most often one.
local function priorities_with_turns()
  return redis.call('EXISTS', base .. 'turns:high', base .. 'turns:low') > 0 and PRIORITIES or {'normal'}
end
