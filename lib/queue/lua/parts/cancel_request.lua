-- cancel_if_requested(id, job, name, value …): a job whose cancellation was requested while it ran does not run
-- again: it is cancelled now, with these fields in its record. Returns whether that was so. The attempt has ended,
-- and the id is in no list any more.
-- @use conclude
local function cancel_if_requested(id, job, ...)
  if redis.call('HEXISTS', job, 'cancel_requested') == 0 then return false end
  conclude('cancelled', {id}, 'cancel', {[id] = {...}})
  return true
end
