-- What becomes of a job that waits for others, by what its edges know.
-- decide(id, job, by): judge the job, and do what follows, but for a job that is free: its caller makes it
-- ready. Returns 'free', or what was done: a mark (edges.lua): the job has ended so; '.': it is blocked again;
-- 'open': it is a workflow whose jobs are told that it is open; nil: nothing has changed. by: an event of
-- lib/jobs/state.py.
-- A job that was ended by its parents (field `by_parents`) is judged anew with each word: a parent that is retried and
-- completes frees what was cancelled for it. A job that runs, has run, or was ended by a person is not.
-- WHY a job that waits for a callback is passed over: it runs already, and freed once more it would run twice.
-- @use block clock conclude edges notices reopen unblock is_outside
local ENDS = {c = 'completed', d = 'dead', x = 'cancelled', k = 'cancelled', g = 'cancelled', s = 'cancelled'}
local ERRORS = {
  x = '{"type":"parent_failed","message":"%s, for which it waited, did not complete"}',
  k = '{"type":"parent_cancelled","message":"%s, for which it waited, was cancelled"}',
  g = '{"type":"parent_gone","message":"nobody knows %s, for which it waited"}',
  s = '{"type":"skipped","message":"what it was to run for has not come about: see %s"}',
}
local COUNTS = {'open', 'lost', 'cut', 'bad', 'off'}

-- How many of the job's edges are of which class: class -> number. sign: '#' or '@', as in edges.lua.
local function counts_of(id, sign)
  local names, counts = {}, {}
  for i, class in ipairs(COUNTS) do names[i] = sign .. class end
  for i, count in ipairs(redis.call('HMGET', parents_of(id), unpack(names))) do
    counts[COUNTS[i]] = tonumber(count or 0) or 0
  end
  return counts
end

-- The mark of the end that a job has come to by its parents; '.': it is to wait; 'free'.
local function verdict_by_parents(counts)
  if counts.bad > 0 then return 'x' end
  if counts.lost > 0 then return 'g' end
  if counts.cut > 0 then return 'k' end
  if counts.open > 0 then return '.' end
  return counts.off > 0 and 's' or 'free'
end

-- The same of a workflow, or 'open': its own parents, if it has any, have done what it waits for. jobs: counts of the
-- edges to its own jobs.
-- WHY the workflow's own jobs count only once it is open, or is to stop: before that they can have ended only because
-- the workflow was not open.
local function verdict_on_workflow(id, jobs, is_open, is_to_stop)
  if not is_open then
    local verdict = verdict_by_parents(counts_of(id, '#'))
    if ENDS[verdict] then return verdict end
    if not is_to_stop then return verdict == 'free' and 'open' or '.' end
    return jobs.open > 0 and '.' or 'k'
  end
  if jobs.open > 0 then return '.' end
  if jobs.bad + jobs.lost + jobs.cut == 0 then return 'c' end
  return (is_to_stop or jobs.bad + jobs.lost == 0) and 'k' or 'd'
end

-- The parent that decided the verdict `mark`: the first whose edge has its class.
local CLASS_OF = {x = 'bad', g = 'lost', k = 'cut', s = 'off'}
local function culprit_of(id, mark)
  for parent, rule, known in each_edge(id) do
    if not is_of_own_job(rule) and class_of(rule, known) == CLASS_OF[mark] then return parent end
  end
  return 'a job'
end

-- The ids of a workflow's own jobs, parted by commas.
local function own_jobs(id)
  local ids = {}
  for member, rule in each_edge(id) do
    if is_of_own_job(rule) then ids[#ids + 1] = member end
  end
  return table.concat(ids, ',')
end

-- The job has ended by what became of others. error_text: JSON, or nil.
-- WHY a completed workflow is not judged anew: nothing outranks an edge that is ok.
local function end_by_others(id, mark, error_text, by)
  local fields = {}
  if mark ~= 'c' then fields = {'by_parents', mark} end
  if error_text then
    fields[#fields + 1] = 'error'
    fields[#fields + 1] = error_text
  end
  conclude(ENDS[mark], {id}, by, {[id] = fields}, nil, nil, mark)
  return mark
end

local function end_workflow(id, mark, jobs, joins, is_open, by)
  local is_by_parents = not is_open and verdict_by_parents(counts_of(id, '#')) == mark
  local error_text = is_by_parents and string.format(ERRORS[mark], culprit_of(id, mark)) or nil
  if mark == 'd' then
    local failed = jobs.bad + jobs.lost + jobs.cut
    error_text = string.format('{"type":"jobs_failed","message":"%d of %s jobs did not complete"}', failed, joins)
  end
  -- It ends by its own parents. Where somebody has asked it to stop, that has come to nothing: it may be judged anew.
  if is_by_parents and mark ~= 'k' then redis.call('HDEL', base .. 'job:' .. id, 'cancel_requested') end
  -- Its jobs wait for the word that it is open, which never comes now. WHY also where all of them have ended: their
  -- records are to say why.
  if not is_open then give_notice(id, mark, own_jobs(id), '') end
  return end_by_others(id, mark, error_text, by)
end

-- open(id, job, before): a workflow's jobs may begin. before: the mark with which its parents had ended it, or nil.
-- What its jobs had said until now is void, for they could not begin, and they are asked anew. WHY skipped and optional
-- ones, too: the workflow is to end behind the last of its jobs.
local function could_not_begin(rule, mark) return is_of_own_job(rule) and mark ~= 'c' end

local function open(id, job, before)
  local is_to_ask = reopen(id, could_not_begin)
  if before then
    block(id, job, now)
  elseif is_to_ask then
    ask_now(id)
  end
  redis.call('HSET', job, 'opened', '1')
  give_notice(id, 'o', own_jobs(id), '')
end

-- Take a job that had been ended by its parents out of that end: it is judged anew.
local function take_out_of_end(id, job, state, followed)
  redis.call('ZREM', base .. state, id)
  redis.pcall('ZREM', base .. 'fading', id)
  redis.call('HDEL', job, 'finished', 'error', 'by_parents')
  if followed then wait_for(id, followed) end
end

local function decide(id, job, by)
  local state, before, joins, is_open, is_to_stop, followed, callback_token = unpack(redis.call(
    'HMGET', job, 'state', 'by_parents', 'joins', 'opened', 'cancel_requested', 'followed', 'callback_token'))
  if state ~= 'blocked' and (not before or is_to_stop) then return nil end
  if callback_token and is_outside(id) then return nil end
  local jobs = joins and counts_of(id, '@')
  local verdict = joins and verdict_on_workflow(id, jobs, is_open, is_to_stop) or verdict_by_parents(counts_of(id, '#'))
  if verdict == (before or '.') then return nil end

  if before then take_out_of_end(id, job, state, followed) end
  if verdict == 'open' then
    open(id, job, before)
    if counts_of(id, '@').open == 0 then return decide(id, job, by) end
    return 'open'
  end
  if verdict == '.' then
    block(id, job, now)
    return '.'
  end
  if not before then unblock(id) end
  if verdict == 'free' then return 'free' end
  if joins then return end_workflow(id, verdict, jobs, joins, is_open, by) end
  return end_by_others(id, verdict, string.format(ERRORS[verdict], culprit_of(id, verdict)), by)
end
