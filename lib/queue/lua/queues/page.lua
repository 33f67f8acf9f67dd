#!lua flags=no-writes
-- page.lua: jobs of an index that fit, newest or oldest first, from behind a job on.
-- KEYS 1 base
-- ARGV 1 index: all | delayed | blocked | completed | dead | cancelled | tag:<tag>  2 score and 3 id of the last job
--      seen, or '' and ''  4 most jobs to return  5 most jobs to look at  6 most of them of which more than the id is
--      looked at  7 most bytes of records  8 state, or '' for any  9 'oldest' for the lowest scores first, or ''
--      10 the index whose scores are bounded by 11 ms at which they begin and 12 ms before which they end, each '' for
--      no bound  13 what the job's error begins with, as '{"type":"ValueError"', or ''  14 the four digits in which
--      the ids of a request's jobs end (lib/ids.py), or ''  15… texts that must stand in the spec's first 2 KB, as
--      '"type":"email"'
-- RETURNS {id and score of the last job looked at where there are more behind it, or '' and '', then id, score, id,
--      score …}
-- WHY by rank: thousands of jobs may have the same ms for a score, and a rank finds a place among them at once. Where
-- the last job seen was deleted since, or has moved, its place is searched among the jobs of its ms, 10,000 at the
-- most.
-- WHY two indexes: the jobs with a tag stand in their own index by the time at which they were created, and a request
-- may ask for those of them that ended at a certain time.
-- WHY ids of version 7 are never passed over for the four digits: versions before 0.3.0 made them, of random digits.
local index, score, id, limit = base .. ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local most_seen, most_into, most_bytes, state = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local is_oldest_first, times = ARGV[9] ~= '', base .. ARGV[10]
local begin_ms, end_ms, error_begin, mark = tonumber(ARGV[11]), tonumber(ARGV[12]), ARGV[13], ARGV[14]
local HEAD_BYTES, MOST_ACTIVE, MOST_OF_ONE_MS, STEP, TEXTS_FROM = 2048, 2000, 10000, 500, 15
local is_bounded, sub, byte = begin_ms or end_ms, string.sub, string.byte
local SEVEN = 55 -- the byte of '7'

-- The fields that are read of each job; place_of: the place of each among them.
local needed, place_of = {}, {}
local function need(name)
  needed[#needed + 1] = name
  place_of[name] = #needed
end
if #ARGV >= TEXTS_FROM then need('spec') end
if error_begin ~= '' then need('error') end
if state ~= '' then need('state') end

-- May this be the id of a job of the request? 'email-019b2f0e1a2c8000a1b2c3d4e5f6ffea' has the mark 'ffea'.
local function may_have_mark(job_id)
  return mark == '' or sub(job_id, -4) == mark or byte(job_id, -20) == SEVEN
end

-- bytes: of the specs and errors that were looked at.
local bytes = 0
local function has_texts(spec)
  local head = #spec > HEAD_BYTES and sub(spec, 1, HEAD_BYTES) or spec
  for i = TEXTS_FROM, #ARGV do
    if not string.find(head, ARGV[i], 1, true) then return false end
  end
  return true
end

local function has_what_is_asked(job_id)
  if #needed == 0 then return true end
  local f = redis.pcall('HMGET', base .. 'job:' .. job_id, unpack(needed))
  local spec, error_text = place_of.spec and f[place_of.spec], place_of.error and f[place_of.error]
  bytes = bytes + #(spec or '') + #(error_text or '')
  if place_of.state and f[place_of.state] ~= state then return false end
  if place_of.error and sub(error_text or '', 1, #error_begin) ~= error_begin then return false end
  return not place_of.spec or (spec and has_texts(spec))
end

-- How many jobs of the index stand before `rank_score` and `rank_id`, or are that job.
local function count_to(rank_score, rank_id)
  local rank = redis.call('ZREVRANK', index, rank_id)
  if rank and tonumber(redis.call('ZSCORE', index, rank_id)) == tonumber(rank_score) then
    return is_oldest_first and redis.call('ZCARD', index) - rank or rank + 1
  end
  local range, count = 'ZREVRANGEBYSCORE', nil
  if is_oldest_first then
    range, count = 'ZRANGEBYSCORE', redis.call('ZCOUNT', index, '-inf', '(' .. rank_score)
  else
    count = redis.call('ZCOUNT', index, '(' .. rank_score, '+inf')
  end
  -- WHY in steps: where the jobs up to this place were deleted, the first of those that are left lies behind it.
  for from = 0, MOST_OF_ONE_MS - STEP, STEP do
    local same = redis.call(range, index, rank_score, rank_score, 'LIMIT', from, STEP)
    for _, other in ipairs(same) do
      if other ~= rank_id and (other > rank_id) == is_oldest_first then return count end
      count = count + 1
    end
    if #same < STEP then break end
  end
  return count
end

-- The next jobs of the index: id, score, id, score … Of the many that may not be of the request, the ids alone.
local function from_index()
  local from = id ~= '' and count_to(score, id) or 0
  if times == index and is_oldest_first and begin_ms then
    from = math.max(from, redis.call('ZCOUNT', index, '-inf', '(' .. ARGV[11]))
  elseif times == index and not is_oldest_first and end_ms then
    from = math.max(from, redis.call('ZCOUNT', index, ARGV[12], '+inf'))
  end
  local range = is_oldest_first and 'ZRANGE' or 'ZREVRANGE'
  if mark ~= '' then return redis.call(range, index, from, from + most_seen), 1 end
  return redis.call(range, index, from, from + most_seen, 'WITHSCORES'), 2
end

-- The same from the runners' active lists; nil where these hold too many ids.
-- WHY not from the index: of a million jobs the active ones are few, and as a rule the oldest.
local function from_active_lists()
  local held, count, after = {}, 0, tonumber(score)
  for _, runner in ipairs(redis.call('HKEYS', base .. 'workers')) do
    local others = redis.call('LRANGE', base .. 'active:' .. runner, 0, MOST_ACTIVE)
    count = count + #others
    if count > MOST_ACTIVE then return nil end
    for _, other in ipairs(others) do
      local created = tonumber(redis.call('ZSCORE', index, other))
      if created and (id == '' or created < after or (created == after and other < id)) then
        held[#held + 1] = {created, other}
      end
    end
  end
  table.sort(held, function(a, b) return a[1] > b[1] or (a[1] == b[1] and a[2] > b[2]) end)
  local found = {}
  for _, place in ipairs(held) do
    found[#found + 1] = place[2]
    found[#found + 1] = string.format('%.0f', place[1])
  end
  return found
end

local found, width
if state == 'active' and index == base .. 'all' then found, width = from_active_lists(), 2 end
if not found then found, width = from_index() end

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
  if is_oldest_first then is_past = is_late end
  return not is_early and not is_late, times == index and is_past
end

local reply = {'', ''}
local last = math.min(#found, width * most_seen)
local stop, looked_into = #found > last and last - width + 1, 0
for i = 1, last, width do
  if may_have_mark(found[i]) then
    local is_wanted, is_past = is_in_time(i)
    if is_past then
      stop = nil
      break
    end
    if #reply == 2 + 2 * limit or looked_into == most_into or bytes > most_bytes then
      stop = i - width
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
end
return reply
