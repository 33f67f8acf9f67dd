-- come_in(id, group): the job waits for no callback (is_outside.lua) any more, if it did; its slot is given back.
-- group: the job's field. Returns whether it did. The caller puts the job where it stands next, and calls
-- give_slots_back (slots.lua) once, at the end.
-- @use slots unblock
local function come_in(id, group)
  if redis.call('ZREM', base .. 'outside', id) == 0 then return false end
  unblock(id)
  leave(id, group)
  return true
end
