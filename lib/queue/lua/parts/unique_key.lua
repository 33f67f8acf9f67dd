-- unique_keys(name, type_name): the two Redis keys where a job of this type may stand for the unique key `name`.
-- WHY two: a unique key is one type's own, but older versions know `unique:<name>` alone. The type that came first
-- stands there, where older versions see it; a job of another type stands under `unique:<name>\28<type>`.
local function unique_keys(name, type_name)
  local first = base .. 'unique:' .. name
  return first, first .. '\28' .. type_name
end
