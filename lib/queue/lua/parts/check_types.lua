-- check_types(probe, name, name …): raises WRONGTYPE where one of these keys of the queue is of another type than the
-- command `probe` asks for, as in check_types('ZCARD', 'dead', 'cancelled').
-- WHY before a script's first write: Lua does not roll back. A script that stops half-way may have taken a job out of
-- one place, and put it in no other.
local function check_types(probe, ...)
  for _, name in ipairs({...}) do redis.call(probe, base .. name) end
end
