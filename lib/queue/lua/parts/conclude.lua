-- fade(id, retain): note when the record of a job that ended is forgotten. retain: the job's field, ms, or false: then
-- only the queue's own retention (trim.lua) ends the record.
-- WHY three seconds at least: whoever waits for the job's end is told of the end, and reads the record then.
-- WHY pcall: a broken `fading` costs the record its early end, and the job nothing.
-- @use clock events tally types
local function fade(id, retain)
  local ms = retain and #retain <= 12 and string.match(retain, '^%d+$')
  if ms then redis.pcall('ZADD', base .. 'fading', digits(now_ms + math.max(3000, tonumber(ms))), id) end
end

-- conclude(state, ids, by, fields, known): end jobs. Nothing else makes a job completed, dead or cancelled. Writes the
-- index of the state, the jobs' records, the event, the counts, and when records with a `retain` are forgotten.
-- state: 'completed' | 'dead' | 'cancelled'. by: an event of lib/jobs/state.py, as 'fail'.
-- fields: id -> {name, value, name, value …}, what is written into the job's record beside the state; or nil.
-- known: {types = {type -> how many of the ids}, retains = {id -> its `retain`} or nil} of a caller that has both at
-- hand; nil where they are to be read from the records.
-- The caller has taken the ids out of where they stood, and has checked the type of the index.
-- WHY the index comes first: where somebody broke it and no caller checked it, the jobs' records are as they were.
local function conclude(state, ids, by, fields, known)
  if #ids == 0 then return end
  local entries = {}
  for i, id in ipairs(ids) do entries[2 * i - 1], entries[2 * i] = now, id end
  redis.call('ZADD', base .. state, unpack(entries))

  local types, retains = known and known.types or {}, known and known.retains
  for _, id in ipairs(ids) do
    local job, more = base .. 'job:' .. id, fields and fields[id]
    if more then
      redis.call('HSET', job, 'state', state, 'finished', now, unpack(more))
    else
      redis.call('HSET', job, 'state', state, 'finished', now)
    end
    if not known then
      local spec, retain = unpack(redis.call('HMGET', job, 'spec', 'retain'))
      add_one(types, type_in_spec(spec))
      fade(id, retain)
    elseif retains then
      fade(id, retains[id])
    end
  end

  announce(state, ids, by)
  tally(state, types)
end
