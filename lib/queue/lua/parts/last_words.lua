-- split_last_words(text): the last field of a record that ends an attempt, in two: the field's own text, and behind a
-- \29 the attempt's last notes in the form of notes.lua, '' for none. JSON holds no \29.
-- @use records find
local function split_last_words(text)
  local cut = find(text, '\29', 1, true)
  if not cut then return text, '' end
  return sub(text, 1, cut - 1), sub(text, cut + 1)
end
