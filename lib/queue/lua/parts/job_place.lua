-- job_place(id, group, state, priority, suspect, most_searched, most_looked_into): how many jobs are claimed before a
-- job, and how exactly that is known: explain.lua has the words. state, priority, suspect: fields of the job; group: ''
-- for none. For a job of a group only jobs of that group are counted, because groups take turns.
-- @use ready_list stale_ids

-- How many of the last `most` ids of a list are ready jobs that are to be claimed from there.
local function jobs_in(list, most)
  local count = 0
  if most == 0 then return count end
  for _, id in ipairs(redis.call('LRANGE', base .. list, -most, -1)) do
    local state, stale_in = unpack(redis.pcall('HMGET', base .. 'job:' .. id, 'state', 'listed'))
    if state == 'ready' and not is_stale_in(stale_in, list) then count = count + 1 end
  end
  return count
end

-- Has a runner popped this id?
local function is_popped(id)
  for _, runner in ipairs(redis.call('HKEYS', base .. 'workers')) do
    if redis.call('LPOS', base .. 'active:' .. runner, id) then return true end
  end
  return false
end

-- The lists that are claimed before `list`: those of higher priorities, of a line those of the same group.
local function earlier_lists(list, group)
  local lists = {}
  if list == 'suspects' then return lists end
  for _, higher in ipairs({'high', 'normal'}) do
    local earlier = ready_list(higher, nil, group)
    if earlier == list then break end
    lists[#lists + 1] = earlier
  end
  return lists
end

local function job_place(id, group, state, priority, suspect, most_searched, most_looked_into)
  if state ~= 'ready' then return '', 'none' end
  local list = ready_list(priority, suspect or nil, group)
  local length = redis.call('LLEN', base .. list)
  local at = redis.call('LPOS', base .. list, id, 'RANK', -1, 'MAXLEN', most_searched)
  if not at and is_popped(id) then return 0, 'taken' end
  if not at and length <= most_searched then return '', 'none' end
  local own, earlier = at and length - 1 - at or most_searched, earlier_lists(list, group)
  local total = own
  for _, other in ipairs(earlier) do total = total + redis.call('LLEN', base .. other) end
  if not at then return total, 'least' end
  if total > most_looked_into then return total, 'most' end
  local count = jobs_in(list, own)
  for _, other in ipairs(earlier) do count = count + jobs_in(other, most_looked_into) end
  return count, 'exact'
end
