-- next_ready(score, id, is_back, with_place, most): ready jobs in the order in which they are claimed, as well as that
-- can be known: by priority, and in each priority by the time since which they are ready. From behind the place
-- `score` and `id` on, or with is_back from before it towards the job that is next; with_place: that place too.
-- Returns the jobs, {id, score} …, about `most`; the place at which the list goes on, {id, score}, or nil; how many
-- jobs stand before the first of them; and how many there are. nil where the queue has more than MOST_LISTS lists with
-- more than MOST_WHOLE jobs.
-- A score is rank * 2^43 + ms, so that it tells jobs of all lists apart in one order: 2 * 2^43 + 1764410000123 became
-- ready at that ms with priority normal. How groups take turns is not foreseen: their jobs stand by their times.
-- WHY by time and not by place: places change with each claim, and a page must go on where the last one has ended. A
-- list holds its jobs in the order of their times but for those that were given back, which are next: such a job counts
-- as ready since the job behind it is.
-- @use stale_ids waiting_lists
local SPAN, MOST_WHOLE, MOST_LISTS, MOST_AT_ONE_MS, FEWEST, STALE_TRIES = 8796093022208, 2000, 100, 10000, 20, 20
local MOST_STALE = 100000  -- So many stale ids in a row, and the list counts as one that ends there.
local RANK_OF = {high = 1, normal = 2, low = 3}

-- Since when a job is ready, and the rank of its priority; nil where it is not, or is not to be claimed from `list`.
local function since_when_ready(id, list)
  local fields = redis.pcall('HMGET', base .. 'job:' .. id, 'state', 'since', 'priority', 'listed')
  local state, since, priority, stale_in = unpack(fields)
  if state ~= 'ready' or is_stale_in(stale_in, list.counts_as) then return nil end
  return tonumber(since or redis.call('ZSCORE', base .. 'all', id) or nil), list.rank or RANK_OF[priority] or 2
end

-- The jobs in `count` places of a list, each with its score; the one that is claimed next first.
local function jobs_at(list, from, count)
  local jobs, least = {}, nil
  for _, id in ipairs(ids_in(list, from, count)) do
    local ms, rank = since_when_ready(id, list)
    if ms then jobs[#jobs + 1] = {id = id, score = rank * SPAN + ms} end
  end
  if not list.rank then return jobs end
  for i = #jobs, 1, -1 do
    local job = jobs[i]
    least = math.min(least or job.score, job.score)
    job.score = least
  end
  return jobs
end

-- The scores of the first and the last of these jobs, 0 where there are none.
local function scores_of(jobs)
  local first, last = 0, 0
  for i, job in ipairs(jobs) do
    if i == 1 then first = job.score end
    last = job.score
  end
  return first, last
end

-- How many places of a list are before the first job that is ready since `ms` or later.
local function places_before(list, ms)
  local low, high = 0, list.length
  while low < high do
    local middle = math.floor((low + high) / 2)
    local at, since = middle, nil
    while not since and at < high and at < middle + STALE_TRIES do
      since = since_when_ready(redis.call('LINDEX', base .. list.name, -(at + 1)) or '', list)
      at = at + 1
    end
    if since and since < ms then low = at else high = middle end
  end
  return low
end

-- The jobs of a list behind a score, about `count`; the score from which on others may stand between them, or nil; and
-- how many places are before the first of them. WHY in larger steps: as many jobs as there are may have the same ms.
local function jobs_behind(list, score, count)
  local from, rank = 0, score and math.floor(score / SPAN)
  if rank and list.rank < rank then return {}, nil, list.length end
  if rank == list.rank then from = places_before(list, score % SPAN) end
  while true do
    local jobs = jobs_at(list, from, count)
    if from + count >= list.length then return jobs, nil, from end
    local low, high = scores_of(jobs)
    if high > low and high > (score or 0) then return jobs, high, from end
    if #jobs > 0 and count >= MOST_AT_ONE_MS then return jobs, math.max(high, score or 0) + 1, from end
    if count >= MOST_STALE then return jobs, nil, from end
    count = 2 * count
  end
end

-- The same before a score, towards the job that is claimed next. Counted are the places behind the last of them.
local function jobs_before(list, score, count)
  local to, rank = list.length, score and math.floor(score / SPAN)
  if rank and list.rank > rank then return {}, nil, list.length end
  if rank == list.rank then to = places_before(list, score % SPAN + 1) end
  while true do
    local from = math.max(0, to - count)
    local jobs, behind = jobs_at(list, from, to - from), list.length - to
    if from == 0 then return jobs, nil, behind end
    local low, high = scores_of(jobs)
    if #jobs > 0 and low < high and low < (score or math.huge) then return jobs, low, behind end
    if #jobs > 0 and count >= MOST_AT_ONE_MS then return jobs, math.min(low, score or low) - 1, behind end
    if count >= MOST_STALE then return jobs, nil, behind end
    count = 2 * count
  end
end

local function next_ready(score, id, is_back, with_place, most)
  local lists, total = waiting_lists()
  if not lists or (total > MOST_WHOLE and #lists > MOST_LISTS) then return nil end
  local count = math.max(FEWEST, math.ceil(most / math.max(1, #lists)) + 1)
  local found, seen, edge, before = {}, {}, nil, 0
  local function is_behind(job)
    if not score then return true end
    if job.score ~= score then return (job.score > score) ~= is_back end
    if job.id == id then return with_place end
    return (job.id > id) ~= is_back
  end
  for _, list in ipairs(lists) do
    local jobs, bound, passed = {}, nil, 0
    if total <= MOST_WHOLE or not list.rank then
      jobs = jobs_at(list, 0, math.min(list.length, MOST_WHOLE))
    elseif is_back then
      jobs, bound, passed = jobs_before(list, score, count)
    else
      jobs, bound, passed = jobs_behind(list, score, count)
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
