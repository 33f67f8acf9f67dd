-- sound(probe, name, name …): raises WRONGTYPE where one of these keys is of another type than the probe asks for.
-- WHY first of all: Lua does not roll back. A job would be out of one place, and in no other.
local function sound(probe, ...)
  for _, name in ipairs({...}) do redis.call(probe, base .. name) end
end
