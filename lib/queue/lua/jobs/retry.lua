#!lua flags=allow-oom
-- retry.lua: run jobs that have ended again, as if they were new; their histories stay. A job that waited for others
-- waits again for those that have not done what it waits for; and a workflow runs those of its jobs again that did not
-- complete.
-- KEYS 1 base
-- ARGV for each job, 200 at most: its id, its unique key or '', the idempotency key or '', the fingerprint of the
--      request, '1' where the job is to begin without its checkpoint or '', how it was seen (parts/as_seen.lua), the
--      order of a workflow whose job it is, as '<workflow> r1795955797333' (when it was run again), or '': an order
--      is obeyed once
-- RETURNS a word a job: 'done' | 'replayed' | 'conflict' (parts/idempotency.lua) | the state that does not allow it
--      | 'unique ' and the id of the job that holds the unique key; of the mode throttle, the job may have ended, or be
--        gone | '' there is no such job
--      | 'changed': it is not as it was seen
-- @transition dead --retry--> ready
-- @transition completed --retry--> ready
-- @transition cancelled --retry--> ready
-- @transition dead --retry--> blocked
-- @transition cancelled --retry--> blocked
-- @transition dead --retry--> cancelled
-- @transition cancelled --retry--> cancelled
-- @transition dead --retry--> completed
-- @transition cancelled --retry--> completed
-- @use as_seen states check_types idempotency make_ready revive type_of_job unique_place block clock reopen verdict
-- WHY allow-oom: no new job comes in. The record loses fields; Redis gains an id in a list, a line of history, the key.
-- WHY one job is done before the next is looked at: two of them may have the same unique key.

-- For how long the job holds its unique key where its record notes no time: enqueue.lua writes none for a day.
local DAY_MS = '86400000'

-- Check the ready lists and the index of this state, once a call.
local is_checked = {}
local function check(state)
  if is_checked[state] then return end
  check_types('LLEN', 'ready:high', 'ready:normal', 'ready:low')
  check_types('ZCARD', state, 'blocked', 'unsure', 'cancelled')
  check_types('HLEN', 'followers')
  check_types('XLEN', 'notices')
  is_checked[state] = true
end

-- Run a job again that waited for others, or a workflow. is_ordered: by the workflow whose job it is, which runs the
-- others again as well: the job asks them only where they do not tell it. A workflow gives its own jobs such orders as
-- it asks, and does so at once.
local ORDERED_ASKS_MS = 15000
local function wait_again(id, is_from_start, is_ordered, joins)
  local job = base .. 'job:' .. id
  clear_end(id, is_from_start)
  reopen(id, is_ordered and has_not_got_anew or has_not_got)
  if joins then redis.call('HSET', job, 'round', now) end
  block(id, job, is_ordered and not joins and digits(now_ms + ORDERED_ASKS_MS) or now)
  if decide(id, job, 'retry') == 'free' then run_again(id) end
end

local function retry(id, unique_key, key, fingerprint, is_from_start, seen, order)
  local job = base .. 'job:' .. id
  local state, unique_ttl, unique_mode, waits, finished, joins, obeyed =
    unpack(redis.call('HMGET', job, 'state', 'unique_ttl', 'unique_mode', 'waits', 'finished', 'joins', 'order'))
  if not state then return '' end
  -- WHY: where the order comes late, the job may have run since: a parent of its own was run again, and freed it.
  local ordered_ms = tonumber(string.match(order, ' r(%d+)$'))
  local has_ended_since = ordered_ms and (tonumber(finished or 0) or 0) > ordered_ms
  if order ~= '' and (obeyed == order or state == 'completed' or has_ended_since) then return 'done' end
  local before = asked_before(key, fingerprint)
  if before then return before end
  if not is_as_seen(seen, state, finished) then return 'changed' end
  if LIVES[state] ~= false then return state end
  if joins and state == 'completed' then return state end
  local unique, throttle, holder
  if unique_key ~= '' then
    local type_name = type_of_job(job)
    unique, holder = unique_place(unique_key, type_name, id)
    -- WHY the holder may have ended: two jobs of one key would have run within its time.
    if unique_mode == 'throttle' and not holder then throttle, holder = throttle_place(unique_key, type_name, id) end
  end
  if holder then return 'unique ' .. holder end

  check(state)
  local ttl = string.match(unique_ttl or '', '^[1-9]%d*$') or DAY_MS
  if unique then redis.call('SET', unique, id, 'PX', ttl) end
  if throttle then redis.call('SET', throttle, id, 'PX', ttl) end
  if order ~= '' then redis.call('HSET', job, 'order', order) end
  if waits then
    wait_again(id, is_from_start, order ~= '', joins)
  else
    revive(id, is_from_start)
  end
  note_asked(key, fingerprint, id)
  return 'done'
end

local answers = {}
for i = 1, #ARGV, 7 do
  local id, unique_key, key, fingerprint = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  answers[#answers + 1] = retry(id, unique_key, key, fingerprint, ARGV[i + 4] == '1', ARGV[i + 5], ARGV[i + 6])
end
publish_blocked('retry')
publish_ready('retry')
return answers
