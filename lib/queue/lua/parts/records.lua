-- each_record(text): the four fields of every record, one record after another; an empty one is ''. Records end with \30,
-- fields are parted by \31, and the last may hold any text: JSON holds neither.
-- WHY no pattern: string.find with plain is memchr, and a pattern looks at every byte of a long spec by itself.
local find, sub = string.find, string.sub
local function each_record(text)
  local from = 1
  return function()
    local stop = find(text, '\30', from, true)
    if not stop then return nil end
    local first = find(text, '\31', from, true)
    local second = find(text, '\31', first + 1, true)
    local third = find(text, '\31', second + 1, true)
    local id, a = sub(text, from, first - 1), sub(text, first + 1, second - 1)
    local b, rest = sub(text, second + 1, third - 1), sub(text, third + 1, stop - 1)
    from = stop + 1
    return id, a, b, rest
  end
end
