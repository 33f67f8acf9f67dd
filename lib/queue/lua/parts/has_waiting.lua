-- has_waiting(): does any job wait to be claimed, other than a suspect?
local function has_waiting()
  return redis.call('EXISTS', base .. 'ready:high', base .. 'ready:normal', base .. 'ready:low', base .. 'turns:high',
    base .. 'turns:normal', base .. 'turns:low') > 0
end
