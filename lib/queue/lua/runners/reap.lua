#!lua flags=allow-oom
-- reap.lua: take back what a runner held that is gone, or that leaves; its registration goes, a grave stays.
-- KEYS 1 base
-- ARGV 1 worker  2 the beat that the reaper saw last ('none' where there was none), or '' where it knows that the process has ended
--      3 '1' where the runner crashed  4 crash limit  5 most ids to handle
-- RETURNS 'alive' (it has beaten since; nothing changed) | {'more' or '', the ids that it held …}
-- @transition active --reap--> ready
-- @transition active --reap--> dead
-- @transition active --reap--> cancelled
-- @use clock check_types bell cancel_request events fade history isolation quarantine stale_ids tally
-- WHY one crash convicts nobody: the jobs beside a poisonous one are innocent. The second time (the first, where two are
-- the limit) a job goes to `suspects`, where each runs in a runner of its own, and a crash there is the job's own doing.
-- WHY twice the limit where nobody saw its process end: with a host all runners of it are gone, and of the suspects that ran
-- there side by side none may be to blame. One that takes its host down each time is to end, too.
-- WHY the registration goes in the first call of several: a zombie's next claim is refused from then on.
local worker, seen, crashed = ARGV[1], ARGV[2], ARGV[3] == '1'
local crash_limit, limit = tonumber(ARGV[4]), tonumber(ARGV[5])
local isolated, is_seen = is_alone(worker), seen == ''
local own = base .. 'active:' .. worker

if seen ~= '' and (redis.call('HGET', base .. 'beats', worker) or 'none') ~= seen then return 'alive' end
sound('LLEN', 'ready:high', 'ready:normal', 'ready:low', 'suspects')
sound('ZCARD', 'dead', 'cancelled')
-- The grave first: where the rest can't be done for a broken key, it is what the others find the runner by.
redis.call('ZADD', base .. 'graves', 'NX', now, worker)
redis.call('HDEL', base .. 'workers', worker)
redis.call('HDEL', base .. 'beats', worker)

local dead, again, kinds = {}, {}, {}

-- From the newest to the oldest, each to the right end: the one that was claimed first is next again.
local function back_to_ready(id, priority) redis.call('RPUSH', base .. home(priority), id) end

local function take_back(id, job, priority, crashes)
  if stop_if_asked(job, id) then return end
  redis.call('HDEL', job, 'unknown_since')
  if not crashed then
    remember(job, 'released')
    redis.pcall('HINCRBY', job, 'attempts', -1)
    redis.call('HSET', job, 'state', 'ready', 'since', now)
    again[#again + 1] = id
    if isolated then return back_to_suspects(id, job) end
    return back_to_ready(id, priority)
  end
  crashes = crashes + 1
  redis.call('HSET', job, 'crashes', crashes)
  if isolated and crashes >= (is_seen and crash_limit or 2 * crash_limit) then
    local error_text = '{"type":"worker_lost","message":"it took down ' .. crashes .. ' runners, the last one alone"}'
    redis.call('HSET', job, 'state', 'dead', 'finished', now, 'error', error_text)
    redis.call('ZADD', base .. 'dead', now, id)
    fade(id, redis.call('HGET', job, 'retain'))
    dead[#dead + 1] = id
    add(kinds, kind_of(job))
    return
  end
  again[#again + 1] = id
  remember(job, 'crashed', '{"type":"worker_lost","message":"its runner ended while it ran"}')
  redis.call('HSET', job, 'state', 'ready', 'since', now)
  if crashes >= math.min(2, crash_limit - 1) then
    redis.call('HSET', job, 'suspect', '1')
    put(id, job, 'suspects')
  else
    back_to_ready(id, priority)
  end
end

local came_from = isolated and 'suspects' or 'ready:normal'
local ids = redis.call('LRANGE', own, 0, limit - 1)
for _, id in ipairs(ids) do
  local job = base .. 'job:' .. id
  local f = redis.pcall('HMGET', job, 'state', 'worker', 'priority', 'crashes', 'listed')
  if f[1] == 'active' and f[2] == worker then
    take_back(id, job, f[3], tonumber(f[4]) or 0)
  elseif f[1] == 'ready' and not is_left(f[5], came_from) then
    -- A stray: popped, and its runner was gone before it could claim it.
    if isolated then back_to_suspects(id, job) else back_to_ready(id, f[3]) end
  else
    drop(id, f[1], came_from)
  end
  redis.call('LREM', own, 1, id)
end

if #ids > 0 then ring() end
announce('dead', dead, 'reap')
tell('ready', again, 'reap')
tally('dead', kinds)
return {redis.call('EXISTS', own) == 1 and 'more' or '', unpack(ids)}
