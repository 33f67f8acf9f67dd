-- end_attempts(records, runner, end_one, keeps_slots): for each record (records.lua) whose attempt the runner still
-- holds, take the job out of the runner's active list and call end_one(id, token, option, rest, group), which decides
-- where the job goes. keeps_slots: the jobs keep their slots in their groups, and end_one gives back those that do not.
-- Returns a letter a job: 1 done | 0 the runner did not hold the job any more.
-- WHY the LREM comes last and its count decides: a list that a reaper has emptied is the last word on who holds what.
-- @use records fence slots
local function end_attempts(records, runner, end_one, keeps_slots)
  local answers, ended = {}, {}
  for id, token, option, rest in each_record(records) do
    -- WHY `ended`: a second record of an attempt in one call is answered 1, though fail writes its end only later.
    local verdict, _, group = 'done', nil, nil
    if ended[id] ~= token then verdict, _, group = verdict_on(base .. 'job:' .. id, token, runner) end
    if verdict == 'mine' and redis.call('LREM', base .. 'active:' .. runner, '-1', id) == 0 then verdict = 'stale' end
    if verdict == 'mine' then
      ended[id] = token
      if not keeps_slots then leave(id, group) end
      end_one(id, token, option, rest, group)
    end
    answers[#answers + 1] = ANSWERS[verdict]
  end
  give_slots_back()
  return table.concat(answers)
end
