-- The unique modes replace and debounce: a job takes the place of the one that lives under its key.
--   it has never begun, and is of the same group    it is changed in place: its id stays
--   it waits, but has begun, or is of another group,
--   or its end is told to a callback_url             it ends, superseded (superseded.lua); the new job is taken in
--   it runs, or waits for a callback                 it is superseded, and runs on; the new job is taken in blocked: it
--                                                    waits for that end, by an edge of rule e (edges.lua)
-- Debounce is the same; the job is due when nobody has asked for it for so long (its due option), and at the latest
-- `unique_ttl` ms after the first request, which the field `due_by` holds.
-- @use change_in_place check_types clock conclude notices superseded take_out text_at wait_behind is_outside

-- check_for_replace(): to be called before the script's first write.
local function check_for_replace()
  check_types('ZCARD', 'blocked', 'cancelled', 'unsure')
  check_types('LLEN', 'ready:high', 'ready:low', 'suspects')
  check_types('HLEN', 'followers')
  check_types('XLEN', 'notices')
  has_followers()
end

-- has_begun(claims, unbegun): fields of a job; has its handler ever started? (unbegun.lua)
local function has_begun(claims, unbegun) return claims and claims ~= unbegun end

-- put_off(options, due_by): when a job of the mode debounce is due. due_by: of the job that waits already, or nil.
local function put_off(options, due_by)
  options.due_by = due_by or digits(now_ms + tonumber(options.unique_ttl))
  local due_ms = math.min(options.due_ms or now_ms, tonumber(options.due_by) or now_ms)
  options.due_ms = due_ms > now_ms and due_ms or nil
  options.due, options.is_due_by_delay, options.unique_ttl = digits(due_ms), false, nil
end

-- still_runs(id, state): does the job run, in a runner or outside?
local function still_runs(id, state) return state == 'active' or (state == 'blocked' and is_outside(id)) end

-- The job under the key `key`, beside `holder`, that runs; nil for none.
local function runs_beside(key, holder)
  for id in string.gmatch(text_at(key), '%S+') do
    if id ~= holder and still_runs(id, redis.pcall('HGET', base .. 'job:' .. id, 'state')) then return id end
  end
end

-- Is the end of the job told to a callback_url? WHY it is not changed in place then: whoever asked for that call is to
-- hear what became of his own job.
local function is_called_back(id)
  local ids = has_followers() and redis.call('HGET', base .. 'followers', id)
  return ids and string.find(ids, '!callback', 1, true)
end

-- replace(id, holder, key, ttl, priority, spec, options, is_group_full): job `id` takes the place of `holder`, which
-- lives under the key `key`, and holds the key for ttl ms. Returns 'replaced' where holder is changed in place, else
-- 'superseding': the caller takes the new job in. 'group-full': nothing was done.
local function replace(id, holder, key, ttl, priority, spec, options, is_group_full)
  local job = base .. 'job:' .. holder
  local state, claims, unbegun, group, old_priority, suspect, stale_in, due_by = unpack(redis.call(
    'HMGET', job, 'state', 'claims', 'unbegun', 'group', 'priority', 'suspect', 'listed', 'due_by'))
  local is_new_group = (group or '') ~= (options.group or '')
  if is_new_group and is_group_full(options) then return 'group-full' end
  local holder_runs = still_runs(holder, state)
  local begun = holder_runs or has_begun(claims, unbegun)
  local runs = runs_beside(key, holder)
  if options.unique_mode == 'd' then put_off(options, not begun and due_by or nil) end
  if not begun and not is_new_group and not is_called_back(holder) then
    change_in_place(holder, job, state, priority, spec, options)
    redis.call('SET', key, holder .. (runs and ' ' .. runs or ''), 'PX', ttl)
    return 'replaced'
  end

  if holder_runs then
    redis.call('HSET', job, 'superseded', superseded_by(id))
    runs = holder
  else
    take_out(holder, job, state, old_priority, suspect, group, stale_in)
    local fields = {'superseded', superseded_by(id), 'error', superseded_error(superseded_by(id))}
    conclude('cancelled', {holder}, 'replace', {[holder] = fields}, nil, nil, 'd')
  end
  if runs then wait_behind(id, runs, options) end
  redis.call('SET', key, id .. (runs and ' ' .. runs or ''), 'PX', ttl)
  return 'superseding'
end
