#!lua flags=allow-oom
-- claim.lua: hand a runner up to `limit` jobs: what is due is promoted first, then high before normal before low.
-- KEYS 1 base
-- ARGV 1 worker  2 limit  3 'ready' or 'suspects'  4… ids in the runner's own list that it does not hold: just popped by
--      BRPOPLPUSH, or strays of a call whose reply was lost
-- RETURNS 'reaped': this runner was taken for dead | 'forgotten': nothing here knows of it
--      | a text of records: 'more', 'paused' or '', now_ms, ms until the next delayed job or '', since
--      when each job was ready (ms, parted by commas); then for each job: id, token, attempt, unknown_since or '', spec.
--      'more': call again at once, the lists hold ids that are no jobs. 'paused': nothing is handed out, but what was
--      claimed before and its reply lost
-- @transition ready --claim--> active
-- @transition ready --claim--> dead
-- @transition ready --expire--> dead
-- @use clock ended ring listed quarantine promote next_due tally expire
-- WHY RPOPLPUSH and not RPOP: should this script fail half-way, the id is in the runner's list and not nowhere.
local worker, limit, source = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local own = base .. 'active:' .. worker
local SPARE = 200

if redis.call('HEXISTS', base .. 'workers', worker) == 0 then
  return redis.call('ZSCORE', base .. 'graves', worker) and 'reaped' or 'forgotten'
end

local reply, claimed = {''}, 0
local ids, since = {}, {}

-- A job that nobody can read would stop every runner that is handed it.
local function bury(id, job)
  if string.find(id, '[^a-z0-9_-]') then return quarantine(id, 'this is no job id') end
  die(id, job, '{"type":"unreadable","message":"its spec is missing or holds bytes that JSON text does not"}', 'claim')
end

-- A count as we write it. Somebody else's '1.5' or '1e300' would stop the runner that reads it back.
local function count(text)
  return text and string.match(text, '^%d+$') and #text <= 12 and tonumber(text) or 0
end

-- list: out of which it came. is_found: it was in the own list already, where ready:normal is what it was popped from.
local function take(id, list, is_found)
  local job = base .. 'job:' .. id
  local f = redis.pcall('HMGET', job, 'spec', 'state', 'claims', 'attempts', 'worker', 'unknown_since', 'expires', 'since', 'listed')
  local spec, state = f[1], f[2]
  -- A claim whose reply was lost: the job is ours, nobody runs it; its attempt was counted and never made.
  local is_lost_claim = is_found and state == 'active' and f[5] == worker
  if is_left(f[9], list) or (state ~= 'ready' and not is_lost_claim) then
    redis.call('LREM', own, 1, id)
    return drop(id, state, list)
  end
  if not spec or string.find(id, '[^a-z0-9_-]') or string.find(spec, '\30', 1, true) or string.find(spec, '\31', 1, true) then
    redis.call('LREM', own, 1, id)
    return bury(id, job)
  end
  if f[7] then
    redis.call('ZREM', base .. 'expiring', id)
    if state == 'ready' and (tonumber(f[7]) or math.huge) <= now_ms and not f[3] then
      redis.call('LREM', own, 1, id)
      return expire(id, job)
    end
  end
  local token = f[3] and tostring(count(f[3]) + 1) or '1'
  local attempt = f[4] and tostring(count(f[4]) + (is_lost_claim and 0 or 1)) or is_lost_claim and '0' or '1'
  redis.call('HSET', job, 'state', 'active', 'claims', token, 'attempts', attempt, 'worker', worker, 'started', now)
  if list == 'suspects' then redis.call('HDEL', job, 'suspect') end
  claimed = claimed + 1
  ids[claimed], since[claimed] = id, tonumber(f[8])
  reply[claimed + 1] = table.concat({id, token, attempt, f[6] or '', spec}, '\31')
end

local is_paused = redis.call('HEXISTS', base .. 'meta', 'paused') == 1

-- Popped while the queue is paused: to the front, where it was.
local function put_back(id)
  local f = redis.pcall('HMGET', base .. 'job:' .. id, 'state', 'priority', 'listed')
  if f[1] ~= 'ready' or is_left(f[3], 'ready:normal') then return take(id, 'ready:normal', true) end
  redis.call('LREM', own, 1, id)
  redis.call('RPUSH', base .. home(f[2]), id)
end

for i = 4, #ARGV do
  -- Asked again, for the list may have been reaped since: an id is taken from a list that holds it or not at all.
  if redis.call('LPOS', own, ARGV[i]) then (is_paused and put_back or take)(ARGV[i], 'ready:normal', true) end
end

local lists = {}
if source == 'ready' and not is_paused then
  promote_due(100)
  lists = {'ready:high', 'ready:normal', 'ready:low'}
elseif not is_paused then
  lists = {'suspects'}
end
local budget = limit + SPARE
for _, list in ipairs(lists) do
  while claimed < limit and budget > 0 do
    local id = redis.call('RPOPLPUSH', base .. list, own)
    if not id then break end
    budget = budget - 1
    take(id, list)
  end
end

-- A job that never came back has been ready since it was taken in. Asked of all at once: one call costs what two jobs do.
local created = claimed > 0 and redis.call('ZMSCORE', base .. 'all', unpack(ids, 1, math.min(claimed, 5000))) or {}
for i = 1, claimed do since[i] = since[i] or created[i] or now end

tell('active', ids, 'claim')
if #lists > 1 and claimed == limit and redis.call('EXISTS', base .. 'ready:high', base .. 'ready:low') > 0 then ring() end
reply[1] = table.concat({is_paused and 'paused' or budget == 0 and 'more' or '', now, wait_ms(), table.concat(since, ',')}, '\31')
return table.concat(reply, '\30')
