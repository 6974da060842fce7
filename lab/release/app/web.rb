#!/usr/bin/ruby
# The example applications `shop` and `accounts`: sessions by cookie, kept in memory.
require_relative 'http'
require 'net/http'
require 'securerandom'

LOCK = Mutex.new
SESSIONS = {} # id => [number of requests, time of the last one]
FAIL_HEALTH_AFTER = CONF['fail_health_after']&.to_f # seconds after the start; release 1.2
ERROR_EVERY = CONF['error_every'].to_i # one request in so many is answered 500; release 1.4 ...
CROWD = CONF.fetch('crowd', '62').to_i # ... once more than this many sessions were active
CROWD_SECONDS = 2 # ... within this time
# Who is asked about each new session; empty, as in the package: nobody.
ACCOUNTS = CONF['accounts_url'].to_s.empty? ? nil : URI(CONF['accounts_url'])
ACCOUNTS_PATIENCE = 5 # seconds

def healthy? = FAIL_HEALTH_AFTER.nil? || now - STARTED < FAIL_HEALTH_AFTER

# Count this request; returns its number within the session and whether the load is too much for it.
def visit(id)
  LOCK.synchronize do
    entry = (SESSIONS[id] ||= [0, 0])
    entry[0] += 1
    entry[1] = now
    [entry[0], stumbles?]
  end
end

def stumbles?
  return false if ERROR_EVERY.zero?

  @served = (@served || 0) + 1
  return false unless (@served % ERROR_EVERY).zero?

  SESSIONS.count { |_, (_, last)| now - last < CROWD_SECONDS } > CROWD
end

# Why the other service does not know the customer; nil when it does, or need not be asked.
def stranger
  return if ACCOUNTS.nil?

  limits = { open_timeout: ACCOUNTS_PATIENCE, read_timeout: ACCOUNTS_PATIENCE, max_retries: 0 }
  answer = Net::HTTP.start(ACCOUNTS.host, ACCOUNTS.port, nil, limits) { |http| http.get(ACCOUNTS.request_uri) }
  answer.is_a?(Net::HTTPOK) ? nil : "accounts answered #{answer.code}"
rescue SystemCallError, SocketError, IOError, Timeout::Error, Net::ProtocolError, Net::HTTPBadResponse => e
  "accounts did not answer: #{e.class}"
end

def page(path, cookie)
  known = cookie && LOCK.synchronize { SESSIONS.key?(cookie) }
  id = known ? cookie : SecureRandom.hex(8)
  sleep(Regexp.last_match(1).to_i / 1000.0) if path =~ /[?&]ms=(\d+)/
  # 502 and not 500: the balancer asks again after a 500, and would hide it.
  reason = known ? nil : stranger
  return [502, "#{reason}\n", {}] if reason

  number, stumbled = visit(id)
  fresh = known ? {} : { 'Set-Cookie' => "SESSIONID=#{id}; Path=/; HttpOnly" }
  return [500, "too many customers\n", {}] if stumbled

  [200, "#{HOST} #{RELEASE} #{number} #{known ? 'old' : 'new'}\n", fresh]
end

def respond(path, cookie)
  case path
  when '/health' then healthy? ? [200, "#{RELEASE}\n", {}] : [503, "#{RELEASE} has lost its stock\n", {}]
  when '/version' then [200, "#{RELEASE}\n", {}]
  when '/account' then [200, "#{HOST} #{RELEASE}\n", {}] # what other services ask; no session
  else page(path, cookie)
  end
end

listen
