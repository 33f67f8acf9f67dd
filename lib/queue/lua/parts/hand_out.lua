-- A job becomes active: hand_out writes its record and puts it into the answer of claim.lua, which claim_reply returns.
-- words: the head of the answer, and a record for each job. specs: a place for `words`, and the spec of each job.
-- handed_out: how many jobs. claimed_ids: their ids. ready_since: ms since which each is ready; nil: since created.
-- WHY the specs are apart: Lua hashes each string that it makes, byte by byte. One text of all specs is made twice.
-- @use clock as_count claim_fields events kill
local specs, words, handed_out = {''}, {''}, 0
local claimed_ids, ready_since = {}, {}
local group_starts = {}  -- group -> ids of its jobs that this call has handed out; '' for jobs of no group.

-- hand_out(id, job, f, past, runner, group, is_lost_claim): the job is active, held by the runner under a new token,
-- and goes into the answer. f: of read_for_claim; past: of past_of. The id is in the runner's active list already.
-- group: the job's group, '' for none, where ration.lua hands it out; nil where claim.lua does.
-- is_lost_claim: the last claim counted an attempt that was never made; this claim counts no second one.
-- WHY a job of no group gets the field `group` from ration.lua, empty: by it the scripts that end attempts know that
-- the job's slot is to be given back (slots.lua).
local function hand_out(id, job, f, past, runner, group, is_lost_claim)
  local claims, gives_up, checkpoint = f[CLAIMS], f[GIVES_UP], past[CHECKPOINT]
  local token = claims and tostring(as_count(claims) + 1) or '1'
  local attempt = claims and tostring(as_count(past[ATTEMPTS]) + (is_lost_claim and 0 or 1)) or '1'
  if group == '' then
    redis.call('HSET', job, 'state', 'active', 'claims', token, 'attempts', attempt, 'worker', runner, 'started', now,
      'group', '')
  else
    redis.call('HSET', job, 'state', 'active', 'claims', token, 'attempts', attempt, 'worker', runner, 'started', now)
  end
  if group then
    local ids = group_starts[group]
    if ids then ids[#ids + 1] = id else group_starts[group] = {id} end
  end
  handed_out = handed_out + 1
  claimed_ids[handed_out], ready_since[handed_out] = id, tonumber(f[SINCE])
  local record = id .. '\31' .. token .. '\31' .. attempt .. '\31' .. (past[UNKNOWN_SINCE] or '')
  if checkpoint or gives_up then
    local rest = (checkpoint or '') .. '\31' .. (gives_up or '')
    -- WHY counted: a person may have written the separators into one of the two by hand.
    local _, separators = string.gsub(rest, '[\30\31]', '')
    if separators == 1 then record = record .. '\31' .. rest end
  end
  words[handed_out + 1] = record
  specs[handed_out + 1] = f[SPEC]
end

-- claim_reply(state, wait): all that was handed out, as claim.lua returns it. The event is published on the way.
-- wait: of my_wait (keeper.lua), or ''.
local function claim_reply(state, wait)
  -- WHY all at once: one ZMSCORE costs what two jobs cost.
  local created = {}
  if handed_out > 0 then
    created = redis.call('ZMSCORE', base .. 'all', unpack(claimed_ids, 1, math.min(handed_out, 5000)))
  end
  for i = 1, handed_out do ready_since[i] = ready_since[i] or created[i] or now end
  publish('active', claimed_ids, 'claim')
  local since, dead = table.concat(ready_since, ','), table.concat(killed, ',')
  words[1] = table.concat({state, now, wait, since, dead}, '\31')
  specs[1] = table.concat(words, '\30')
  return specs
end
