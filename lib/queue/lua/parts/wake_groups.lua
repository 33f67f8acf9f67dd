-- wake_groups(most): up to `most` groups that are full, and as many that rest for their rate, have their turn again: a
-- limit is another one. Claims stop those again that may still start no job. A group that its job holds rests on.
-- Returns whether any has a turn that had none.
-- @use resume
local function wake_groups(most)
  local is_woken, groups = false, redis.call('SPOP', base .. 'full', most)
  for _, group in ipairs(redis.call('ZRANGE', base .. 'resting', '0', most - 1)) do
    if redis.call('HEXISTS', base .. 'held', group) == 0 then
      redis.call('ZREM', base .. 'resting', group)
      groups[#groups + 1] = group
    end
  end
  for _, group in ipairs(groups) do is_woken = resume(group) or is_woken end
  return is_woken
end
