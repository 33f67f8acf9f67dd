-- unique_keys(name, type_name): the two Redis keys where a job of this type may stand for the unique key `name`, and a
-- third, where a job of the mode throttle stands as well: for its whole time, whether the job has ended or not.
-- WHY two: a unique key is one type's own, but older versions know `unique:<name>` alone. The type that came first
-- stands there, where older versions see it; a job of another type stands under `unique:<name>\28<type>`.
-- WHY a third, `unique:<name>\28<type>\28throttle`: what stands in the two is any job's when the first has ended, also
-- by the scripts of older versions, which know no modes. And a job that is gone no longer says its type or mode.
local function unique_keys(name, type_name)
  local first = base .. 'unique:' .. name
  local beside = first .. '\28' .. type_name
  return first, beside, beside .. '\28throttle'
end
