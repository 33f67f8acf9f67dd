-- A graph may be written so slowly that some of its jobs ask for the anchor before the anchor is there. The answer is
-- that the anchor is gone: those jobs end, and tell their followers so. Once the anchor is there, these ends are void;
-- but the word that the anchor is there reaches some jobs before others. So a job that knows the anchor does not
-- believe another job that has ended for want of the anchor.
-- knows_anchor(id, rule): does the job, which has heard of a parent by an edge of this rule, know that the anchor is
-- there? is_without_anchor(id): has the job ended because it was told that its anchor is gone?
-- @use edges
local function knows_anchor(id, rule)
  if is_of_own_job(rule) then return redis.call('HGET', base .. 'job:' .. id, 'opened') == '1' end
  for _, other_rule, mark in each_edge(id) do
    if is_for_open(other_rule) and mark == 'o' then return true end
  end
  return false
end

local function is_without_anchor(id)
  for _, rule, mark in each_edge(id) do
    if is_for_open(rule) and mark == 'g' then return true end
  end
  return false
end
