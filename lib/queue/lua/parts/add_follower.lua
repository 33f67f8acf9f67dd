-- add_follower(parent, id): the job `id` is told of the end of `parent`, which lives, beside whoever is told already.
-- @use find notices
local function add_follower(parent, id)
  local ids = redis.call('HGET', base .. 'followers', parent)
  if not ids then return wait_for(parent, id) end
  if not find(',' .. ids .. ',', ',' .. id .. ',', 1, true) then wait_for(parent, ids .. ',' .. id) end
end
