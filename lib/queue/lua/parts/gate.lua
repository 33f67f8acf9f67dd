-- The gate: every job passes through `may_start` before it is handed out.
-- @use clock as_count claim_fields drop_id find kill quarantine stale_ids

-- leave_expiring(id, claims, expires, is_lost_claim): take the job out of `expiring`: a claimed job expires no more.
-- Returns whether it has expired: the time `expires` is over, and its handler has never started (unbegun.lua).
local function leave_expiring(id, claims, expires, is_lost_claim)
  local job = base .. 'job:' .. id
  redis.call('ZREM', base .. 'expiring', id)
  local unbegun = claims and redis.call('HGET', job, 'unbegun')
  if is_lost_claim then
    if (unbegun or '0') == digits(as_count(claims) - 1) then redis.call('HSET', job, 'unbegun', claims) end
    return false
  end
  return (tonumber(expires) or math.huge) <= now_ms and claims == unbegun
end

-- may_start(id, f, list, is_lost_claim): 'start' where job `id`, which stands in `list`, may be handed out, or why not:
-- 'drop': no job is to be taken from there | 'no_id' | 'unreadable' | 'expired' | 'given_up': give_up_after_s is over.
-- f: of read_for_claim. is_lost_claim: the runner has claimed the job before, and the reply was lost: no attempt began.
-- To be called once a claim for a job that `expires`: the call takes the job out of `expiring`.
-- A limit that holds jobs back is to be asked here, as the last thing before 'start'.
-- WHY the whole id is matched: a pattern for the first wrong byte begins anew at each byte, and takes twice the time.
-- WHY digits first: most of an id is digits.
local function may_start(id, f, list, is_lost_claim)
  local spec, expires, gives_up, stale_in = f[SPEC], f[EXPIRES], f[GIVES_UP], f[LISTED]
  -- WHY a lost claim is not asked: its id came from some list or other; a stale id may stand in ready:normal still.
  if not is_lost_claim and (f[STATE] ~= 'ready' or (stale_in and is_stale_in(stale_in, list))) then return 'drop' end
  if not find(id, '^[0-9a-z_-]*$') then return 'no_id' end
  if not spec or find(spec, '\30', 1, true) or find(spec, '\31', 1, true) then return 'unreadable' end
  if expires and leave_expiring(id, f[CLAIMS], expires, is_lost_claim) then return 'expired' end
  if gives_up and not is_lost_claim and (tonumber(gives_up) or math.huge) <= now_ms then return 'given_up' end
  return 'start'
end

-- A job whose give_up_after_s is over begins no attempt any more. The error of its last attempt, if there was one, is
-- the cause.
local function kill_given_up(id)
  local attempts, error_text = unpack(redis.call('HMGET', base .. 'job:' .. id, 'attempts', 'error'))
  local when = attempts and 'before its next try' or 'before it had begun'
  local cause = attempts and error_text and string.sub(error_text, 1, 1) == '{' and ',"cause":' .. error_text or ''
  kill({id}, '{"type":"gave_up","message":"its give_up_after_s was over ' .. when .. '"' .. cause .. '}', 'expire')
end

-- turn_away(id, f, list, why): drop or kill a job that may not start. The caller takes the id out of the list.
-- WHY an unreadable job is dead: it would stop one runner after the other.
local function turn_away(id, f, list, why)
  if why == 'drop' then return drop_id(id, f[STATE], list, f[LISTED]) end
  if why == 'no_id' then return quarantine(id, 'this is no job id') end
  if why == 'expired' then return kill({id}, EXPIRED, 'expire') end
  if why == 'given_up' then return kill_given_up(id) end
  kill({id}, '{"type":"unreadable","message":"its spec is missing or holds bytes that JSON text does not"}', 'claim')
end
