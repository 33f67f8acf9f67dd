-- find: string.find. With `plain` it is memchr; WHY a local: a name of Lua's is looked up in two tables at each use.
local find = string.find
