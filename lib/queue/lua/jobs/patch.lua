#!lua
-- patch.lua: change the spec, the priority, the due time or the tags of a job that waits. A blocked job's due time is
-- that of the time when it is free.
-- KEYS 1 base
-- ARGV 1 id  2 SHA-1 of the spec that the new spec was made of  3 new spec  4 new priority, or '' to leave it
--      5 'now', ms since 1970 at which the job is due, or '' to leave that  6 its unique key, or ''
--      7 '=' and the new tags, as '=eu,order-17', or '' to leave them
-- RETURNS 'done' | 'changed': the job's spec is another one by now, and nothing was done
--      | the state that does not allow it, or 'outside': it waits for a callback | '' there is no such job
-- @transition ready --patch--> delayed
-- @transition delayed --patch--> ready
-- @use clock check_types bell delay due make_ready mark_stale ready_list tags text_at type_of_job unique_key
-- @use is_outside
-- WHY no list is searched for the id: parts/stale_ids.lua.
-- WHY no allow-oom: the spec may grow, and is refused up front at maxmemory, before anything is written.
local id, seen_sha1, spec, new_priority, due, unique_key = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local tags_wanted = ARGV[7]
local job = base .. 'job:' .. id
local state, old_spec, old_priority, suspect, group, unique_ttl, patience, stale_in, old_tags = unpack(redis.call(
  'HMGET', job, 'state', 'spec', 'priority', 'suspect', 'group', 'unique_ttl', 'patience', 'listed', 'tags'))

if not state then return '' end
if state ~= 'ready' and state ~= 'delayed' and state ~= 'blocked' then return state end
if state == 'blocked' and is_outside(id) then return 'outside' end
if not old_spec or redis.sha1hex(old_spec) ~= seen_sha1 then return 'changed' end

check_types('LLEN', 'ready:high', 'ready:normal', 'ready:low', 'suspects')
local due_ms = due == 'now' and now_ms or tonumber(due)
local is_later = due_ms and due_ms > now_ms
local from = ready_list(old_priority, suspect, group)
local to = ready_list(new_priority ~= '' and new_priority or old_priority, suspect, group)

redis.call('HSET', job, 'spec', spec)
redis.call('HDEL', job, 'unknown_since')
-- The job is given up `patience` ms after its due time, which is another one now.
if due_ms and patience and state ~= 'blocked' then
  redis.call('HSET', job, 'gives_up', digits(math.max(due_ms, now_ms) + (tonumber(patience) or 0)))
end
if new_priority ~= '' then redis.call('HSET', job, 'priority', new_priority) end

-- A delayed job holds its unique key until it is due, and `unique_ttl` beyond, or a day; of the mode throttle, wherever
-- the job stands. WHY: else another job could come under the key before this one has begun.
local function hold_unique_key()
  local ttl_ms = tonumber(string.match(unique_ttl or '', '^[1-9]%d*$') or 86400000)
  for _, key in ipairs({unique_keys(unique_key, type_of_job(job))}) do
    local holders = text_at(key)
    if string.match(holders, '^%S*') == id then
      redis.call('SET', key, holders, 'PX', digits(due_ms - now_ms + ttl_ms))
    end
  end
end

if tags_wanted ~= '' then
  local new_tags = string.sub(tags_wanted, 2)
  change_tags(id, old_tags, new_tags)
  if new_tags ~= '' then redis.call('HSET', job, 'tags', new_tags) else redis.call('HDEL', job, 'tags') end
end
if state == 'blocked' then
  if due_ms then
    redis.call('HDEL', job, 'free_delay')
    redis.call('HSET', job, 'free_due', digits(due_ms))
  end
elseif is_later then
  if unique_key ~= '' then hold_unique_key() end
  if suspect then redis.call('HDEL', job, 'suspect') end
  if state == 'ready' then
    mark_stale(job, stale_in, from)
    delay(id, job, due_ms)
  else
    redis.call('ZADD', base .. 'delayed', due_ms, id)
    if next_due() ~= first_due_ms then ring() end
  end
elseif state == 'delayed' and due_ms then
  redis.call('ZREM', base .. 'delayed', id)
  make_ready(id, job, to, stale_in, 'since', now)
elseif state == 'ready' and to ~= from then
  place(id, job, to, mark_stale(job, stale_in, from))
end

publish_delayed('patch')
publish_ready('patch')
return 'done'
