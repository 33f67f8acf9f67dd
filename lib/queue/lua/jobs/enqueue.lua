#!lua
-- enqueue.lua: take in a commit of new jobs; those that the queue has no room for are refused one by one.
-- KEYS 1 base
-- ARGV 1 process id  2 commit number, ascending  3 records: id, priority, options, spec; options are '' or, parted by \29:
--      due ms or +delay ms, ms until it expires, unique key, its ttl in ms, idempotency key, fingerprint, ms for which its
--      record is kept when it has ended, ms behind its time at which it is given up; each may be ''
-- RETURNS 'superseded': a later commit of this process came first (this one was never answered, and is not run)
--      | now_ms, with a + before it where the queue has just begun (or begun again, removed since it was named: its name
--      is to be said once more); and behind it for each job that was not taken in as it is: \30, its number from 1, \31, why, \31, the id
--      of the job that stands for it. why: replayed-new, replayed-duplicate (its idempotency key came before, and then it
--      was so) | conflict (that key came with another fingerprint) | duplicate (a job of its type under its unique key lives)
--      | brief (not taken in: its unique key would be free before it is due; in the id's place, nothing)
--      | full (the queue is at its max_depth: not taken in; in the id's place, the seconds until there may be room)
-- @transition - --enqueue--> ready
-- @transition - --enqueue--> delayed
-- @use clock records check_types bell depth events tally text_at unique_key
-- WHY no allow-oom: at maxmemory a new job is refused up front, before anything is written.
-- WHY the number: a commit whose reply was lost is sent again; it is answered, not run a second time.
local process, number, records = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local commit = base .. 'commit:' .. process
local DAY_S, DAY_MS = 86400, 86400000
-- A child under a name (children.py) has this for a fingerprint. Its key outlasts whatever a parent's next attempt waits for.
local ONCE, ONCE_S = 'once', 7776000

local function half_hour(ms) return ms and math.floor(ms / 1800000) end

local last_number, last_answer = string.match(text_at(commit), '^(%d+) (.*)$')
if last_number and tonumber(last_number) == number then return last_answer end
if last_number and tonumber(last_number) > number then return 'superseded' end
sound('ZCARD', 'all')
sound('LLEN', 'ready:normal')
-- WHY asked first: a look at a key costs more than a look through the records, and few of them need these.
if find(records, '\29', 1, true) then sound('ZCARD', 'delayed') end
if find(records, '\31high\31', 1, true) then sound('LLEN', 'ready:high') end
if find(records, '\31low\31', 1, true) then sound('LLEN', 'ready:low') end

local jobs, taken, answer = 0, 0, {now}
local created, delayed, later, kinds = {}, {}, {}, {}
local ready = {high = {}, normal = {}, low = {}}

-- What fits under the queue's max_depth; nil where it has none, and then nothing is counted.
local max_depth = tonumber(redis.call('HGET', base .. 'meta', 'max_depth'))
local room = max_depth and max_depth - depth()
local refused = 0

local function refuse()
  refused = refused + 1
  return 'full', drained_in_s(refused - room)
end

-- When it is due, in ms; nil where that is at once.
local function due_of(due)
  local due_ms = due ~= '' and (string.sub(due, 1, 1) == '+' and now_ms + tonumber(due) or tonumber(due))
  return due_ms and due_ms > now_ms and due_ms or nil
end

-- For how long it holds its unique key, in ms: a day beyond its time where nothing else is asked for. nil: what is asked for
-- ends before it is due. WHY not of a delay: that was looked at before it was sent, with all else that it asks for.
local function ttl_of(asked, due)
  local wait_ms = math.max(0, (due_of(due) or 0) - now_ms)
  if asked == '' then return digits(DAY_MS + wait_ms) end
  return (string.sub(due, 1, 1) == '+' or tonumber(asked) >= wait_ms) and asked or nil
end

-- The job that stands where `id` would: why, and its id; or that there is no room. Else notes that `id` is the one.
local function stand_in(id, kind, due, unique_key, unique_ttl, idempotency_key, fingerprint)
  local idempotency = base .. 'idem:' .. idempotency_key
  if idempotency_key ~= '' then
    local known_id, known_print, known_why = string.match(text_at(idempotency), '^(%S+) (%S+) (%S+)$')
    if known_id then return known_print == fingerprint and 'replayed-' .. known_why or 'conflict', known_id end
    -- Its id is derived: where the key has expired, the job may be there all the same.
    if fingerprint == ONCE and redis.call('EXISTS', base .. 'job:' .. id) == 1 then return 'replayed-new', id end
  end
  local why, first_id, unique, ttl = nil, id, nil, nil
  if unique_key ~= '' then
    ttl = ttl_of(unique_ttl, due)
    if not ttl then return 'brief', '' end
    local holder
    unique, holder = unique_place(unique_key, kind, id)
    if holder then why, first_id = 'duplicate', holder end
  end
  if not why and room and room <= 0 then return refuse() end
  if not why and unique_key ~= '' then
    redis.call('SET', unique, id, 'PX', ttl)
    -- For retry, which takes the key again, and for a day where nothing is noted.
    if unique_ttl ~= '' and unique_ttl ~= '86400000' then redis.call('HSET', base .. 'job:' .. id, 'unique_ttl', unique_ttl) end
  end
  if idempotency_key ~= '' then
    local kept_s = fingerprint == ONCE and ONCE_S or DAY_S
    redis.call('SET', idempotency, first_id .. ' ' .. fingerprint .. ' ' .. (why or 'new'), 'EX', kept_s)
  end
  return why, first_id
end

local function take_in(id, priority, due, expires, retain, patience, spec, kind)
  local job = base .. 'job:' .. id
  taken = taken + 1
  add(kinds, kind)
  room = room and room - 1
  created[#created + 1] = now
  created[#created + 1] = id
  local due_ms = due ~= '' and due_of(due)
  if due_ms then
    redis.call('HSET', job, 'spec', spec, 'state', 'delayed')
    delayed[#delayed + 1] = due_ms
    delayed[#delayed + 1] = id
    later[#later + 1] = id
  else
    redis.call('HSET', job, 'spec', spec, 'state', 'ready')
    local list = ready[priority]
    list[#list + 1] = id
  end
  if retain ~= '' then redis.call('HSET', job, 'retain', retain) end
  if patience ~= '' then
    redis.call('HSET', job, 'patience', patience, 'gives_up', digits((due_ms or now_ms) + tonumber(patience)))
  end
  if priority ~= 'normal' then redis.call('HSET', job, 'priority', priority) end
  if expires ~= '' then
    redis.call('HSET', job, 'expires', now_ms + tonumber(expires))
    redis.pcall('ZADD', base .. 'expiring', now_ms + tonumber(expires), id)
  end
end

local OPTIONS = '^' .. string.rep('([^\29]*)\29', 7) .. '([^\29]*)$'
for id, priority, options, spec in each_record(records) do
  jobs = jobs + 1
  local due, expires, retain, patience, why, holder = '', '', '', '', nil, nil
  local kind = kind_in(spec)
  if options ~= '' then
    local unique_key, unique_ttl, idempotency_key, fingerprint
    due, expires, unique_key, unique_ttl, idempotency_key, fingerprint, retain, patience = string.match(options, OPTIONS)
    why, holder = stand_in(id, kind, due, unique_key, unique_ttl, idempotency_key, fingerprint)
  elseif room and room <= 0 then
    why, holder = refuse()
  end
  if why then
    answer[#answer + 1] = jobs .. '\31' .. why .. '\31' .. holder
  else
    take_in(id, priority, due, expires, retain, patience, spec, kind)
  end
end

if taken > 0 then redis.call('ZADD', base .. 'all', unpack(created)) end
for priority, ids in pairs(ready) do
  if #ids > 0 then redis.call('LPUSH', base .. 'ready:' .. priority, unpack(ids)) end
  tell('ready', ids, 'enqueue')
end
if #ready.high > 0 or #ready.low > 0 then ring() end
if #delayed > 0 then
  local first = redis.call('ZRANGE', base .. 'delayed', '0', '0')[1]
  redis.call('ZADD', base .. 'delayed', unpack(delayed))
  if redis.call('ZRANGE', base .. 'delayed', '0', '0')[1] ~= first then ring() end
end
tell('delayed', later, 'enqueue')
local has_begun = tally('enqueued', kinds)
local text = (has_begun and '+' or '') .. table.concat(answer, '\30')
-- Kept for half an hour at least. WHY not set anew each time: a time to live costs as much as all else of a SET.
local said = ARGV[2] .. ' ' .. text
if last_answer and half_hour(string.match(last_answer, '^%+?(%d+)')) == half_hour(now) then
  redis.call('SET', commit, said, 'KEEPTTL')
else
  redis.call('SET', commit, said, 'EX', '3600')
end
return text
