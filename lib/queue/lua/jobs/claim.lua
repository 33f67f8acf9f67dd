#!lua flags=allow-oom
-- claim.lua: hand a runner up to `limit` jobs: what is due is promoted first, then high before normal before low.
-- KEYS 1 base
-- ARGV 1 worker  2 limit  3 'ready', 'suspects', or 'popped': as 'ready', behind a BRPOPLPUSH in the same packet
--      4… ids in the runner's own list that it does not hold: strays of a pop or claim whose reply was lost
-- RETURNS 'reaped': this runner was taken for dead | 'forgotten': nothing here knows of it
--      | {a text of records, spec, spec …}: the first record is 'more', 'paused', 'empty' or '', now_ms, ms until the next
--      delayed job or '', since when each job was ready (ms, parted by commas), the ids that it ended instead (the same
--      way); then for each job: id, token, attempt, unknown_since or '', and where it has one of these its
--      checkpoint or '' and the time at which it is given up or ''. 'more': call again at once, the lists hold ids that are no jobs, or
--      specs that are too much for one call; strays then stay in the own list. 'paused': nothing is handed
--      out, but what was claimed before and its reply lost. 'empty': said behind a pop, no other job is ready
-- @transition ready --claim--> active
-- @transition ready --claim--> dead
-- @transition ready --expire--> dead
-- @use clock bell events kill next_due promote_due quarantine stale_ids
-- WHY ids are put into the runner's list before they leave the other, as RPOPLPUSH does: should this script fail
-- half-way, they are there and not nowhere.
local worker, limit, source = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local own = base .. 'active:' .. worker
local find = string.find
local SPARE, MOST_AT_ONCE, MOST_BYTES = 200, 1000, 1048576

if redis.call('HEXISTS', base .. 'workers', worker) == 0 then
  return redis.call('ZSCORE', base .. 'graves', worker) and 'reaped' or 'forgotten'
end

local reply, words, claimed = {''}, {''}, 0
local ids, since = {}, {}
-- budget: how many ids may still be looked at. room_bytes: of specs; the one that uses it up is handed out.
-- WHY bytes: a hundred specs of a MB hold Redis for half a second, and over a slow link their reply never comes in time.
-- WHY they are no function's upvalue: to make one in each call costs as much as they do for ten jobs.
local budget, room_bytes = limit + SPARE, MOST_BYTES

-- WHY this way round: a pattern that looks for the first wrong byte begins anew at each byte, for twice the time.
-- WHY digits first: most of an id is digits.
local function is_id(id) return find(id, '^[0-9a-z_-]*$') ~= nil end

-- A job that nobody can read would stop every runner that is handed it.
local function bury(id, job)
  if not is_id(id) then return quarantine(id, 'this is no job id') end
  die(id, job, '{"type":"unreadable","message":"its spec is missing or holds bytes that JSON text does not"}', 'claim')
end

-- A count as we write it. Somebody else's '1.5' or '1e300' would stop the runner that reads it back.
local function count(text)
  return text and string.match(text, '^%d+$') and #text <= 12 and tonumber(text) or 0
end

local function look(id)
  return redis.pcall('HMGET', base .. 'job:' .. id, 'spec', 'state', 'claims', 'expires', 'since', 'listed', 'gives_up')
end

-- gives_up: the job's field. No attempt begins behind it.
local function is_given_up(gives_up) return gives_up and (tonumber(gives_up) or math.huge) <= now_ms end

local function is_readable(id, spec)
  return spec and is_id(id) and not find(spec, '\30', 1, true) and not find(spec, '\31', 1, true)
end

-- Of a job that was claimed before. WHY apart: most never were, and a field that is not there costs what one does that is.
local function past_of(job, claims)
  return claims and redis.call('HMGET', job, 'attempts', 'worker', 'unknown_since', 'checkpoint') or {}
end

-- f: as `look` gives it. is_lost: its reply was; the attempt was counted and never made.
-- WHY the spec is apart: Lua hashes every string that it makes, byte by byte, and one of all specs is made twice over.
local function hand_out(id, job, f, past, is_lost)
  local token = f[3] and tostring(count(f[3]) + 1) or '1'
  local attempt = f[3] and tostring(count(past[1]) + (is_lost and 0 or 1)) or '1'
  redis.call('HSET', job, 'state', 'active', 'claims', token, 'attempts', attempt, 'worker', worker, 'started', now)
  claimed = claimed + 1
  ids[claimed], since[claimed] = id, tonumber(f[5])
  words[claimed + 1] = id .. '\31' .. token .. '\31' .. attempt .. '\31' .. (past[3] or '')
  if past[4] or f[7] then
    local rest = (past[4] or '') .. '\31' .. (f[7] or '')
    -- Somebody may have written the separators there by hand.
    local _, separators = string.gsub(rest, '[\30\31]', '')
    if separators == 1 then words[claimed + 1] = words[claimed + 1] .. '\31' .. rest end
  end
  reply[claimed + 1] = f[1]
end

-- WHY LREM comes last: where what comes before it can't be done for a broken key, the id stays where the next claim finds it.
-- list: out of which it came. is_found: it was in the own list already, where ready:normal is what it was popped from.
-- looked: what `look` gave, where somebody has looked.
local function take(id, list, is_found, looked)
  local job, f = base .. 'job:' .. id, looked or look(id)
  local state, claims, expires = f[2], f[3], f[4]
  local past = f.past or past_of(job, claims)
  -- A claim whose reply was lost: the job is ours, and nobody runs it.
  local is_lost_claim = is_found and state == 'active' and past[2] == worker
  if is_left(f[6], list) or (state ~= 'ready' and not is_lost_claim) then
    drop(id, state, list)
    return redis.call('LREM', own, '1', id)
  end
  if not is_readable(id, f[1]) then
    bury(id, job)
    return redis.call('LREM', own, '1', id)
  end
  if expires then
    redis.call('ZREM', base .. 'expiring', id)
    -- See parts/unbegun.lua.
    local unbegun = claims and redis.call('HGET', job, 'unbegun')
    if is_lost_claim and (unbegun or '0') == digits(count(claims) - 1) then redis.call('HSET', job, 'unbegun', claims) end
    if state == 'ready' and (tonumber(expires) or math.huge) <= now_ms and claims == unbegun then
      expire(id, job)
      return redis.call('LREM', own, '1', id)
    end
  end
  if state == 'ready' and is_given_up(f[7]) then
    give_up(id, job)
    return redis.call('LREM', own, '1', id)
  end
  hand_out(id, job, f, past, is_lost_claim)
  if list == 'suspects' then redis.call('HDEL', job, 'suspect') end
end

-- These ids stand at the right end of the list, the last one first, and nothing is to be asked of their jobs but `looks`.
local function take_plain(plain, looks, list)
  if #plain == 0 then return end
  redis.call('LPUSH', own, unpack(plain))
  redis.call('LTRIM', base .. list, '0', digits(-1 - #plain))
  for _, id in ipairs(plain) do
    local job = base .. 'job:' .. id
    hand_out(id, job, looks[id], looks[id].past or {})
  end
end

-- Up to `most` ids from the right end of a list, and what is to be done with each. Gives how many there were, and the
-- room for specs that is left.
-- WHY the plain ones together: a command that writes costs as much as three that read, for the AOF is told of each.
-- WHY the others one by one: should one of them fail, for a broken key, no other is out of reach of the other runners.
local function take_from(list, most, bytes_left)
  local next_ids = redis.call('LRANGE', base .. list, digits(-most), '-1')
  local plain, looks = {}, {}
  for i = #next_ids, 1, -1 do
    if bytes_left <= 0 then
      take_plain(plain, looks, list)
      return #next_ids - i, bytes_left
    end
    local id = next_ids[i]
    local f = look(id)
    if f[1] then bytes_left = bytes_left - #f[1] end
    if f[3] then
      f.past = past_of(base .. 'job:' .. id, f[3])
      bytes_left = bytes_left - #(f.past[4] or '')
    end
    local is_plain = f[2] == 'ready' and not f[4] and not f[6] and not is_given_up(f[7])
    if is_plain and list ~= 'suspects' and not looks[id] and is_readable(id, f[1]) then
      plain[#plain + 1], looks[id] = id, f
    else
      take_plain(plain, looks, list)
      plain = {}
      redis.call('RPOPLPUSH', base .. list, own)
      -- Listed twice, it may be another's look that is at hand.
      take(id, list, false, not looks[id] and f)
    end
  end
  take_plain(plain, looks, list)
  return #next_ids, bytes_left
end

local is_paused = redis.call('HEXISTS', base .. 'meta', 'paused') == 1

-- Popped while the queue is paused: to the front, where it was. There first: where that list is broken, it stays here.
local function put_back(id)
  local f = redis.pcall('HMGET', base .. 'job:' .. id, 'state', 'priority', 'listed')
  if f[1] ~= 'ready' or is_left(f[3], 'ready:normal') then return take(id, 'ready:normal', true) end
  redis.call('RPUSH', base .. home(f[2]), id)
  redis.call('LREM', own, '1', id)
end

local function take_found(id, looked)
  if is_paused then return put_back(id) end
  return take(id, 'ready:normal', true, looked)
end

for i = 4, #ARGV do
  -- Asked again, for the list may have been reaped since: an id is taken from a list that holds it or not at all.
  if redis.call('LPOS', own, ARGV[i]) then
    local looked = look(ARGV[i])
    if looked[1] then room_bytes = room_bytes - #looked[1] end
    take_found(ARGV[i], looked)
    if room_bytes <= 0 then
      budget = 0
      break
    end
  end
end

-- Whatever the pop has brought is the newest in the own list. Where it brought nothing, that is a job in hand.
local newest = source == 'popped' and redis.call('LRANGE', own, '0', '0')[1]
local looked = newest and look(newest)
if looked and looked[2] ~= 'active' then take_found(newest, looked) end

local lists, due = {}, next_due()
if source == 'suspects' and not is_paused then
  lists = {'suspects'}
elseif not is_paused then
  if due and due <= now_ms then
    promote_due(100)
    due = next_due()
  end
  lists = {'ready:high', 'ready:normal', 'ready:low'}
end
for _, list in ipairs(lists) do
  while claimed < limit and budget > 0 do
    local most = math.min(limit - claimed, budget, MOST_AT_ONCE)
    local found
    found, room_bytes = take_from(list, most, room_bytes)
    budget = room_bytes > 0 and budget - found or 0
    if found < most then break end
  end
end

-- A job that never came back has been ready since it was taken in. Asked of all at once: one call costs what two jobs do.
local created = claimed > 0 and redis.call('ZMSCORE', base .. 'all', unpack(ids, 1, math.min(claimed, 5000))) or {}
for i = 1, claimed do since[i] = since[i] or created[i] or now end

tell('active', ids, 'claim')
local state = is_paused and 'paused' or budget == 0 and 'more' or ''
if #lists > 1 and (claimed == limit or budget == 0) then
  if redis.call('EXISTS', base .. 'ready:high', base .. 'ready:low') > 0 then
    ring()
  elseif source == 'popped' and redis.call('EXISTS', base .. 'ready:normal') == 0 then
    state = 'empty'
  end
end
words[1] = table.concat({state, now, wait_ms(due), table.concat(since, ','), table.concat(buried, ',')}, '\31')
reply[1] = table.concat(words, '\30')
return reply
