-- conclude(state, ids, by, fields, types, retains, mark): end jobs. Nothing else makes a job completed, dead or
-- cancelled. Writes the index of the state, the jobs' records, the event, the counts, the notice for whoever waits for
-- the end, and for a job with `retain` the time at which its record is forgotten.
-- state: 'completed' | 'dead' | 'cancelled'. by: an event of lib/jobs/state.py, as 'fail'.
-- fields: id -> {name, value, name, value …}, what is written into a job's record beside its state; nil for none.
-- types: {type -> how many of the ids}, and retains: {id -> its `retain`} or nil, of a caller that knows both;
-- types is nil where both are to be read from the records.
-- mark: what followers are told (edges.lua); nil for that of the state.
-- error_in(fields): the error (JSON) among such fields.
-- The caller has taken the ids out of where they stood, and has checked the type of the index.
-- WHY the index comes first: where somebody broke it and no caller checked it, the jobs' records are as they were.
-- @use clock events note_error notices tally types
local KEPT_FOR_FOLLOWERS_MS = 10800000
local function error_in(fields)
  for i = 1, fields and #fields or 0, 2 do
    if fields[i] == 'error' then return fields[i + 1] end
  end
end

local function conclude(state, ids, by, fields, types, retains, mark)
  local count = #ids
  if count == 0 then return end
  local waiting = has_followers() and redis.call('HMGET', base .. 'followers', unpack(ids))
  local entries = {}
  for i = 1, count do entries[2 * i - 1], entries[2 * i] = now, ids[i] end
  redis.call('ZADD', base .. state, unpack(entries))

  local counts = types or {}
  for i = 1, count do
    local id = ids[i]
    local job, more, retain = base .. 'job:' .. id, fields and fields[id], retains and retains[id]
    if more then
      redis.call('HSET', job, 'state', state, 'finished', now, unpack(more))
    else
      redis.call('HSET', job, 'state', state, 'finished', now)
    end
    if not types then
      local f = redis.call('HMGET', job, 'spec', 'retain')
      local spec, own_retain = f[1], f[2]
      local type_name = type_in_spec(spec)
      add_one(counts, type_name)
      retain = own_retain
      if state == 'dead' then note_error('dead', type_name, error_in(more), id) end
    end
    -- WHY three seconds at least: whoever waits for the job's end is told of the end, and reads the record then. WHY
    -- three hours where other jobs wait for it: they ask what became of it every hour, if a word is lost.
    -- WHY pcall: a broken `fading` costs the record its early end, and the job nothing.
    local ms = retain and #retain <= 12 and string.match(retain, '^%d+$')
    local least = waiting and waiting[i] and KEPT_FOR_FOLLOWERS_MS or 3000
    if ms then redis.pcall('ZADD', base .. 'fading', digits(now_ms + math.max(least, tonumber(ms))), id) end
  end

  for i = 1, waiting and count or 0 do
    if waiting[i] then tell_end(ids[i], mark or mark_of(state), waiting[i]) end
  end
  announce(state, ids, by)
  tally(state, counts)
end
