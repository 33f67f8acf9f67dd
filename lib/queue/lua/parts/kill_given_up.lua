-- kill_given_up(id, job): the job's give_up_after_s is over, so that no attempt begins any more. The error of the last
-- attempt, if there was one, becomes the cause.
-- @use kill
local function kill_given_up(id, job)
  local attempts, error_text = unpack(redis.call('HMGET', job, 'attempts', 'error'))
  local when = attempts and 'before its next try' or 'before it had begun'
  local cause = attempts and error_text and string.sub(error_text, 1, 1) == '{' and ',"cause":' .. error_text or ''
  kill({id}, '{"type":"gave_up","message":"its give_up_after_s was over ' .. when .. '"' .. cause .. '}', 'expire')
end
