-- A job that waited for others is free: set_free makes it ready, or delays it as it was asked for; publish_freed is
-- to be called once, behind the last one.
-- WHY the front of the line: the job was taken in before whatever came since. WHY in reverse: the last one pushed there
-- is the next, and siblings are to begin in the order in which they were freed.
-- @use clock delay give_back make_ready ready_list stale_ids
local set_free_ids = {}
local function set_free(id, job)
  local wait, due, patience = unpack(redis.call('HMGET', job, 'free_delay', 'free_due', 'patience'))
  local due_ms = math.max(tonumber(due) or 0, now_ms + (tonumber(wait) or 0))
  if patience then redis.call('HSET', job, 'gives_up', digits(due_ms + (tonumber(patience) or 0))) end
  if due_ms > now_ms then return delay(id, job, due_ms) end
  set_free_ids[#set_free_ids + 1] = id
end

local function publish_freed(by)
  for at = #set_free_ids, 1, -1 do
    local id = set_free_ids[at]
    local job = base .. 'job:' .. id
    local priority, group, stale_in = unpack(redis.call('HMGET', job, 'priority', 'group', 'listed'))
    local list = ready_list(priority, nil, group)
    if is_stale_in(stale_in, list) then
      make_ready(id, job, list, stale_in, 'since', now)
    else
      give_back(id, job, list, 'since', now)
    end
  end
  publish_delayed(by)
  publish_ready(by)
end
