-- A job is made: take_in writes its record, and place_taken_in puts all new jobs of a call where they stand.
-- entries: for `all`, as score, id, score, id …; ready_ids: list -> ids for that list;
-- later: for `delayed`, as due ms, id, due ms, id …; later_ids: the ids of `later`; new_types: type -> how many jobs;
-- tagged: tag -> for its index, as score, id, score, id …
-- @use clock bell block events lines new_edges notices ready_list tags tally types unblock
local entries, ready_ids, later, later_ids, new_types, tagged = {}, {}, {}, {}, {}, {}

-- write_record(job, state, priority, spec, options): the job's hash, of a new job or of one that another request has
-- replaced. A field that says nothing is left out.
local function write_record(job, state, priority, spec, options)
  local fields = {'spec', spec, 'state', state}
  local function write(name, value)
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
  if priority ~= 'normal' then write('priority', priority) end
  if options then
    if options.group then write('group', options.group) end
    -- retry takes the unique key again for this long; for a day where nothing is noted.
    if options.unique_ttl and options.unique_ttl ~= '86400000' then write('unique_ttl', options.unique_ttl) end
    if options.unique_mode then
      local modes = {t = 'throttle', r = 'replace', d = 'debounce'}
      write('unique_mode', modes[options.unique_mode])
    end
    if options.retain then write('retain', options.retain) end
    if options.patience then
      write('patience', options.patience)
      -- WHY not of a blocked job: the time begins when the job is free (set_free.lua).
      if state ~= 'blocked' then write('gives_up', digits((options.due_ms or now_ms) + tonumber(options.patience))) end
    end
    if state == 'blocked' and options.is_due_by_delay then
      write('free_delay', digits(tonumber(options.due)))
    elseif state == 'blocked' and options.due then
      write('free_due', options.due)
    end
    if options.due_by then write('due_by', options.due_by) end
    if options.expires then write('expires', digits(now_ms + tonumber(options.expires))) end
    if options.tags then write('tags', options.tags) end
  end
  redis.call('HSET', job, unpack(fields))
end

-- take_in_blocked(id, priority, spec, options): the part of take_in for a job that waits for others.
local function take_in_blocked(id, priority, spec, options)
  local job = base .. 'job:' .. id
  local _, own_jobs = write_edges(id, options.edges)
  write_record(job, 'blocked', priority, spec, options)
  block(id, job, options.ask_ms, 'waits', '1')
  if options.is_workflow then redis.call('HSET', job, 'joins', own_jobs) end
end

-- follow_new(id, options): those that wait for the new job's end are noted.
local function follow_new(id, options)
  local ids = options.followers
  if options.calls_back then ids = (ids and ids .. ',' or '') .. '!callback' end
  wait_for(id, ids)
end

-- take_in(id, priority, spec, type_name, options): make a job. Nothing else does. options: of read_options, or false;
-- where they have edges, the caller adds ask_ms: when the job asks its parents.
-- The caller has checked the types of `all`, `delayed`, `blocked` (where there are edges), `followers` (where somebody
-- waits for the job) and the ready lists, and calls place_taken_in after the last.
local function take_in(id, priority, spec, type_name, options)
  local job, due_ms = base .. 'job:' .. id, options and options.due_ms
  entries[#entries + 1] = now
  entries[#entries + 1] = id
  add_one(new_types, type_name)
  if options and options.edges then
    take_in_blocked(id, priority, spec, options)
  elseif due_ms then
    later[#later + 1] = due_ms
    later[#later + 1] = id
    later_ids[#later_ids + 1] = id
  else
    local list = ready_list(priority, nil, options and options.group)
    local ids = ready_ids[list]
    if not ids then
      ids = {}
      ready_ids[list] = ids
    end
    ids[#ids + 1] = id
  end
  if not options and priority == 'normal' then
    redis.call('HSET', job, 'spec', spec, 'state', 'ready')
    return
  elseif options and options.is_group_alone and priority == 'normal' then
    redis.call('HSET', job, 'spec', spec, 'state', 'ready', 'group', options.group)
    return
  end
  if not (options and options.edges) then
    write_record(job, due_ms and 'delayed' or 'ready', priority, spec, options)
  end
  if options and options.expires then
    redis.pcall('ZADD', base .. 'expiring', digits(now_ms + tonumber(options.expires)), id)
  end
  if options and options.tags then add_by_tag(tagged, options.tags, now, id) end
  if options and (options.followers or options.calls_back) then follow_new(id, options) end
end

-- place_taken_in(by): put all jobs that take_in made where they stand, publish them, count them, and wake a runner
-- where a job went to a list on which none blocks, or is the next to be due. Returns what tally returns.
local function place_taken_in(by)
  if #entries > 0 then redis.call('ZADD', base .. 'all', unpack(entries)) end
  local is_bell_needed = false
  local of_lines
  for list, ids in pairs(ready_ids) do
    if string.sub(list, 1, 5) == 'line:' then
      of_lines = of_lines or {}
      of_lines[list] = ids
    else
      is_bell_needed = push('LPUSH', list, unpack(ids)) or is_bell_needed
    end
    publish('ready', ids, by)
  end
  -- WHY all lines at once: many groups cost a command each otherwise.
  if of_lines then is_bell_needed = lines().push('LPUSH', of_lines) or is_bell_needed end
  if is_bell_needed or (next(ready_ids) and blocks_on_bells()) then ring() end
  if #later > 0 then
    local first = redis.call('ZRANGE', base .. 'delayed', '0', '0')[1]
    redis.call('ZADD', base .. 'delayed', unpack(later))
    if redis.call('ZRANGE', base .. 'delayed', '0', '0')[1] ~= first then ring() end
  end
  if next(tagged) then write_tags('ZADD', tagged) end
  publish('delayed', later_ids, by)
  if are_blocked then publish_blocked(by) end
  return tally('enqueued', new_types)
end

-- place_now(by): the same before the call has come to its end, for a script that changes jobs of its own call.
local function place_now(by)
  local has_begun = place_taken_in(by)
  entries, ready_ids, later, later_ids, new_types, tagged = {}, {}, {}, {}, {}, {}
  are_blocked = nil
  return has_begun
end
