-- next_ready(from_score, from_id, is_back, with_place, enough): ready jobs in the order in which they are claimed, as
-- well as that can be known: by priority, and in each priority by the time since which they are ready. From behind the
-- place `from_score` and `from_id` on, or with is_back from before it towards the job that is next; with_place: that
-- place too. Returns the jobs, {id, score} …, about `enough`; the place at which the list goes on, {id, score}, or nil;
-- how many jobs stand before the first of them; and how many there are. nil where the queue has more than MOST_LISTS
-- lists with more than MOST_WHOLE jobs.
-- A score is rank * 2^43 + ms, so that it tells jobs of all lists apart in one order: 2 * 2^43 + 1764410000123 became
-- ready at that ms with priority normal. How groups take turns is not foreseen: their jobs stand by their times.
-- WHY by time and not by place: places change with each claim, and a page must go on where the last one has ended. A
-- list holds its jobs in the order of their times but for those that were given back, which are next: such a job counts
-- as ready since the job behind it is.
-- WHY its functions are made when it is called: to make them costs a list that needs none of them 2 % of its time.
-- @use stale_ids waiting_lists
local SPAN, MOST_WHOLE, MOST_LISTS, MOST_AT_ONE_MS, FEWEST, UNTIMED_TRIES = 8796093022208, 2000, 100, 5000, 20, 20
local SPARE, UNUSED = 50, 2  -- The last ms of a step is left out. Most often only the lists of one priority count.
local LONG_STEP, CLOCKS_APART_MS = 800, 200
local function next_ready(from_score, from_id, is_back, with_place, enough)
  local RANK_OF = {high = 1, normal = 2, low = 3}

  -- By what a job is sorted that stands in `list`; whether it is ready there; and by how many ms its score may be
  -- wrong. nil where that can't be told.
  -- WHY jobs that are not ready, too: a list may hold 100,000 ids of jobs that were cancelled, and a page must get on.
  -- WHY by its id: the record of such a job may be gone, and an id tells when a server, by its clock, has made it.
  local function place_in(list, id)
    local fields = redis.pcall('HMGET', base .. 'job:' .. id, 'state', 'since', 'priority', 'listed')
    local state, since, priority, stale_in = unpack(fields)
    local rank = (list.rank or RANK_OF[priority] or 2) * SPAN
    local ms = tonumber(since or redis.call('ZSCORE', base .. 'all', id) or nil)
    if not ms then
      ms = tonumber(string.sub(id, -32, -21), 16)
      return ms and rank + ms, false, CLOCKS_APART_MS
    end
    if state ~= 'ready' then return rank + ms, false, 0 end
    if is_stale_in(stale_in, list.counts_as) then return nil, false, 0 end
    return rank + ms, true, 0
  end

  -- The jobs in `count` places of a list, each with its score, the one that is claimed next first; and scores that no
  -- job has a higher one of before these places, and none a lower one behind them.
  local function jobs_at(list, from, count)
    local jobs, first, last = {}, nil, nil
    for _, id in ipairs(ids_in(list, from, count)) do
      local score, is_ready, wrong_by = place_in(list, id)
      if is_ready then jobs[#jobs + 1] = {id = id, score = score} end
      if score then first, last = first or score + wrong_by, score - wrong_by end
    end
    return jobs, first, last
  end

  -- A job that was given back counts as ready since the one behind it is.
  local function in_their_order(list, jobs)
    if not list.rank then return jobs end
    local least
    for i = #jobs, 1, -1 do
      local job = jobs[i]
      least = math.min(least or job.score, job.score)
      job.score = least
    end
    return jobs
  end

  local function join(jobs, others)
    for _, job in ipairs(others) do jobs[#jobs + 1] = job end
    return jobs
  end

  -- How many places of a list are before the first job of this score or a higher one.
  local function places_before(list, score)
    local low, high = 0, list.length
    while low < high do
      local middle = math.floor((low + high) / 2)
      local at, own, _, wrong_by = middle, nil, nil, nil
      while not own and at < high and at < middle + UNTIMED_TRIES do
        own, _, wrong_by = place_in(list, redis.call('LINDEX', base .. list.name, -(at + 1)) or '')
        at = at + 1
      end
      if own and own + wrong_by < score then low = at else high = middle end
    end
    return low
  end

  -- How many of the jobs have a score from `low` on, and below `high`.
  local function count_between(jobs, low, high)
    local count = 0
    for _, job in ipairs(jobs) do
      if job.score >= low and job.score < high then count = count + 1 end
    end
    return count
  end

  -- The jobs of a list behind a score, `most` where there are so many; the score from which on others may stand between
  -- them, or nil; and how many places are before the first of them.
  -- WHY the bound is behind the next ms: a page that ends in the ms at which it began would go on there for ever.
  local function jobs_behind(list, score, most)
    local from, begin, rank = 0, score or 0, score and math.floor(score / SPAN)
    if rank and list.rank < rank then return {}, nil, list.length end
    if rank == list.rank then from = places_before(list, score) end
    local found, count, bound = {}, 0, nil
    while from + count < list.length do
      local jobs, _, last = jobs_at(list, from + count, most + SPARE)
      found, count, bound = join(found, jobs), count + most + SPARE, last or bound
      local gets_on = bound and bound > begin + 1
      local is_enough = gets_on and (count >= LONG_STEP or count_between(found, begin, bound) >= most)
      if not is_enough and count >= MOST_AT_ONE_MS then
        is_enough, bound = true, math.max(bound or 0, begin + 1) + 1
      end
      if is_enough and from + count < list.length then return in_their_order(list, found), bound, from end
    end
    return in_their_order(list, found), nil, from
  end

  -- The same before a score, towards the job that is claimed next. Counted are the places behind the last of them.
  local function jobs_before(list, score, most)
    local to, rank, begin = list.length, score and math.floor(score / SPAN), score or (list.rank + 1) * SPAN
    if rank and list.rank > rank then return {}, nil, list.length end
    if rank == list.rank then to = places_before(list, score + 1) end
    local found, from, bound = {}, to, nil
    while from > 0 do
      local step = math.min(from, most + SPARE)
      from = from - step
      local jobs, first = jobs_at(list, from, step)
      found, bound = join(jobs, found), first or bound
      local gets_on = bound and bound < begin - 1
      local is_enough = gets_on and (to - from >= LONG_STEP or count_between(found, bound + 1, begin + 1) >= most)
      if not is_enough and to - from >= MOST_AT_ONE_MS then
        is_enough, bound = true, math.min(bound or begin, begin - 1) - 1
      end
      if is_enough and from > 0 then return in_their_order(list, found), bound, list.length - to end
    end
    return in_their_order(list, found), nil, list.length - to
  end

  local lists, total = waiting_lists()
  if not lists or (total > MOST_WHOLE and #lists > MOST_LISTS) then return nil end
  local count = math.max(FEWEST, math.ceil(enough / math.max(1, #lists - UNUSED)))
  local found, seen, edge, before = {}, {}, nil, 0
  local function is_behind(job)
    if not from_score then return true end
    if job.score ~= from_score then return (job.score > from_score) ~= is_back end
    if job.id == from_id then return with_place end
    return (job.id > from_id) ~= is_back
  end
  for _, list in ipairs(lists) do
    local jobs, bound, passed = {}, nil, 0
    if total <= MOST_WHOLE or not list.rank then
      jobs = in_their_order(list, (jobs_at(list, 0, math.min(list.length, MOST_WHOLE))))
    elseif is_back then
      jobs, bound, passed = jobs_before(list, from_score, count)
    else
      jobs, bound, passed = jobs_behind(list, from_score, count)
    end
    if bound and (not edge or (bound < edge) ~= is_back) then edge = bound end
    before = before + passed
    for _, job in ipairs(jobs) do
      if not seen[job.id] then
        seen[job.id] = true
        if is_behind(job) then found[#found + 1] = job else before = before + 1 end
      end
    end
  end
  if edge then
    local known = {}
    for _, job in ipairs(found) do
      if job.score ~= edge and (job.score < edge) ~= is_back then known[#known + 1] = job end
    end
    -- WHY z, and not a character behind all letters: Lua compares by the locale that Redis was started in.
    local first, last = '!', string.rep('z', 70)
    found, edge = known, is_back and {id = first, score = edge + 1} or {id = last, score = edge - 1}
  end
  table.sort(found, function(a, b)
    local low, high = is_back and b or a, is_back and a or b
    return low.score < high.score or (low.score == high.score and low.id < high.id)
  end)
  return found, edge, before, total <= MOST_WHOLE and before + #found or total
end
