-- hold(group, until_ms, id): the group rests until then, for its job `id` has said so; where it rests longer already,
-- nothing changes. `held` says which job it was: 'tenant-42' -> '1760000030000 emails-01a2…'.
-- A job of no group holds nobody.
-- WHY pcall: what somebody broke must not keep the attempt from ending.
-- @use clock stop_group
local function hold(group, until_ms, id)
  if not group or group == '' then return end
  local held_until = string.match(tostring(redis.pcall('HGET', base .. 'held', group)), '^%d+')
  if held_until and tonumber(held_until) >= until_ms then return end
  redis.pcall('HSET', base .. 'held', group, digits(until_ms) .. ' ' .. id)
  pcall(stop_group, group, until_ms)
end
