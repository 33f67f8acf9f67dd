-- The gate: every job passes through `may_start` before it is handed out.
-- @use clock as_count drop_id kill kill_given_up quarantine stale_ids

-- read_for_claim(id): of the job's record, in this order: 1 spec, 2 state, 3 claims, 4 expires, 5 since, 6 listed,
-- 7 gives_up; false for a field that is not there, and nothing where the record is broken.
local function read_for_claim(id)
  return redis.pcall('HMGET', base .. 'job:' .. id, 'spec', 'state', 'claims', 'expires', 'since', 'listed', 'gives_up')
end

-- WHY the whole id is matched: a pattern that looks for the first wrong byte begins anew at each byte, for twice the time.
-- WHY digits first: most of an id is digits.
local function is_id(id) return string.find(id, '^[0-9a-z_-]*$') ~= nil end

-- WHY: a job that nobody can read would stop every runner that is handed it.
local function is_readable(id, spec)
  return spec and is_id(id) and not string.find(spec, '\30', 1, true) and not string.find(spec, '\31', 1, true)
end

-- has_expired(id, claims, expires, is_lost_claim): is the time over at which this job, which `expires`, was to have begun,
-- and has it never begun (unbegun.lua)? A job that is claimed is to expire no more, so that its id leaves `expiring`.
local function has_expired(id, claims, expires, is_lost_claim)
  local job = base .. 'job:' .. id
  redis.call('ZREM', base .. 'expiring', id)
  local unbegun = claims and redis.call('HGET', job, 'unbegun')
  if is_lost_claim then
    if (unbegun or '0') == digits(as_count(claims) - 1) then redis.call('HSET', job, 'unbegun', claims) end
    return false
  end
  return (tonumber(expires) or math.huge) <= now_ms and claims == unbegun
end

-- may_start(id, f, list, is_lost_claim): 'start' where job `id`, which stands in `list`, may be handed out; else why not:
-- 'drop': no job is to be taken from there | 'unreadable' | 'expired' | 'given_up': its give_up_after_s is over.
-- f: of read_for_claim. is_lost_claim: the runner has claimed it before, the reply was lost, and no attempt was made.
-- A limit that holds jobs back is to be asked here, as the last thing before 'start'.
local function may_start(id, f, list, is_lost_claim)
  if is_stale_in(f[6], list) or (f[2] ~= 'ready' and not is_lost_claim) then return 'drop' end
  if not is_readable(id, f[1]) then return 'unreadable' end
  if f[4] and has_expired(id, f[3], f[4], is_lost_claim) then return 'expired' end
  if f[7] and not is_lost_claim and (tonumber(f[7]) or math.huge) <= now_ms then return 'given_up' end
  return 'start'
end

-- turn_away(id, f, list, why): what becomes of a job that may not start. The caller takes the id out of the list.
local UNREADABLE = '{"type":"unreadable","message":"its spec is missing or holds bytes that JSON text does not"}'
local function turn_away(id, f, list, why)
  if why == 'drop' then return drop_id(id, f[2], list, f[6]) end
  if why == 'expired' then return kill_expired({id}) end
  if why == 'given_up' then return kill_given_up(id, base .. 'job:' .. id) end
  if is_id(id) then return kill({id}, UNREADABLE, 'claim') end
  quarantine(id, 'this is no job id')
end
