#!lua flags=no-writes
-- crew.lua: the living runners of a queue with what they run, those that are silent, and those that went within a day.
-- KEYS 1 base
-- ARGV 1 lease in ms of a runner whose registration names none  2 most jobs to tell of each runner  3 most jobs to
--      tell of all together, of each one at least  4 most runners that went
-- RETURNS {now ms, living, gone}: living has for each runner its id, about it (JSON), beat, vitals or '', how many ids
--      are in its active list, and a list of the jobs that it has had for longest: {id, type, started ms, timeout in s,
--      progress (JSON), each '' where it is not known, id …}. gone has id, ms at which it was reaped, and epitaph or
--      '', the last one that went first; behind them the silent ones: id, ms of the last beat, 'silent 0 ' and about.
--      beat.lua writes vitals, parts/epitaph.lua epitaphs
-- @use clock alive types
-- WHY the state is read: an active list also holds ids that their runner has not claimed yet.
-- WHY MOST_SPEC_BYTES: two hundred jobs of a MiB each would hold Redis up for 400 ms. A job whose spec does not fit in
-- any more is told of without its type and its timeout.
-- WHY silent ones: where all workers were killed at once, nobody is there to reap them.
-- WHY 4 KB: a page of fifty jobs a runner is for people, who can open the job.
local lease_ms, most_of_one, most_of_all, most_gone = unpack(ARGV)
local DAY_MS, MOST_PROGRESS_BYTES, MOST_SPEC_BYTES = 86400000, 4096, 1048576

-- The text in a hash, '' where there is none.
local function text_in(key, field)
  local text = redis.pcall('HGET', base .. key, field)
  return type(text) == 'string' and text or ''
end

-- WHY the first timeout_s: it stands before the payload, which may hold any text.
local function timeout_in(spec) return spec and string.match(spec, ',"timeout_s":([%d.e+-]+)') or '' end

local spec_bytes = 0
local function spec_of(id)
  local size = redis.call('HSTRLEN', base .. 'job:' .. id, 'spec')
  if spec_bytes + size > MOST_SPEC_BYTES then return nil end
  spec_bytes = spec_bytes + size
  return redis.call('HGET', base .. 'job:' .. id, 'spec')
end

local function jobs_of(runner, most)
  local jobs = {}
  for _, id in ipairs(redis.pcall('LRANGE', base .. 'active:' .. runner, -most, -1)) do
    local state, owner, started, progress = unpack(redis.pcall(
      'HMGET', base .. 'job:' .. id, 'state', 'worker', 'started', 'progress'))
    if state == 'active' and owner == runner then
      local spec = spec_of(id)
      if progress and #progress > MOST_PROGRESS_BYTES then progress = '' end
      for _, word in ipairs({id, type_in_spec(spec), started or '', timeout_in(spec), progress or ''}) do
        jobs[#jobs + 1] = word
      end
    end
  end
  return jobs
end

local alive, silent, living, gone = {}, {}, {}, {}
local registered = redis.call('HGETALL', base .. 'workers')
for i = 1, #registered, 2 do
  local runner, about = registered[i], registered[i + 1]
  local beat = redis.call('HGET', base .. 'beats', runner)
  local seen = {runner, about, beat}
  if is_alive(about, beat, tonumber(lease_ms)) then alive[#alive + 1] = seen else silent[#silent + 1] = seen end
end
-- WHY a share of each: to tell of fifty jobs of each of a hundred runners would hold Redis up.
local most = math.min(tonumber(most_of_one), math.max(1, math.floor(tonumber(most_of_all) / #alive)))
for _, seen in ipairs(alive) do
  local runner, about, beat = unpack(seen)
  local count = redis.call('LLEN', base .. 'active:' .. runner)
  for _, word in ipairs({runner, about, beat, text_in('vitals', runner), count, jobs_of(runner, most)}) do
    living[#living + 1] = word
  end
end
local since_ms = string.format('%.0f', now_ms - DAY_MS)
local graves = redis.call('ZREVRANGEBYSCORE', base .. 'graves', '+inf', since_ms, 'WITHSCORES', 'LIMIT', 0, most_gone)
for i = 1, #graves, 2 do
  for _, word in ipairs({graves[i], graves[i + 1], text_in('epitaphs', graves[i])}) do gone[#gone + 1] = word end
end
for i = 1, math.min(#silent, tonumber(most_gone)) do
  local runner, about, beat = unpack(silent[i])
  local beaten_ms = string.match(beat or '', ':(%d+)$')
  if beaten_ms then
    for _, word in ipairs({runner, beaten_ms, 'silent 0 ' .. about}) do gone[#gone + 1] = word end
  end
end
return {tostring(now_ms), living, gone}
