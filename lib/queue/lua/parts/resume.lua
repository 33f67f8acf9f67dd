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
