-- cancel_if_requested(id, job, has_another, name, value …): a job whose cancellation was requested while it ran does
-- not run again: it is cancelled now, with these fields in its record. So is one that was superseded meanwhile, but
-- only where it has another attempt. Returns whether that was so. The attempt has ended, and the id is in no list any
-- more.
-- WHY who waits for a superseded job is told that it failed: nobody has cancelled the job.
-- @use conclude superseded
local function cancel_if_requested(id, job, has_another, ...)
  local is_requested, superseded = unpack(redis.call('HMGET', job, 'cancel_requested', 'superseded'))
  if is_requested then
    conclude('cancelled', {id}, 'cancel', {[id] = {...}})
    return true
  end
  if not superseded or not has_another then return false end
  local _, token, _, error_text = ...
  local fields = {'error', superseded_error(superseded, error_text)}
  if token then
    fields[#fields + 1] = 'ended'
    fields[#fields + 1] = token
  end
  conclude('cancelled', {id}, 'replace', {[id] = fields}, nil, nil, 'd')
  return true
end
