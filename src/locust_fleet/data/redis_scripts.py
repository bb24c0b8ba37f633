"""The scripts of ``redis_store.py``; every key begins with KEYS[1], ``fleet:data:<run id>``.

Redis identifies a script by its text. After a change of any text, the first process of the new
version that takes part in a run finds its script missing, takes that for a restart of Redis, and
puts the run into quarantine.

========================  ======  ==============================================================
key                       type    content
========================  ======  ==============================================================
``<run>``                 hash    memory (the generation), hold (when the quarantine ends),
                                  token (the last one), closed
``<run>:keys``            set     the keys below that live as long as the run
``<run>:holders``         zset    identity -> when it expires, in ms of Redis's clock
``<run>:held:<identity>`` set     "source, newline, id" of each record that it holds
``<run>:questions:<identity>``  hash  source -> number of the last question carried out
``<run>:records:<source>``  hash  id -> text of the record
``<run>:free:<source>``   list    ids of the records that nobody holds
``<run>:used:<source>``   list    ids of the records that are used up
``<run>:queue:<source>``  zset    identity that finds no free record -> since when
``<run>:asked:<source>``  hash    identity that finds no free record -> when it asked last
``<run>:loading:…``       both    records of a source that is being loaded
``<run>:tally``           hash    "source, newline, event" -> how often
``<run>:counters``        hash    name -> value
``<run>:requests``        hash    worker -> its requests
``<run>:locks``           hash    name -> "identity, token, when it expires", by newlines
``<run>:group:<name>``    hash    member -> identity
========================  ======  ==============================================================
"""

from __future__ import annotations

from locust_fleet.data.store import GONE_S, STARVING_S

PRELUDE = f"local STARVING, GONE = {STARVING_S * 1000:.0f}, {GONE_S * 1000:.0f}"
PRELUDE += """
local run = KEYS[1]
local stamp = redis.call('TIME')
local now = stamp[1] * 1000 + math.floor(stamp[2] / 1000)
-- Whatever is left of a run that nobody ended goes after a day.
local LIFE = 86400000
local hold = false

local function keep(key)
  redis.call('SADD', run .. ':keys', key)
  redis.call('PEXPIRE', key, LIFE)
end

local function lives(name)
  local till = redis.call('ZSCORE', run .. ':holders', name)
  return till and tonumber(till) > now
end

local function put_back(name)
  local mine = run .. ':held:' .. name
  local things = redis.call('SMEMBERS', mine)
  for _, thing in ipairs(things) do
    local source, id = string.match(thing, '^([^\\n]*)\\n(.*)$')
    redis.call('RPUSH', run .. ':free:' .. source, id)
    redis.call('PEXPIRE', run .. ':free:' .. source, LIFE)
  end
  redis.call('DEL', mine, run .. ':questions:' .. name)
  redis.call('ZREM', run .. ':holders', name)
  return things
end

local function bury()
  local dead = redis.call('ZRANGEBYSCORE', run .. ':holders', '-inf', now, 'LIMIT', 0, 10)
  for _, name in ipairs(dead) do
    for _, thing in ipairs(put_back(name)) do
      local source = string.match(thing, '^([^\\n]*)')
      redis.call('HINCRBY', run .. ':tally', source .. '\\nreclaimed', 1)
    end
  end
end

local function refused(name, memory)
  local is = redis.call('HMGET', run, 'memory', 'closed', 'hold')
  if is[2] then return redis.error_reply('OVER') end
  if not is[1] or not lives(name) then return redis.error_reply('FENCED') end
  if is[1] ~= memory then return redis.error_reply('RESTARTED ' .. is[1]) end
  hold = is[3] and tonumber(is[3]) > now
end

-- What nobody waits for any more may come after what was asked later, and must change nothing then.
local function late(name, source, number)
  local questions = run .. ':questions:' .. name
  if tonumber(number) <= tonumber(redis.call('HGET', questions, source) or '0') then
    return redis.error_reply('LATE')
  end
  if redis.call('HSET', questions, source, number) == 1 then
    redis.call('PEXPIRE', questions, LIFE)
  end
end
"""

# ARGV: generation
OPEN = """
redis.call('HSET', run, 'memory', ARGV[1])
redis.call('HDEL', run, 'hold', 'closed')
keep(run)
keep(run .. ':keys')
"""

# ARGV: generation, length of the quarantine; run when the scripts are gone, because Redis has
# started anew.
NEW_GENERATION = """
if redis.call('EXISTS', run) == 1 then
  redis.call('HSET', run, 'memory', ARGV[1], 'hold', string.format('%.0f', now + ARGV[2]))
end
"""

# ARGV: name, worker, expiry, generation, length of the quarantine, then counter, value, ...
JOIN = """
local is = redis.call('HMGET', run, 'memory', 'closed')
if is[2] then return redis.error_reply('OVER') end
local memory = is[1]
if not memory then
  memory = ARGV[4]
  redis.call('HSET', run, 'memory', memory, 'hold', string.format('%.0f', now + ARGV[5]))
end
redis.call('ZADD', run .. ':holders', string.format('%.0f', now + ARGV[3]), ARGV[1])
if ARGV[2] ~= '' then redis.call('HSET', run .. ':group:active_workers', ARGV[2], ARGV[1]) end
for i = 6, #ARGV, 2 do
  local value = tonumber(redis.call('HGET', run .. ':counters', ARGV[i]) or '0')
  if value < tonumber(ARGV[i + 1]) then
    redis.call('HSET', run .. ':counters', ARGV[i], ARGV[i + 1])
  end
end
for _, key in ipairs({'', ':keys', ':holders', ':counters', ':requests', ':locks', ':tally'}) do
  keep(run .. key)
end
keep(run .. ':group:active_workers')
return memory
"""

# ARGV: name, generation, worker, expiry, requests
RENEW = """
local no = refused(ARGV[1], ARGV[2])
if no then return no end
redis.call('ZADD', run .. ':holders', string.format('%.0f', now + ARGV[4]), ARGV[1])
if ARGV[3] ~= '' then
  redis.call('HSET', run .. ':group:active_workers', ARGV[3], ARGV[1])
  redis.call('HSET', run .. ':requests', ARGV[3], ARGV[5])
end
bury()
for _, kind in ipairs({'held', 'questions'}) do
  redis.call('PEXPIRE', run .. ':' .. kind .. ':' .. ARGV[1], LIFE)
end
for _, key in ipairs(redis.call('SMEMBERS', run .. ':keys')) do redis.call('PEXPIRE', key, LIFE) end
"""

# ARGV: name, worker, requests
LEAVE = """
if redis.call('EXISTS', run) == 0 then return end
put_back(ARGV[1])
if ARGV[2] ~= '' then redis.call('HSET', run .. ':requests', ARGV[2], ARGV[3]) end
if redis.call('HGET', run .. ':group:active_workers', ARGV[2]) == ARGV[1] then
  redis.call('HDEL', run .. ':group:active_workers', ARGV[2])
end
"""

# ARGV: how long the data is kept
CLOSE = """
if redis.call('EXISTS', run) == 1 then redis.call('HSET', run, 'closed', 1) end
local sources = {}
for _, key in ipairs(redis.call('SMEMBERS', run .. ':keys')) do
  local source = string.match(key, '^' .. string.gsub(run, '%p', '%%%0') .. ':records:(.*)$')
  if source then
    sources[source] = {
      records = redis.call('HLEN', key),
      leases = tonumber(redis.call('HGET', run .. ':tally', source .. '\\nleases') or '0'),
      reclaimed = tonumber(redis.call('HGET', run .. ':tally', source .. '\\nreclaimed') or '0'),
    }
    sources[source]['used up'] = redis.call('LLEN', run .. ':used:' .. source)
  end
  redis.call('PEXPIRE', key, ARGV[1])
end
local function numbers(key)
  local all, found = redis.call('HGETALL', key), {}
  for i = 1, #all, 2 do found[all[i]] = tonumber(all[i + 1]) end
  return found
end
return cjson.encode({
  counters = numbers(run .. ':counters'), requests = numbers(run .. ':requests'), sources = sources,
})
"""

# ARGV: name, generation, source, number, want, what to do when empty, how many of the ids are given
# back, ids
EXCHANGE = """
local no = refused(ARGV[1], ARGV[2]) or late(ARGV[1], ARGV[3], ARGV[4])
if no then return no end
local me, source, want, when_empty = ARGV[1], ARGV[3], tonumber(ARGV[5]), ARGV[6]
local mine, free = run .. ':held:' .. me, run .. ':free:' .. source
local used, records = run .. ':used:' .. source, run .. ':records:' .. source
local queue, asked = run .. ':queue:' .. source, run .. ':asked:' .. source
for i = 8, #ARGV do
  -- What was taken away from this identity is not put down twice.
  if redis.call('SREM', mine, source .. '\\n' .. ARGV[i]) == 1 then
    redis.call('RPUSH', i < 8 + ARGV[7] and free or used, ARGV[i])
  end
end
if #ARGV > 7 then
  redis.call('PEXPIRE', free, LIFE)
  redis.call('PEXPIRE', used, LIFE)
end
if want == 0 then return {'open', {}, {}} end
if hold then return redis.error_reply('HOLD') end
if redis.call('EXISTS', records) == 0 then return {'unloaded', {}, {}} end
if redis.call('LLEN', free) < want then bury() end
if when_empty == 'recycle' then
  for _ = redis.call('LLEN', free) + 1, want do
    local id = redis.call('LPOP', used)
    if not id then break end
    redis.call('RPUSH', free, id)
  end
end
-- One record each is kept for those that had none for long, unless they have stopped asking.
local room = redis.call('LLEN', free)
local before = now - STARVING
for _, other in ipairs(redis.call('ZRANGEBYSCORE', queue, '-inf', before, 'LIMIT', 0, 100)) do
  if other == me then break end
  if now - tonumber(redis.call('HGET', asked, other) or '0') < GONE and lives(other) then
    room = room - 1
  else
    redis.call('ZREM', queue, other)
    redis.call('HDEL', asked, other)
  end
end
local ids = {}
if room > 0 then ids = redis.call('LPOP', free, math.min(want, room)) end
if #ids == 0 then
  if when_empty ~= 'stop' then
    redis.call('ZADD', queue, 'NX', string.format('%.0f', now), me)
    redis.call('HSET', asked, me, string.format('%.0f', now))
  end
  local gone = redis.call('LLEN', used) == redis.call('HLEN', records)
  return {gone and 'used up' or 'open', {}, {}}
end
if redis.call('ZREM', queue, me) == 1 then redis.call('HDEL', asked, me) end
local things = {}
for i, id in ipairs(ids) do things[i] = source .. '\\n' .. id end
redis.call('SADD', mine, unpack(things))
redis.call('PEXPIRE', mine, LIFE)
redis.call('HINCRBY', run .. ':tally', source .. '\\nleases', #ids)
return {'open', ids, redis.call('HMGET', records, unpack(ids))}
"""

# ARGV: name, generation, source, number
HELD = """
local no = refused(ARGV[1], ARGV[2]) or late(ARGV[1], ARGV[3], ARGV[4])
if no then return no end
local ids = {}
for _, thing in ipairs(redis.call('SMEMBERS', run .. ':held:' .. ARGV[1])) do
  local source, id = string.match(thing, '^([^\\n]*)\\n(.*)$')
  if source == ARGV[3] then table.insert(ids, id) end
end
return ids
"""

# ARGV: name, generation, source, token, number of the first, then texts
PUT = """
local no = refused(ARGV[1], ARGV[2])
if no then return no end
local loading = run .. ':loading:' .. ARGV[3] .. ':' .. ARGV[4]
for i = 6, #ARGV do
  local id = string.format('%.0f', ARGV[5] + i - 6)
  redis.call('HSET', loading .. ':records', id, ARGV[i])
  redis.call('RPUSH', loading .. ':free', id)
end
redis.call('PEXPIRE', loading .. ':records', 60000)
redis.call('PEXPIRE', loading .. ':free', 60000)
"""

# ARGV: name, generation, source, token
FINISH = """
local no = refused(ARGV[1], ARGV[2])
if no then return no end
local held = redis.call('HGET', run .. ':locks', 'load ' .. ARGV[3]) or ''
local name, token, till = string.match(held, '^(.*)\\n(.*)\\n(.*)$')
local loading = run .. ':loading:' .. ARGV[3] .. ':' .. ARGV[4]
if name ~= ARGV[1] or token ~= ARGV[4] or tonumber(till) <= now then return 0 end
if redis.call('EXISTS', run .. ':records:' .. ARGV[3]) == 1 then return 0 end
if redis.call('EXISTS', loading .. ':records') == 0 then return 0 end
redis.call('RENAME', loading .. ':records', run .. ':records:' .. ARGV[3])
redis.call('RENAME', loading .. ':free', run .. ':free:' .. ARGV[3])
for _, kind in ipairs({'records', 'free', 'used', 'queue', 'asked'}) do
  keep(run .. ':' .. kind .. ':' .. ARGV[3])
end
return 1
"""

# ARGV: name, generation, counter, by
COUNT = """
local no = refused(ARGV[1], ARGV[2])
if no then return no end
if hold then return redis.error_reply('HOLD') end
return redis.call('HINCRBY', run .. ':counters', ARGV[3], ARGV[4])
"""

# ARGV: name, generation, lock, expiry
ACQUIRE = """
local no = refused(ARGV[1], ARGV[2])
if no then return no end
if hold then return redis.error_reply('HOLD') end
local held = redis.call('HGET', run .. ':locks', ARGV[3])
if held then
  local name, _, till = string.match(held, '^(.*)\\n(.*)\\n(.*)$')
  if lives(name) and tonumber(till) > now then return 0 end
end
local last = tonumber(redis.call('HGET', run, 'token') or '0')
local token = string.format('%.0f', math.max(last + 1, now))
redis.call('HSET', run, 'token', token)
local till = string.format('%.0f', now + ARGV[4])
redis.call('HSET', run .. ':locks', ARGV[3], ARGV[1] .. '\\n' .. token .. '\\n' .. till)
return tonumber(token)
"""

# ARGV: name, lock, token
RELEASE = """
local held = redis.call('HGET', run .. ':locks', ARGV[2]) or ''
local name, token = string.match(held, '^(.*)\\n(.*)\\n.*$')
if name ~= ARGV[1] or token ~= ARGV[3] then return 0 end
return redis.call('HDEL', run .. ':locks', ARGV[2])
"""

# ARGV: name, generation, group, member
ENTER = """
local no = refused(ARGV[1], ARGV[2])
if no then return no end
redis.call('HSET', run .. ':group:' .. ARGV[3], ARGV[4], ARGV[1])
keep(run .. ':group:' .. ARGV[3])
"""

# ARGV: name, group, member
WITHDRAW = """
local group = run .. ':group:' .. ARGV[2]
if redis.call('HGET', group, ARGV[3]) == ARGV[1] then redis.call('HDEL', group, ARGV[3]) end
"""

# ARGV: group
MEMBERS = """
local group, found = run .. ':group:' .. ARGV[1], {}
local all = redis.call('HGETALL', group)
for i = 1, #all, 2 do
  if lives(all[i + 1]) then table.insert(found, all[i]) else redis.call('HDEL', group, all[i]) end
end
return found
"""
