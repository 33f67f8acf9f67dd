#!lua
-- enqueue.lua: take in a commit of new jobs; jobs for which the queue has no room are refused one by one.
-- KEYS 1 base
-- ARGV 1 process id  2 commit number, ascending  3 records: id, priority, options (parts/job_options.lua), spec
-- RETURNS 'superseded': a later commit of this process came first; this one was never answered, and none of its jobs is
--        taken in
--      | now_ms, with a + before it where the queue has just begun, or begun again since its removal: the caller adds
--        the queue to the set of names once more. Behind now_ms, for each job that was not taken in as a new one: \30,
--        the job's number from 1, \31, why, \31, the id of the job that stands for it. why:
--        replayed-new, replayed-duplicate, replayed-replaced  its idempotency key came before, with that answer
--        conflict   its idempotency key came before, with another fingerprint
--        duplicate  a job of its type lives under its unique key; or its mode is throttle, and the last such job of its
--                   type has ended, but still has the key
--        throttled  not taken in: as duplicate, but the record of that job is gone. In the id's place its id, a space,
--                   and the seconds until the key is free
--        replaced   not taken in: the job whose id this is has never begun, and became the one that was sent
--        superseding  taken in, and the job whose id this is was superseded by it: parts/replace.lua
--        brief      not taken in: its unique key would be free before the job is due; '' in the id's place
--        full       not taken in: the queue is at its max_depth; in the id's place the seconds until there may be room
--        group-full  not taken in: the job's group is at the max_depth of groups; the same seconds
--      Example: '+1760000000123\0302\031duplicate\031emails-01a2…': the queue has begun, the second job is a duplicate
-- @transition - --enqueue--> ready
-- @transition - --enqueue--> delayed
-- @transition - --enqueue--> blocked
-- @transition ready --replace--> delayed
-- @transition delayed --replace--> ready
-- @transition ready --replace--> cancelled
-- @transition delayed --replace--> cancelled
-- @transition blocked --replace--> cancelled
-- @rarely note_period
-- @rarely ask_now add_by_tag announce depth drained_in_s lines lives_beside living_holder quarantine read_options ring
-- @rarely throttle_place type_of_job unique_keys unique_place write_record write_tags
-- @seldom error_in kind_of_error note_error
-- @seldom add_follower block change_in_place change_place change_tags check_for_replace conclude count_stale
-- @seldom follow_new give_notice has_begun has_followers is_called_back is_outside is_stale_in letter_of mark_of
-- @seldom mark_stale place_now publish_blocked put_off replace runs_beside still_runs superseded_by superseded_error
-- @seldom take_in_blocked take_out tell_end to_list unblock unmark_stale wait_behind wait_for what_it_said
-- @seldom write_edges
-- @use clock records bell check_types depth find job_options queue_settings replace take_in text_at types unique_place
-- @use lines
-- WHY no allow-oom: at maxmemory new jobs are refused up front, before anything is written.
-- WHY the number: a commit whose reply was lost is sent again. It is answered once more, and not run a second time.
local process, number, records = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local commit = base .. 'commit:' .. process
local DAY_S, DAY_MS = 86400, 86400000
-- The fingerprint of a job that a running job enqueued under a name (lib/queue/named_jobs.py). Its idempotency key
-- lasts longer than any pause before the parent's next attempt.
local ONCE, ONCE_S = 'once', 7776000

local last_number, last_answer = string.match(text_at(commit), '^(%d+) (.*)$')
if last_number and tonumber(last_number) == number then return last_answer end
if last_number and tonumber(last_number) > number then return 'superseded' end
check_types('ZCARD', 'all')
check_types('LLEN', 'ready:normal')
-- WHY the records are searched first: few of them need these keys, and a command costs more than such a search.
if find(records, '\29', 1, true) then
  check_types('ZCARD', 'delayed')
  if find(records, '!\29', 1, true) then check_types('HLEN', 'followers') end  -- the option c, calls_back
  if find(records, '\29mr\29', 1, true) or find(records, '\29md\29', 1, true) then check_for_replace() end
end
if find(records, '\31high\31', 1, true) then check_types('LLEN', 'ready:high') end
if find(records, '\31low\31', 1, true) then check_types('LLEN', 'ready:low') end

-- How many jobs fit under the queue's max_depth; nil where the queue has none, and then nothing is counted.
local max_depth, group_max_depth, concurrency, rate =
  queue_settings('max_depth', 'group_max_depth', 'concurrency', 'rate')
note_limits(concurrency, rate)
max_depth, group_max_depth = tonumber(max_depth), tonumber(group_max_depth)
local room = max_depth and max_depth - depth()
local refused = 0
local group_room = {}  -- group -> how many of its jobs fit under the max_depth of groups.

local function refuse()
  refused = refused + 1
  return 'full', drained_in_s(refused - room)
end

-- Whether the job's group has no room for it; where it has, the room is one less.
local function is_group_full(options)
  local group = group_max_depth and options.group
  if not group then return false end
  local left = group_room[group] or group_max_depth - lines().depth(group)
  group_room[group] = left - 1
  return left <= 0
end

-- For how many ms a job holds its unique key, as text: the time asked for, or a day beyond the job's due time. nil
-- where the time asked for ends before the job is due. WHY a delay is not compared: the server has done that already.
local function unique_ttl_of(options)
  local ms = math.max(0, (options.due_ms or 0) - now_ms)
  if not options.unique_ttl or options.unique_mode == 'd' then return digits(DAY_MS + ms) end
  return (options.is_due_by_delay or tonumber(options.unique_ttl) >= ms) and options.unique_ttl or nil
end

-- Why a job of the mode throttle is not taken in while `holder` has its key `place`, and what stands in the id's place.
local function throttled_by(holder, place)
  if redis.call('EXISTS', base .. 'job:' .. holder) == 1 then return 'duplicate', holder end
  return 'throttled', holder .. ' ' .. digits(math.max(1, math.ceil(redis.call('PTTL', place) / 1000)))
end

-- The answer that the job's idempotency key had before: why, and the id; nil where the key is new.
local function replay_of(id, options)
  local known_id, known_print, known_why =
    string.match(text_at(base .. 'idem:' .. options.idempotency_key), '^(%S+) (%S+) (%S+)$')
  if known_id then return known_print == options.fingerprint and 'replayed-' .. known_why or 'conflict', known_id end
  -- The id is made of the key: where the key has expired, the job may be there all the same.
  if options.fingerprint == ONCE and redis.call('EXISTS', base .. 'job:' .. id) == 1 then return 'replayed-new', id end
end

local begins = false  -- Has the queue just begun, by the jobs that were placed before the end of the call?

-- Why this job is not to be taken in, and what stands in the id's place of the answer; nil where the job is to be taken
-- in, and then it stands under its unique key. The idempotency key is noted with the answer, but not with one that asks
-- for the job to be sent again later. A job that supersedes another one has an answer, and is to be taken in.
local function stand_in_of(id, type_name, options, priority, spec)
  if options.idempotency_key then
    local replayed, known_id = replay_of(id, options)
    if replayed then return replayed, known_id end
  end
  local why, first_id, holder, unique, throttle, ttl = nil, id, nil, nil, nil, nil
  if options.unique_key then
    ttl = unique_ttl_of(options)
    if not ttl then return 'brief', '' end
    unique, holder = unique_place(options.unique_key, type_name, id)
    local mode = options.unique_mode
    if holder and (mode == 'r' or mode == 'd') then
      begins = place_now('enqueue') or begins
      why = replace(id, holder, unique, ttl, priority, spec, options, is_group_full)
      if why == 'group-full' then return why, drained_in_s(1 - group_room[options.group]) end
      place_now('replace')
      first_id = why == 'replaced' and holder or id
    elseif holder then
      why, first_id = 'duplicate', holder
    elseif mode == 'd' then
      put_off(options)
    elseif mode == 't' then
      throttle, holder = throttle_place(options.unique_key, type_name, id)
      if holder then why, first_id = throttled_by(holder, throttle) end
      if why == 'throttled' then return why, first_id end
    end
  end
  if not why and room and room <= 0 then return refuse() end
  if not why and is_group_full(options) then return 'group-full', drained_in_s(1 - group_room[options.group]) end
  if not why and unique then redis.call('SET', unique, id, 'PX', ttl) end
  if not why and throttle then redis.call('SET', throttle, id, 'PX', ttl) end
  if options.idempotency_key then
    local kept_s = options.fingerprint == ONCE and ONCE_S or DAY_S
    local noted = first_id .. ' ' .. options.fingerprint .. ' ' .. (why ~= 'superseding' and why or 'new')
    redis.call('SET', base .. 'idem:' .. options.idempotency_key, noted, 'EX', kept_s)
  end
  if why == 'superseding' then return why, holder end
  return why, first_id
end

local jobs, answer = 0, {now}
for id, priority, option_text, spec in each_record(records) do
  jobs = jobs + 1
  local options, type_name = option_text ~= '' and read_options(option_text), type_in_spec(spec)
  local why, instead
  if options then
    why, instead = stand_in_of(id, type_name, options, priority, spec)
  elseif room and room <= 0 then
    why, instead = refuse()
  end
  if why then
    answer[#answer + 1] = jobs .. '\31' .. why .. '\31' .. instead
  end
  if not why or why == 'superseding' then take_in(id, priority, spec, type_name, options) end
  -- WHY a job that supersedes takes no room: it waits in the place of the other one, or behind it.
  if room and not why then room = room - 1 end
end

begins = place_taken_in('enqueue') or begins
local text = (begins and '+' or '') .. table.concat(answer, '\30')
-- The answer is kept for half an hour at least. WHY KEEPTTL: setting a time to live costs as much as the rest of SET.
local function half_hour(ms) return ms and math.floor(ms / 1800000) end
local record = ARGV[2] .. ' ' .. text
if last_answer and half_hour(string.match(last_answer, '^%+?(%d+)')) == half_hour(now) then
  redis.call('SET', commit, record, 'KEEPTTL')
else
  redis.call('SET', commit, record, 'EX', '3600')
end
return text
