#!lua flags=no-writes
-- explain.lua: where a job stands, and all that decides when it runs. lib/jobs/explanation.py says what that means.
-- KEYS 1 base
-- ARGV 1 id  2 most ids of the job's list to search for it, from the end that is next  3 most ids before it to look
--      into  4 lease in ms of a runner whose registration names none  5 '1' where its edges are asked for, or ''
-- RETURNS {} where there is no such job | {name, value, name, value …}, of these names:
--      record         the job's record, a text of parts/record_text.lua
--      now            Redis' clock (ms)
--      suspect paused   '1' where the job waits to run alone | where the queue is paused; else ''
--      unknown_since  ms since which no runner knows the job's type, or ''
--      blocked_since  ms since which the job is blocked, or ''
--      callback_by    ms by which the callback must have come for which the job waits, or ''
--      expires        ms at which the job is dead if its handler has not started by then, or ''
--      due_by         of the unique mode debounce: ms after which a further request does not put the job off, or ''
--      superseded     '1760000030000 emails-01a2…': when which later job took this one's unique key, or ''
--      runners slots busy   how many living runners may take the job, how many jobs at once all of them run, and how
--                     many of these places are taken
--      beat           ms of the last beat of the runner that claimed the job last, or ''
--      minute last_minute   counts of this minute and of the last one, as census.lua gives them
--      before         how many jobs are claimed before this one, of a group: how many of that group, or ''
--      precision      how exactly that is known: 'exact' | 'most': among them may be jobs that were cancelled where
--                     they stood | 'least': the job was not among the ids that were searched | 'taken': a runner has
--                     popped its id, and claims it now | 'none': the job is not ready, or stands in no list
--      group          the job's group, or ''
--      edges          of a job that waits or has waited for others: '<rule><mark><parent> <name>' (parts/edges.lua) of
--                     every edge, parted by commas; else ''
--    and what keeps jobs of a queue with limits or groups from starting, each '' where it does not:
--      group_paused   '1'
--      held           '1760000030000 emails-01a2…': until when the group rests, and the job that has asked for that
--      strikes        the group's strikes, as in parts/strikes.lua
--      full_group full_queue     '2|2|id,id': the concurrency, how many run, and the ids of some of these
--      spent_group spent_queue   '100/60000|1760000030000': the rate that is used up, and ms at which it allows a start
-- @use alive clock edges isolation job_place limits_seen queue_settings record_text
-- WHY two bounds: to search 10,000 ids takes Redis half a millisecond; to look into the records of 1,000 takes two.
local id, most_searched, most_looked_into, lease_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local has_edges = ARGV[5] == '1'
local job = base .. 'job:' .. id

local record = record_text(id, true)
if record == '' then return {} end
local state, priority, suspect, group, unknown_since, worker, waits, due_by, superseded =
  unpack(redis.call('HMGET', job, 'state', 'priority', 'suspect', 'group', 'unknown_since', 'worker', 'waits', 'due_by',
    'superseded'))
local paused, rationed, concurrency, rate = queue_settings('paused', 'rationed', 'concurrency', 'rate')
group = group or ''

-- Does the runner take no more jobs, because it is to stop?
local function drains(runner)
  local vitals = redis.pcall('HGET', base .. 'vitals', runner)
  return type(vitals) == 'string' and string.find(vitals, ' draining', 1, true) ~= nil
end

-- `runners`, `slots` and `busy` of the reply. An isolation runner takes suspects alone, and others start one where one
-- waits.
local function living()
  local runners, slots, busy = 0, 0, 0
  local registered = redis.call('HGETALL', base .. 'workers')
  for i = 1, #registered, 2 do
    local runner, about = registered[i], registered[i + 1]
    local may_take = (suspect or not is_isolation_runner(runner)) and not drains(runner)
    if may_take and is_alive(about, redis.call('HGET', base .. 'beats', runner), lease_ms) then
      runners = runners + 1
      local most = tonumber(string.match(about, '"concurrency":(%d+)')) or 1
      slots = slots + most
      -- A runner may hold more: it claims short jobs ahead of a free slot. WHY pcall: somebody broke the list.
      local held = redis.pcall('LLEN', base .. 'active:' .. runner)
      busy = busy + math.min(most, tonumber(held) or 0)
    end
  end
  return runners, slots, busy
end

local seen = {group_paused = '', held = '', full_group = '', full_queue = '', spent_group = '', spent_queue = ''}
seen.strikes = ''
local callback_by = state == 'blocked' and score_in('outside', id) or ''
if rationed and callback_by == '' and (state == 'ready' or state == 'delayed' or state == 'blocked') then
  see_queue_limits(seen, concurrency, rate)
  if group ~= '' then see_group_limits(seen, group) end
end
local function all_edges()
  local texts = {}
  for parent, rule, mark, name in each_edge(id) do texts[#texts + 1] = rule .. mark .. parent .. ' ' .. name end
  return table.concat(texts, ',')
end

local minute = math.floor(now_ms / 60000)
local function joined(n) return table.concat(redis.call('HGETALL', base .. 'minute:' .. n), '\31') end
local before, precision = job_place(id, group, state, priority, suspect, most_searched, most_looked_into)
local runners, slots, busy = living()
local beat = worker and redis.call('HGET', base .. 'beats', worker)
local reply = {
  'record', record,
  'now', now,
  'suspect', suspect and '1' or '',
  'paused', paused and '1' or '',
  'unknown_since', unknown_since or '',
  'blocked_since', state == 'blocked' and score_in('blocked', id) or '',
  'callback_by', callback_by,
  'expires', score_in('expiring', id),
  'due_by', due_by or '',
  'superseded', superseded or '',
  'runners', runners,
  'slots', slots,
  'busy', busy,
  'beat', beat and string.match(beat, ':(%d+)$') or '',
  'minute', joined(minute),
  'last_minute', joined(minute - 1),
  'before', before,
  'precision', precision,
  'group', group,
  'edges', has_edges and waits and all_edges() or '',
}
for name, value in pairs(seen) do
  reply[#reply + 1] = name
  reply[#reply + 1] = value
end
return reply
