#!lua flags=allow-oom
-- finish.lua: complete jobs that this runner still holds.
-- KEYS 1 base
-- ARGV 1 runner  2 records: id, token, '-' and the job's type ('t' and the type where the result could not be kept),
--      and the result (JSON), or '' for none, or why it could not be kept; with last words (parts/last_words.lua)
-- RETURNS a letter a job: 1 done | 0 the runner did not hold the job any more, nothing changed; and a + behind them
--      where other jobs wait for one that has ended, and are to be told (parts/notices.lua)
-- @transition active --complete--> completed
-- @rarely error_in kind_of_error note_error note_period
-- @rarely blocks_on_bells each_note end_strikes end_strikes_of give_notice keep_notes leave lines mark_of note_limits
-- @rarely publish push quarantine queue_settings ring strike strikes_of tell_end type_in_spec wait_for what_it_said
-- @use records check_types active_list conclude fence last_words notes slots types notices strike
-- WHY not end_attempt: it takes ids out of the active list one by one, and remove_from_active takes all at once.
local runner, records = ARGV[1], ARGV[2]

check_types('ZCARD', 'completed')
has_followers()
-- ends: the id, verdict, option and rest of each record, one record behind the other. retains: id -> `retain`.
-- groups: id -> `group`. have_groups: is any of these a group's name, and not ''?
local ends, size, mine, retains, groups, have_groups = {}, 0, {}, nil, nil, false
for id, token, option, rest in each_record(records) do
  local verdict, retain, group = verdict_on(base .. 'job:' .. id, token, runner)
  ends[size + 1], ends[size + 2], ends[size + 3], ends[size + 4] = id, verdict, option, rest
  size = size + 4
  if verdict == 'mine' then mine[#mine + 1] = id end
  if retain then
    retains = retains or {}
    retains[id] = retain
  end
  if group then
    groups = groups or {}
    groups[id] = group
    have_groups = have_groups or group ~= ''
  end
end
local removed = #mine > 0 and remove_from_active(mine, runner) or {}

local completed, fields, types = {}, {}, {}
local function complete(id, option, rest)
  local result, last_words = split_last_words(rest)
  if last_words ~= '' then
    local job = base .. 'job:' .. id
    keep_notes(id, job, redis.call('HGET', job, 'claims'), last_words)
  end
  if sub(option, 1, 1) == 't' then
    fields[id] = {'result_truncated', '1', 'result_error', result}
  elseif result ~= '' then
    fields[id] = {'result', result}
  end
  add_one(types, sub(option, 2))
  completed[#completed + 1] = id
  if groups then leave(id, groups[id]) end
end

local answers = {}
for i = 1, size, 4 do
  local id, verdict = ends[i], ends[i + 1]
  if verdict == 'mine' and removed[id] == 0 then
    verdict = 'stale'
  elseif verdict == 'mine' and removed[id] ~= 'completed' then
    complete(id, ends[i + 2], ends[i + 3])
    removed[id] = 'completed'  -- A second record of this attempt in the same call is answered 1 and changes nothing.
  end
  answers[#answers + 1] = ANSWERS[verdict]
end

conclude('completed', completed, 'complete', fields, types, retains)
give_slots_back()
-- A job of a group went well: whatever it calls is there.
if have_groups and redis.call('EXISTS', base .. 'strikes') == 1 then end_strikes_of(completed, groups) end
return table.concat(answers) .. (notices_given > 0 and '+' or '')
