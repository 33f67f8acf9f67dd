#!lua flags=allow-oom
-- reap.lua: take back the jobs of a runner that is gone or that leaves, and move the runner from `workers` to `graves`.
-- KEYS 1 base
-- ARGV 1 runner  2 the beat that the reaper saw last ('none' where there was none), or '' where the reaper knows that
--      the process has ended  3 '1' where the runner crashed, 'killed' where its supervisor killed it, '' where it
--      leaves  4 crash limit  5 most ids to handle
-- RETURNS 'alive': it has beaten since, nothing changed | {'more' or '', the ids that it held …}
-- @transition active --reap--> ready
-- @transition active --reap--> dead
-- @transition active --reap--> cancelled
-- @use clock check_types cancel_request conclude drop_id give_back history isolation keeper make_ready ready_list
-- @use epitaph lines slots stale_ids notices note_error type_of_job numbers
-- WHY one crash convicts no job: the jobs beside a poisonous one are innocent. At the second crash (the first, where
-- two are the limit) a job goes to `suspects`: each runs in a runner of its own there, and a crash is its own doing.
-- WHY twice the limit where nobody saw the process end: with a host all its runners are gone, and none of the
-- suspects that ran there side by side may be to blame. A job that takes its host down each time is to end, too.
-- WHY a suspect that wrote a checkpoint in the attempt that crashed is not convicted, and that crash is not counted:
-- the job gets on. (An attempt that writes the very checkpoint that it was given gets nowhere: parts/notes.lua.)
-- WHY the registration goes in the first call of several: from then on a runner that only seemed dead claims no more.
local runner, seen_beat, is_crash = ARGV[1], ARGV[2], ARGV[3] == '1'
local crash_limit, limit = tonumber(ARGV[4]), tonumber(ARGV[5])
local is_isolated, is_end_seen = is_isolation_runner(runner), seen_beat == ''
local CRASHED = '{"type":"worker_lost","message":"its runner ended while it ran"}'
local active_list = base .. 'active:' .. runner

if not is_end_seen and (redis.call('HGET', base .. 'beats', runner) or 'none') ~= seen_beat then return 'alive' end
check_types('LLEN', 'ready:high', 'ready:normal', 'ready:low', 'suspects')
check_types('ZCARD', 'dead', 'cancelled')
has_followers()
-- WHY `graves` first: where a broken key stops the rest, the other reapers find the runner there.
redis.call('ZADD', base .. 'graves', 'NX', now, runner)
local about = redis.call('HGET', base .. 'workers', runner)
if redis.call('HDEL', base .. 'workers', runner) == 1 then publish_numbers('reap') end
redis.call('HDEL', base .. 'beats', runner)
redis.pcall('HDEL', base .. 'vitals', runner)

-- A job that the runner gives back as it leaves. Ids are handled from the newest claim to the oldest, and each goes
-- to the right end: the job that was claimed first is next again. A suspect stays a suspect, as in release.lua.
local function return_unfinished(id, job, priority, group)
  remember(job, 'released')
  redis.pcall('HINCRBY', job, 'attempts', -1)
  if is_isolated then
    if group then lines().use_rations() end
    give_back(id, job, ready_list(priority, true), 'since', now, 'suspect', '1')
  else
    give_back(id, job, ready_list(priority, nil, group), 'since', now)
  end
end

-- Whether the attempt that began at `started` has written a checkpoint of its own.
local function gets_on(started, checkpointed)
  local began_ms, saved_ms = tonumber(started), tonumber(checkpointed)
  return began_ms ~= nil and saved_ms ~= nil and saved_ms >= began_ms
end

-- A job that was aboard when the runner crashed, for the `crashes`th time.
local function return_after_crash(id, job, priority, group, stale_in, crashes, has_got_on)
  if is_isolated and has_got_on then
    crashes = crashes - 1
  elseif is_isolated and crashes >= (is_end_seen and crash_limit or 2 * crash_limit) then
    local error_text = '{"type":"worker_lost","message":"it took down ' .. crashes .. ' runners, the last one alone"}'
    return conclude('dead', {id}, 'reap', {[id] = {'crashes', crashes, 'error', error_text}})
  end
  remember(job, 'crashed', CRASHED)
  note_error('retried', type_of_job(job), CRASHED, id)
  if crashes >= math.min(2, crash_limit - 1) then
    if group then lines().use_rations() end
    make_ready(id, job, ready_list(priority, true), stale_in, 'since', now, 'crashes', crashes, 'suspect', '1')
  else
    give_back(id, job, ready_list(priority, nil, group), 'since', now, 'crashes', crashes)
  end
end

-- A stray: the runner popped the id, and was gone before it could claim the job. The job is ready still.
local function return_stray(id, job, priority, group)
  if is_isolated then redis.call('HSET', job, 'suspect', '1') end
  push('RPUSH', ready_list(priority, is_isolated, group), id)
end

-- The runner keeps the clock no more. Returns whether it did: a runner is to be woken then, which will be the keeper.
local function leave_posts()
  local was_keeper = false
  for _, post in ipairs({'keeper', 'deputy'}) do
    local _, holder = post_of(post)
    if holder == runner then
      redis.call('UNLINK', base .. post)
      was_keeper = was_keeper or post == 'keeper'
    end
  end
  return was_keeper
end

local came_from = is_isolated and 'suspects' or 'ready:normal'
local ids, taken = redis.call('LRANGE', active_list, 0, limit - 1), 0
for _, id in ipairs(ids) do
  local job = base .. 'job:' .. id
  local state, owner, priority, group, crashes, stale_in, started, checkpointed = unpack(redis.pcall(
    'HMGET', job, 'state', 'worker', 'priority', 'group', 'crashes', 'listed', 'started', 'checkpointed'))
  if state == 'active' and owner == runner then
    leave(id, group)
    taken = taken + 1
    if not cancel_if_requested(id, job, true) then
      redis.call('HDEL', job, 'unknown_since')
      if is_crash then
        local has_got_on = gets_on(started, checkpointed)
        return_after_crash(id, job, priority, group, stale_in, (tonumber(crashes) or 0) + 1, has_got_on)
      else
        return_unfinished(id, job, priority, group)
      end
    end
  elseif state == 'ready' and not is_stale_in(stale_in, came_from) then
    return_stray(id, job, priority, group)
  else
    drop_id(id, state, came_from, stale_in)
  end
  redis.call('LREM', active_list, 1, id)
end
give_slots_back()
local how = is_end_seen and (is_crash and 'crashed' or ARGV[3] == 'killed' and 'killed' or 'left') or 'lost'
write_epitaph(runner, how, taken, about)

-- WHY a bell even where no job became ready: the runner may have held the bell that was to wake another runner, or have
-- kept the clock for the others.
publish_ready('reap', leave_posts() or #ids > 0)
return {redis.call('EXISTS', active_list) == 1 and 'more' or '', unpack(ids)}
