-- Strikes: how often in a row jobs of a group got no answer from what they call: nobody listens there, say. The hash
-- `strikes` has a field for each group with any: '<how many> <ms of the last> <ms until which the group rests for it>
-- <what went wrong>', as in '3 1760000030000 1760000034000 LinkLost: api.example.com:443 refused the connection'.
-- While a group has strikes, one of its jobs runs at a time (group_room.lua): it tries whether anybody answers again.
-- strikes_of(group): the four values of its field; nil where it has no strikes, or where somebody wrote other words
-- there.
local LONGEST_REST_MS = 300000
local function strikes_of(group)
  local text = redis.pcall('HGET', base .. 'strikes', group)
  if type(text) ~= 'string' then return nil end
  local count, last_ms, until_ms, words = string.match(text, '^(%d+) (%d+) (%d+) ?(.*)$')
  return tonumber(count), tonumber(last_ms), tonumber(until_ms), words
end
