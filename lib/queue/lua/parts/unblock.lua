-- unblock(id): the job waits for others no more. The caller puts it where it stands next.
-- are_blocked: id -> true, of the jobs that this call has blocked (block.lua), and that are blocked still; nil for
-- none.
local are_blocked
local function unblock(id)
  redis.call('ZREM', base .. 'blocked', id)
  redis.call('ZREM', base .. 'unsure', id)
  if are_blocked then are_blocked[id] = nil end
end
