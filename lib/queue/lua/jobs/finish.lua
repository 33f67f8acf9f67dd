#!lua flags=allow-oom
-- finish.lua: complete jobs that this runner still owns.
-- KEYS 1 base
-- ARGV 1 worker  2 records: id, token, 't' where the result could not be kept or '-' and behind it the type,
--      result (JSON) or '', where it could not be kept the reason, and what it said last (parts/notes.lua)
-- RETURNS a letter for each: 1 done | 0 not the owner, nothing changed
-- @transition active --complete--> completed
-- @use clock records check_types active_list events fade fence notes tally
-- WHY own() is not asked: what it asks is asked here of all jobs together; the list has the last word as there.
local worker, records = ARGV[1], ARGV[2]

sound('ZCARD', 'completed')
-- One after the other in one table: id, verdict, option, result. retains: of the few that have one.
local said, size, mine, retains = {}, 0, {}, nil
for id, token, option, result in each_record(records) do
  local verdict, retain = by_fields(base .. 'job:' .. id, token, worker)
  said[size + 1], said[size + 2], said[size + 3], said[size + 4] = id, verdict, option, result
  size = size + 4
  if verdict == 'mine' then mine[#mine + 1] = id end
  if retain then
    retains = retains or {}
    retains[id] = retain
  end
end
local place = #mine > 0 and take_out(mine, worker) or {}

local answers, done, scores, kinds = {}, {}, {}, {}
local function complete(id, option, rest)
  local job = base .. 'job:' .. id
  local result, last_words = parted(rest)
  if last_words ~= '' then keep_notes(id, job, redis.call('HGET', job, 'claims'), last_words) end
  if sub(option, 1, 1) == 't' then
    redis.call('HSET', job, 'state', 'completed', 'finished', now, 'result_truncated', '1', 'result_error', result)
  elseif result == '' then
    redis.call('HSET', job, 'state', 'completed', 'finished', now)
  else
    redis.call('HSET', job, 'state', 'completed', 'finished', now, 'result', result)
  end
  add(kinds, sub(option, 2))
  done[#done + 1] = id
  if retains then fade(id, retains[id]) end
  scores[#scores + 1] = now
  scores[#scores + 1] = id
end

for i = 1, size, 4 do
  local id, verdict = said[i], said[i + 1]
  if verdict == 'mine' and place[id] == 0 then
    verdict = 'stale'
  elseif verdict == 'mine' and place[id] ~= 'completed' then
    complete(id, said[i + 2], said[i + 3])
    place[id] = 'completed'  -- Said twice in one call, it is done the second time.
  end
  answers[#answers + 1] = ANSWER[verdict]
end

if #done > 0 then redis.call('ZADD', base .. 'completed', unpack(scores)) end
announce('completed', done, 'complete')
tally('completed', kinds)
return table.concat(answers)
