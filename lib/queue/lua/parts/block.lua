-- A job becomes blocked: it waits for other jobs (edges.lua) or for a callback (is_outside.lua). publish_blocked
-- publishes the event.
-- block(id, job, ask_ms, name, value …): the fields are written with its state. The caller has taken the id out of
-- where it stood. ask_ms: when the job asks its parents what has become of them, unless they have told it by then; nil
-- where it waits for a callback.
-- ask_now(id): a blocked job asks as soon as somebody comes by.
-- @use clock events unblock
local function block(id, job, ask_ms, ...)
  redis.call('ZADD', base .. 'blocked', now, id)
  if ask_ms then redis.call('ZADD', base .. 'unsure', ask_ms, id) end
  redis.call('HSET', job, 'state', 'blocked', ...)
  are_blocked = are_blocked or {}
  are_blocked[id] = true
end

local function ask_now(id) redis.call('ZADD', base .. 'unsure', now, id) end

local function publish_blocked(by)
  local ids = {}
  for id in pairs(are_blocked or {}) do ids[#ids + 1] = id end
  publish('blocked', ids, by)
end
