-- KEYS: stream, due, state. ARGV: group, consumer, max, claim in ms, max bytes.
-- Returns {entries, last delivered ID, ms until the next claim ends or -1};
-- an entry is {stream ID, receipt, attempts, causes or false, fields}.
local stream, due, state = KEYS[1], KEYS[2], KEYS[3]
local group, consumer, max, budget = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local till = now + tonumber(ARGV[4])
local out = {}

local function size(fields)
  local n = 0
  for _, f in ipairs(fields) do n = n + #f end
  return n
end

-- What came back goes first, the longest due before the others.
for _, id in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, max)) do
  if budget <= 0 then break end
  local got = redis.pcall('XCLAIM', stream, group, consumer, 0, id)
  if got.err then return got end
  if got[1] then
    local receipt, attempts = string.match(redis.call('HGET', state, id) or '1 1', '^(%d+) (%d+)$')
    receipt, attempts = tonumber(receipt) + 1, tonumber(attempts) + 1
    redis.call('HSET', state, id, receipt .. ' ' .. attempts)
    redis.call('ZADD', due, till, id)
    out[#out + 1] = {id, receipt, attempts, redis.call('HGET', state, id .. ' causes'), got[1][2]}
    budget = budget - size(got[1][2])
  else
    -- Somebody else acknowledged or deleted it.
    redis.call('ZREM', due, id)
    redis.call('HDEL', state, id, id .. ' causes')
  end
end

while #out < max and budget > 0 do
  local want = math.min(max - #out, 16)
  local got = redis.pcall('XREADGROUP', 'GROUP', group, consumer, 'COUNT', want, 'STREAMS', stream, '>')
  if not got then break end
  if got.err then return got end
  local entries = got[1][2]
  for _, e in ipairs(entries) do
    redis.call('ZADD', due, till, e[1])
    out[#out + 1] = {e[1], 1, 1, false, e[2]}
    budget = budget - size(e[2])
  end
  if #entries < want then break end
end
if #out > 0 then return {out, '', -1} end

local last = '0-0'
for _, g in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local info = {}
  for i = 1, #g, 2 do info[g[i]] = g[i + 1] end
  if info['name'] == group then last = info['last-delivered-id'] end
end
local next = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
return {out, last, next[2] and math.max(tonumber(next[2]) - now, 0) or -1}
