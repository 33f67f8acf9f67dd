-- group_depth(group): how many jobs of the group are ready: the ids in its lines, less the stale ones.
local function group_depth(group)
  local depth = 0
  for _, priority in ipairs({'high', 'normal', 'low'}) do
    local line = 'line:' .. priority .. ':' .. group
    local length, stale = redis.pcall('LLEN', base .. line), 0
    if type(length) == 'number' and length > 0 then
      stale = tonumber(redis.pcall('HGET', base .. 'stale', line)) or 0
      depth = depth + math.max(0, length - stale)
    end
  end
  return depth
end
