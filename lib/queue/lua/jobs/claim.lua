#!lua flags=allow-oom
-- claim.lua: promote the delayed jobs that are due, then hand a runner up to `limit` jobs, high before low.
-- KEYS 1 base
-- ARGV 1 runner  2 limit  3 'ready' | 'suspects' | 'popped': as 'ready', in one packet behind a BRPOPLPUSH
--      4… strays: ids in the runner's active list that the runner does not know, of a pop or claim whose reply was lost
-- RETURNS 'reaped': the runner was taken for dead | 'forgotten': the queue does not know the runner
--      | {words, spec, spec …}. words: records parted by \30, of fields parted by \31. The first record is the head:
--          'more' | 'paused' | 'empty' | '', now_ms, after how many ms this runner asks again because a delayed job is
--          due then, or '' (parts/keeper.lua; only where the claim leaves the runner idle),
--          since when each job was ready (ms, parted by commas), ids of jobs that are dead instead (parted by commas)
--        and each other record is a job:
--          id, token, attempt, unknown_since or '', and where the job has a checkpoint or a time at which it is given
--          up: the checkpoint or '', that time in ms or ''
--        Example: {'\0311760000000123\031\0311760000000101\031\030emails-01a2…\0311\0311\031', '{"v":1,…}'}, one job
--        'more': call again at once. The lists hold ids that are no jobs, or specs that are too much for one call;
--          strays may still be in the active list
--        'paused': the queue is, and only jobs of a lost claim are handed out
--        'empty', behind a pop: no other job is ready
-- @transition delayed --promote--> ready
-- @transition ready --claim--> active
-- @transition ready --claim--> dead
-- @transition ready --expire--> dead
-- @use clock bell claim_fields due gate hand_out keeper promote_due queue_settings ready_list stale_ids
-- WHY an id goes to the active list before it leaves the other list, as with RPOPLPUSH: where this script fails
-- half-way, the id is in one of the two.
local runner, limit, source = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local active_list = base .. 'active:' .. runner
local MOST_UNFIT, MOST_AT_ONCE, MOST_BYTES = 200, 1000, 1048576

if redis.call('HEXISTS', base .. 'workers', runner) == 0 then
  return redis.call('ZSCORE', base .. 'graves', runner) and 'reaped' or 'forgotten'
end

-- ids_left: how many ids this call may still look at. bytes_left: of specs; the spec that uses them up is handed out.
-- WHY bytes: a hundred specs of a MB hold Redis for half a second, and over a slow link their reply is always late.
-- WHY no function below reads the two: making a function that does costs each call as much as the two do for ten jobs.
local ids_left, bytes_left = limit + MOST_UNFIT, MOST_BYTES
local is_paused = queue_settings('paused') ~= false

-- Is the id in the active list twice: for the job that the runner holds by a lost claim, and popped from ready:normal,
-- where it was stale?
local function stands_twice(id, stale_in)
  return is_stale_in(stale_in, 'ready:normal') and #redis.call('LPOS', active_list, id, 'COUNT', '2') == 2
end

-- Hand out the job with this id, which is in the active list, or turn it away. list: where the id came from; an id that
-- was popped came from ready:normal. is_found: the id was in the active list before this call. f: of read_for_claim.
-- WHY the LREM comes last: where a broken key stops what comes before, the id stays where the next claim finds it.
local function start_one(id, list, is_found, f)
  local job = base .. 'job:' .. id
  local past = f.past or past_of(job, f[CLAIMS])
  local is_lost_claim = is_found and f[STATE] == 'active' and past[OWNER] == runner and not stands_twice(id, f[LISTED])
  local answer = may_start(id, f, list, is_lost_claim)
  if answer ~= 'start' then
    turn_away(id, f, list, answer)
    return redis.call('LREM', active_list, '1', id)
  end
  hand_out(id, job, f, past, runner, is_lost_claim)
  if list == 'suspects' then redis.call('HDEL', job, 'suspect') end
end

-- Hand out jobs that may start, and stand side by side at the right end of `list`, the first of `batch` rightmost.
-- WHY together: a command that writes costs as much as three that read, for each one goes to the AOF by itself.
local function start_batch(batch, fields, list)
  if #batch == 0 then return end
  redis.call('LPUSH', active_list, unpack(batch))
  redis.call('LTRIM', base .. list, '0', digits(-1 - #batch))
  for _, id in ipairs(batch) do
    local f = fields[id]
    hand_out(id, base .. 'job:' .. id, f, f.past or {}, runner)
  end
end

-- Hand out jobs from the right end of `list`, up to `most` of its ids and `bytes` of specs. Returns how many ids it
-- took, and how many bytes are left.
-- A job that has no `expires` and no stale id, and is no suspect, goes with its neighbours.
-- WHY each other job by itself: where one of them fails for a broken key, the rest is in reach of the other runners.
local function start_from(list, most, bytes)
  local next_ids = redis.call('LRANGE', base .. list, digits(-most), '-1')
  local batch, fields = {}, {}
  for i = #next_ids, 1, -1 do
    if bytes <= 0 then
      start_batch(batch, fields, list)
      return #next_ids - i, bytes
    end
    local id = next_ids[i]
    local f = read_for_claim(id)
    if f[SPEC] then bytes = bytes - #f[SPEC] end
    if f[CLAIMS] then
      f.past = past_of(base .. 'job:' .. id, f[CLAIMS])
      bytes = bytes - #(f.past[CHECKPOINT] or '')
    end
    local is_plain = not f[EXPIRES] and not f[LISTED] and list ~= 'suspects' and not fields[id]
    if is_plain and may_start(id, f, list) == 'start' then
      batch[#batch + 1], fields[id] = id, f
    else
      start_batch(batch, fields, list)
      batch = {}
      redis.call('RPOPLPUSH', base .. list, active_list)
      -- An id that stands there twice was perhaps handed out a moment ago: its record is read again.
      start_one(id, list, false, fields[id] and read_for_claim(id) or f)
    end
  end
  start_batch(batch, fields, list)
  return #next_ids, bytes
end

-- Hand out the job with this id, which was in the active list before this call. In a paused queue a ready job goes
-- back to the front of its list instead. WHY the list first: where somebody broke it, the id stays in the active list.
local function start_found(id, f)
  local goes_back = is_paused and f[STATE] == 'ready' and not is_stale_in(f[LISTED], 'ready:normal')
  if not goes_back then return start_one(id, 'ready:normal', true, f) end
  redis.call('RPUSH', base .. ready_list(redis.call('HGET', base .. 'job:' .. id, 'priority')), id)
  redis.call('LREM', active_list, '1', id)
end

for i = 4, #ARGV do
  -- WHY LPOS: the active list may have been reaped since; no id is handed out that does not stand in a list.
  if redis.call('LPOS', active_list, ARGV[i]) then
    local f = read_for_claim(ARGV[i])
    if f[SPEC] then bytes_left = bytes_left - #f[SPEC] end
    start_found(ARGV[i], f)
    if bytes_left <= 0 then
      ids_left = 0
      break
    end
  end
end

-- What the pop brought is the newest entry of the active list. Where the pop brought nothing, that is a job that runs.
local newest = source == 'popped' and redis.call('LRANGE', active_list, '0', '0')[1]
local newest_fields = newest and read_for_claim(newest)
if newest_fields and newest_fields[STATE] ~= 'active' then start_found(newest, newest_fields) end

local lists, due_ms = {}, next_due()
if source == 'suspects' and not is_paused then
  lists = {'suspects'}
elseif not is_paused then
  if due_ms and due_ms <= now_ms then
    promote_due(100)
    due_ms = next_due()
  end
  lists = {'ready:high', 'ready:normal', 'ready:low'}
end
for _, list in ipairs(lists) do
  while handed_out < limit and ids_left > 0 do
    local most = math.min(limit - handed_out, ids_left, MOST_AT_ONCE)
    local taken
    taken, bytes_left = start_from(list, most, bytes_left)
    ids_left = bytes_left > 0 and ids_left - taken or 0
    if taken < most then break end
  end
end

local state = is_paused and 'paused' or ids_left == 0 and 'more' or ''
if #lists > 1 and (handed_out == limit or ids_left == 0) then
  if redis.call('EXISTS', base .. 'ready:high', base .. 'ready:low') > 0 then
    ring()
  elseif source == 'popped' and redis.call('EXISTS', base .. 'ready:normal') == 0 then
    state = 'empty'
  end
end
-- A pop that brought nothing is followed by a claim at once.
local is_idle = state == 'empty' or source == 'ready' and state == '' and handed_out == 0
return claim_reply(state, is_idle and my_wait(runner, due_ms, PLAIN_MS) or '')
