-- write_epitaph(runner, how, taken, about): note of a runner that is reaped how it went and how many jobs were taken
-- back, in the hash `epitaphs`: '<how> <jobs> <about it (JSON)>', as in 'crashed 3 {"host":"a","pid":7,…}'.
-- how: crashed | killed | left | lost (its beats stopped). about: its registration; false where it was reaped before:
-- then what is written stays, and the jobs are added.
-- WHY pcall: this is for people to read, and must not keep jobs from being taken back.
-- @use clock
local function write_epitaph(runner, how, taken, about)
  local known = not about and redis.pcall('HGET', base .. 'epitaphs', runner)
  if type(known) == 'string' then
    local first_how, jobs, first_about = string.match(known, '^(%a+) (%d+) (.*)$')
    if not first_how or taken == 0 then return end
    how, taken, about = first_how, taken + tonumber(jobs), first_about
  end
  redis.pcall('HSET', base .. 'epitaphs', runner, how .. ' ' .. digits(taken) .. ' ' .. (about or '{}'))
end
