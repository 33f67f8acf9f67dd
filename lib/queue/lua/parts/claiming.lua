-- What claim.lua and ration.lua share: they are given the same ARGV, and hand out jobs in the same way.
-- WHY an id goes to the active list before it leaves the other list, as with RPOPLPUSH: where a script fails half-way,
-- the id is in one of the two.
-- @use clock claim_fields gate hand_out lines ready_list stale_ids
local runner, limit, source = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local active_list = base .. 'active:' .. runner
local MOST_UNFIT, MOST_AT_ONCE, MOST_BYTES = 200, 1000, 1048576

-- Why the runner may not claim; nil where it may.
local function unregistered()
  if redis.call('HEXISTS', base .. 'workers', runner) == 1 then return nil end
  return redis.call('ZSCORE', base .. 'graves', runner) and 'reaped' or 'forgotten'
end

-- Is the id in the active list twice: for the job that the runner holds by a lost claim, and popped from ready:normal,
-- where it was stale?
local function stands_twice(id, stale_in)
  return is_stale_in(stale_in, 'ready:normal') and #redis.call('LPOS', active_list, id, 'COUNT', '2') == 2
end

-- Hand out the job with this id, which is in the active list, or turn it away. list: where the id came from; an id that
-- was popped came from ready:normal. is_found: the id was in the active list before this call. f: of read_for_claim.
-- group: of hand_out.
-- WHY the LREM comes last: where a broken key stops what comes before, the id stays where the next claim finds it.
local function start_one(id, list, is_found, f, group)
  local job = base .. 'job:' .. id
  local past = f.past or past_of(job, f[CLAIMS])
  local is_lost_claim = is_found and f[STATE] == 'active' and past[OWNER] == runner and not stands_twice(id, f[LISTED])
  local answer = may_start(id, f, list, is_lost_claim)
  if answer ~= 'start' then
    turn_away(id, f, list, answer)
    return redis.call('LREM', active_list, '1', id)
  end
  hand_out(id, job, f, past, runner, group, is_lost_claim)
  if list == 'suspects' then redis.call('HDEL', job, 'suspect') end
end

-- Hand out jobs that may start, and stand side by side at the right end of `list`, the first of `batch` rightmost.
-- WHY together: a command that writes costs as much as three that read, for each one goes to the AOF by itself.
local function start_batch(batch, fields, list, group)
  if #batch == 0 then return end
  redis.call('LPUSH', active_list, unpack(batch))
  redis.call('LTRIM', base .. list, '0', digits(-1 - #batch))
  for _, id in ipairs(batch) do
    local f = fields[id]
    hand_out(id, base .. 'job:' .. id, f, f.past or {}, runner, group)
  end
end

-- Hand out jobs from the right end of `list`, up to `most` of its ids and `bytes` of specs. Returns how many ids it
-- took, and how many bytes are left. group: of hand_out.
-- A job that has no `expires` and no stale id, and is no suspect, goes with its neighbours.
-- WHY each other job by itself: where one of them fails for a broken key, the rest is in reach of the other runners.
local function start_from(list, most, bytes, group)
  local next_ids = redis.call('LRANGE', base .. list, digits(-most), '-1')
  local batch, fields = {}, {}
  for i = #next_ids, 1, -1 do
    if bytes <= 0 then
      start_batch(batch, fields, list, group)
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
      start_batch(batch, fields, list, group)
      batch = {}
      redis.call('RPOPLPUSH', base .. list, active_list)
      -- An id that stands there twice was perhaps handed out a moment ago: its record is read again.
      start_one(id, list, false, fields[id] and read_for_claim(id) or f, group)
    end
  end
  start_batch(batch, fields, list, group)
  return #next_ids, bytes
end

-- start_list(list, most, ids, bytes, group): hand out jobs of a list until `most` jobs are handed out in all. ids: how
-- many ids this call may still look at; bytes: of specs. Returns what is left of the two; no ids where no bytes are.
-- WHY bytes: a hundred specs of a MB hold Redis for half a second, and over a slow link their reply is always late. The
-- spec that uses them up is handed out.
-- WHY arguments: making a function that reads locals of the script costs each call as much as ten jobs cost here.
local function start_list(list, most, ids, bytes, group)
  while handed_out < most and ids > 0 do
    local wanted = math.min(most - handed_out, ids, MOST_AT_ONCE)
    local taken
    taken, bytes = start_from(list, wanted, bytes, group)
    ids = bytes > 0 and ids - taken or 0
    if taken < wanted then break end
  end
  return ids, bytes
end

-- put_back(id): a ready job's id, which is in the active list, goes to the front of its list.
-- WHY the list first: where somebody broke it, the id stays in the active list.
local function put_back(id)
  local priority, group = unpack(redis.call('HMGET', base .. 'job:' .. id, 'priority', 'group'))
  push('RPUSH', ready_list(priority, nil, group), id)
  redis.call('LREM', active_list, '1', id)
end

-- start_found(start, ids, bytes): call start(id, fields) for the strays of ARGV, and for what a pop has brought. Takes
-- and returns ids and bytes as start_list does.
local function start_found(start, ids, bytes)
  for i = 4, #ARGV do
    -- WHY LPOS: the active list may have been reaped since; no id is handed out that does not stand in a list.
    if redis.call('LPOS', active_list, ARGV[i]) then
      local f = read_for_claim(ARGV[i])
      if f[SPEC] then bytes = bytes - #f[SPEC] end
      start(ARGV[i], f)
      if bytes <= 0 then
        ids = 0
        break
      end
    end
  end
  -- What the pop brought is the newest entry of the active list. Where it brought nothing, that is a job that runs.
  local newest = source == 'popped' and redis.call('LRANGE', active_list, '0', '0')[1]
  local f = newest and read_for_claim(newest)
  if f and f[STATE] ~= 'active' then start(newest, f) end
  return ids, bytes
end
