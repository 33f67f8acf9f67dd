#!lua flags=allow-oom
-- finish.lua: complete jobs that this runner still owns.
-- KEYS 1 base
-- ARGV 1 worker  2 records: id, token, 't' where the result was too large to keep or '-' and behind it the type,
--      result (JSON) or ''
-- RETURNS a letter for each: 1 done | 0 not the owner, nothing changed
-- @transition active --complete--> completed
-- @use clock records tally ended fence sound
local worker, records = ARGV[1], ARGV[2]

sound('ZCARD', 'completed')
local answers, done, scores, kinds = {}, {}, {}, {}
for id, token, option, result in each_record(records) do
  local verdict = own(id, token, worker)
  if verdict == 'mine' then
    local job = base .. 'job:' .. id
    redis.call('HSET', job, 'state', 'completed', 'finished', now, 'ended', token)
    if result ~= '' then redis.call('HSET', job, 'result', result) end
    if sub(option, 1, 1) == 't' then redis.call('HSET', job, 'result_truncated', '1') end
    done[#done + 1] = id
    add(kinds, sub(option, 2))
    scores[#scores + 1] = now
    scores[#scores + 1] = id
  end
  answers[#answers + 1] = ANSWER[verdict]
end

if #done > 0 then redis.call('ZADD', base .. 'completed', unpack(scores)) end
announce('completed', done, 'complete')
tally('completed', kinds)
return table.concat(answers)
