-- ring(): wake one idle runner. It blocks on ready:normal alone and would not see what lies in the other lists.
-- A runner that is woken by a bell claims, and rings on where it leaves work behind.
local function ring()
  if redis.call('EXISTS', base .. 'ready:normal') == 0 then redis.call('LPUSH', base .. 'ready:normal', 'bell') end
end
