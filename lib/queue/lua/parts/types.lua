-- type_in_spec(spec): the job's type, found without parsing the spec: {"v":1,"type":"email",… gives 'email'. 'other'
-- where the spec is missing, or does not begin as Waybill writes it.
local function type_in_spec(spec)
  local name = spec and string.match(spec, '^{"v":%d+,"type":"([^"\\%c]+)"')
  return name and #name <= 256 and name or 'other'
end

-- add_one(counts, name): counts[name] + 1, where counts is a table of type -> number.
local function add_one(counts, name) counts[name] = (counts[name] or 0) + 1 end
