-- put_aside_broken(kind, name, name …): a key of another type than it must have goes to the key `broken`, where a
-- person may look at it, and to the quarantine's list goes its name.
-- @use quarantine
local function put_aside_broken(kind, ...)
  for _, name in ipairs({...}) do
    local found = redis.call('TYPE', base .. name).ok
    if found ~= kind and found ~= 'none' then
      redis.call('RENAME', base .. name, base .. 'broken')
      quarantine(name, 'this key was no ' .. kind .. '; what it held is in the key `broken`')
    end
  end
end
