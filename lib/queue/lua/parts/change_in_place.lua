-- change_in_place(id, job, state, priority, spec, options): a job that waits, and has never begun, becomes the one of a
-- new request. The job keeps its id, its time of creation and its followers; a ready job that stays in its list keeps
-- its place there, too. The change waits in the tables of take_in.lua, until place_now.
-- WHY it is not taken out of a list and put in again: parts/stale_ids.lua.
-- @use bell clock events mark_stale ready_list stale_ids tags take_in

-- The job goes to the end of `list`; where a stale id of the job stands there, to that place instead.
local function to_list(id, job, list, stale_in)
  if is_stale_in(stale_in, list) then
    unmark_stale(job, stale_in, list)
    publish('ready', {id}, 'replace')
    return ring()
  end
  ready_ids[list] = ready_ids[list] or {}
  table.insert(ready_ids[list], id)
end

-- The job waits from now on as the new request asks. old_due: of a delayed job, ms.
local function change_place(id, job, state, from, to, old_due, stale_in, options)
  if state == 'blocked' then return end
  if options.due_ms then
    if state == 'ready' then
      mark_stale(job, stale_in, from)
      later_ids[#later_ids + 1] = id
    end
    later[#later + 1] = options.due_ms
    later[#later + 1] = id
    -- WHY here: place_taken_in does not see that the job which is the next to be due is due earlier.
    if old_due and options.due_ms < tonumber(old_due) then ring() end
  elseif state == 'delayed' then
    redis.call('ZREM', base .. 'delayed', id)
    to_list(id, job, to, stale_in)
    redis.call('HSET', job, 'since', now)
  elseif from ~= to then
    to_list(id, job, to, mark_stale(job, stale_in, from))
  end
end

local function change_in_place(id, job, state, priority, spec, options)
  local old_priority, group, stale_in, old_tags =
    unpack(redis.call('HMGET', job, 'priority', 'group', 'listed', 'tags'))
  local old_due = state == 'delayed' and redis.call('ZSCORE', base .. 'delayed', id)
  local from, to = ready_list(old_priority, nil, group), ready_list(priority, nil, group)
  change_tags(id, old_tags, options.tags)
  redis.pcall('ZREM', base .. 'expiring', id)
  if options.expires then redis.pcall('ZADD', base .. 'expiring', digits(now_ms + tonumber(options.expires)), id) end
  redis.call('HDEL', job, 'priority', 'unique_ttl', 'unique_mode', 'retain', 'patience', 'gives_up', 'free_delay',
    'free_due', 'due_by', 'expires', 'tags', 'unknown_since')
  local stays = state == 'blocked' and state or options.due_ms and 'delayed' or 'ready'
  write_record(job, stays, priority, spec, options)
  change_place(id, job, state, from, to, old_due, stale_in, options)
end
