#!lua flags=no-writes
-- page.lua: jobs of a list that fit, upwards or downwards, from a place on.
-- KEYS 1 base
-- ARGV 1 what the jobs are sorted by: the scores of an index, all | delayed | blocked | completed | dead | cancelled |
--      tag:<tag>; 'ready': when ready jobs are claimed (parts/next_ready.lua); 'started': since when active jobs run
--      2 score and 3 id of the place to go on from, or '' and ''  4 most jobs to return  5 most jobs to look at  6 most
--      of them of which more than the id is looked at  7 most bytes of records  8 states, as 'ready,active', or '' for
--      any  9 'up' for the lowest scores first, or ''
--      10 the index whose scores are bounded by 11 ms at which they begin and 12 ms before which they end, each '' for
--      no bound  13 what the job's error begins with, as '{"type":"ValueError"', or ''  14 the four digits in which
--      the ids of a request's jobs end (lib/ids.py), or ''  15 '1': the job at the place is one of the next, or ''
--      16 states in whose lists all jobs stand that are wanted (parts/few_jobs.lua), or ''  17 the runner that claimed
--      the job last, or ''  18 a text that must stand in the spec or in the error, its A-Z as a-z, a pattern if its
--      first byte is 1, or ''  19 the first of the 32 digits of the ids that are wanted, or ''  20… texts that must
--      stand in the spec's first 2 KB, as '"type":"email"'
-- RETURNS {'many'}: so many groups wait, or jobs run, that this order can't be told
--      | {id and score of the last job looked at where there are more behind it, or '' and '', how many jobs stand
--      before the first one that was looked at, how many were looked at, how many there are, id, score, id, score …}
-- WHY by rank: thousands of jobs may have the same ms for a score, and a rank finds a place among them at once. Where
-- the last job seen was deleted since, or has moved, its place is searched among the jobs of its ms, 10,000 at the
-- most.
-- WHY two indexes: the jobs with a tag stand in their own index by the time at which they were created, and a request
-- may ask for those of them that ended at a certain time.
-- WHY ids of version 7 are never passed over for the four digits: versions before 0.3.0 made them, of random digits.
-- @use few_jobs next_ready
local by, score, id, limit = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local most_seen, most_into, most_bytes, states = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local is_up, times, index = ARGV[9] ~= '', base .. ARGV[10], base .. by
local begin_ms, end_ms, error_begin, mark = tonumber(ARGV[11]), tonumber(ARGV[12]), ARGV[13], ARGV[14]
local with_place, sources, runner, sought, first = ARGV[15] ~= '', ARGV[16], ARGV[17], ARGV[18], ARGV[19]
local HEAD_BYTES, MOST_OF_ONE_MS, STEP, TEXTS_FROM = 2048, 10000, 500, 20
local DIGITS, is_by_id = 32, mark ~= '' or first ~= ''
local is_bounded, sub, byte, find, lower = begin_ms or end_ms, string.sub, string.byte, string.find, string.lower
local SEVEN = 55 -- the byte of '7'
local is_plain = byte(sought) ~= 1
if not is_plain then sought = sub(sought, 2) end

-- The fields that are read of each job; place_of: the place of each among them.
local needed, place_of = {}, {}
local function need(name)
  if place_of[name] then return end
  needed[#needed + 1] = name
  place_of[name] = #needed
end
if #ARGV >= TEXTS_FROM or sought ~= '' then need('spec') end
if error_begin ~= '' or sought ~= '' then need('error') end
if states ~= '' then need('state') end
if runner ~= '' then need('worker') end
local is_state_wanted = {}
for state in string.gmatch(states, '[^,]+') do is_state_wanted[state] = true end

-- May this be the id of a job that is wanted? 'email-019b2f0e1a2c8000a1b2c3d4e5f6ffea' has the mark 'ffea'.
local function may_be_wanted(job_id)
  if first ~= '' and sub(job_id, -DIGITS, #first - DIGITS - 1) ~= first then return false end
  return mark == '' or sub(job_id, -4) == mark or byte(job_id, -20) == SEVEN
end

-- bytes: of the specs and errors that were looked at.
local bytes = 0
local function has_texts(spec)
  local head = #spec > HEAD_BYTES and sub(spec, 1, HEAD_BYTES) or spec
  for i = TEXTS_FROM, #ARGV do
    if not find(head, ARGV[i], 1, true) then return false end
  end
  return true
end

local function has_what_is_sought(text)
  return find(lower(text), sought, 1, is_plain) ~= nil
end

local function has_what_is_asked(job_id)
  if #needed == 0 then return true end
  local f = redis.pcall('HMGET', base .. 'job:' .. job_id, unpack(needed))
  local spec, error_text = place_of.spec and f[place_of.spec], place_of.error and f[place_of.error]
  bytes = bytes + #(spec or '') + #(error_text or '')
  if place_of.state and not is_state_wanted[f[place_of.state]] then return false end
  if place_of.worker and f[place_of.worker] ~= runner then return false end
  if error_begin ~= '' and sub(error_text or '', 1, #error_begin) ~= error_begin then return false end
  if place_of.spec and not (spec and has_texts(spec)) then return false end
  return sought == '' or has_what_is_sought(spec) or has_what_is_sought(error_text or '')
end

-- How many jobs of the index stand before `rank_score` and `rank_id`, or are that job. A page that has this job too
-- begins with it.
local function count_to(rank_score, rank_id)
  local rank = redis.call('ZREVRANK', index, rank_id)
  if rank and tonumber(redis.call('ZSCORE', index, rank_id)) == rank_score then
    local count = is_up and redis.call('ZCARD', index) - rank or rank + 1
    return with_place and count - 1 or count
  end
  local range, count, written = 'ZREVRANGEBYSCORE', nil, string.format('%.0f', rank_score)
  if is_up then
    range, count = 'ZRANGEBYSCORE', redis.call('ZCOUNT', index, '-inf', '(' .. written)
  else
    count = redis.call('ZCOUNT', index, '(' .. written, '+inf')
  end
  -- WHY in steps: where the jobs up to this place were deleted, the first of those that are left lies behind it.
  for from = 0, MOST_OF_ONE_MS - STEP, STEP do
    local same = redis.call(range, index, written, written, 'LIMIT', from, STEP)
    for _, other in ipairs(same) do
      if other ~= rank_id and (other > rank_id) == is_up then return count end
      count = count + 1
    end
    if #same < STEP then break end
  end
  return count
end

-- The next jobs of the index: id, score, id, score … Where the ids tell which are wanted, of which few are, ids alone.
-- Behind them how many numbers a job has, how many jobs stand before the first one, and how many there are.
local function from_index()
  local from = score and count_to(score, id) or 0
  local passed, of = 0, nil
  if times == index and is_bounded then
    local before_begin = begin_ms and redis.call('ZCOUNT', index, '-inf', '(' .. ARGV[11]) or 0
    local behind_end = end_ms and redis.call('ZCOUNT', index, ARGV[12], '+inf') or 0
    passed, of = is_up and before_begin or behind_end, redis.call('ZCARD', index) - before_begin - behind_end
    from = math.max(from, passed)
  else
    of = redis.call('ZCARD', index)
  end
  local range, width = is_up and 'ZRANGE' or 'ZREVRANGE', is_by_id and 1 or 2
  if width == 1 then return redis.call(range, index, from, from + most_seen), width, from - passed, of end
  return redis.call(range, index, from, from + most_seen, 'WITHSCORES'), width, from - passed, of
end

-- By what a job of few is sorted; nil for one that is none of the list.
local function score_of(job_id)
  if by ~= 'started' then return tonumber(redis.call('ZSCORE', index, job_id) or nil) end
  return tonumber(redis.pcall('HGET', base .. 'job:' .. job_id, 'started') or nil)
end

-- The same as from_index, of all jobs that stand in the lists of `sources`; nil where these are many.
local function from_few()
  local few = few_jobs(sources, runner)
  if not few then return nil end
  local found, before = {}, 0
  for _, job_id in ipairs(few) do
    local own = score_of(job_id)
    if own then found[#found + 1] = {id = job_id, score = own} end
  end
  table.sort(found, function(a, b)
    local low, high = is_up and a or b, is_up and b or a
    return low.score < high.score or (low.score == high.score and low.id < high.id)
  end)
  local function is_passed(job)
    if not score then return false end
    if job.score ~= score then return (job.score < score) == is_up end
    if job.id == id then return not with_place end
    return (job.id < id) == is_up
  end
  while before < #found and is_passed(found[before + 1]) do before = before + 1 end
  local flat = {}
  for i = before + 1, #found do
    flat[#flat + 1] = found[i].id
    flat[#flat + 1] = string.format('%.0f', found[i].score)
  end
  return flat, 2, before, #found
end

-- The same of ready jobs in their order, and behind that the place at which the list goes on.
local function from_ready_lists()
  local jobs, edge, before, of = next_ready(score, id, not is_up, with_place, most_seen)
  if not jobs then return nil end
  local flat = {}
  for _, job in ipairs(jobs) do
    flat[#flat + 1] = job.id
    flat[#flat + 1] = string.format('%.0f', job.score)
  end
  return flat, 2, before, of, edge
end

local found, width, before, of, edge
if by == 'ready' then found, width, before, of, edge = from_ready_lists() end
if sources ~= '' then found, width, before, of = from_few() end
if not found then
  if by == 'ready' or by == 'started' then return {'many'} end
  found, width, before, of = from_index()
end

-- The score of the job whose id is found[i].
local function score_at(i)
  return width == 2 and found[i + 1] or redis.call('ZSCORE', index, found[i])
end

-- Is the job's time within the bounds? Where the walk goes by this time, the second answer says whether all jobs from
-- this one on lie behind the last one that is wanted.
local function is_in_time(i)
  if not is_bounded then return true, false end
  local ms = tonumber(times == index and score_at(i) or redis.call('ZSCORE', times, found[i]))
  if not ms then return false, false end
  local is_early, is_late = ms < (begin_ms or ms), ms >= (end_ms or math.huge)
  local is_past = is_early
  if is_up then is_past = is_late end
  return not is_early and not is_late, times == index and is_past
end

local HEAD = 5
local reply = {'', '', before, 0, of}
local last = math.min(#found, width * most_seen)
local stop, looked_into, seen = #found > last and last - width + 1, 0, last / width
for i = 1, last, width do
  if may_be_wanted(found[i]) then
    local is_wanted, is_past = is_in_time(i)
    if is_past then
      stop, edge = nil, nil
      break
    end
    if #reply == HEAD + 2 * limit or looked_into == most_into or bytes > most_bytes then
      stop, seen = i - width, (i - 1) / width
      break
    end
    looked_into = looked_into + 1
    if is_wanted and has_what_is_asked(found[i]) then
      reply[#reply + 1] = found[i]
      reply[#reply + 1] = score_at(i)
    end
  end
end
if stop then
  local _, is_past = is_in_time(stop)
  if not is_past then reply[1], reply[2] = found[stop], score_at(stop) end
elseif edge then
  reply[1], reply[2] = edge.id, string.format('%.0f', edge.score)
end
reply[4] = seen
return reply
