#!/usr/bin/ruby
# The example application: HTTP/1.1 with keep-alive, sessions by cookie in memory, settings in one file.
require 'socket'
require 'securerandom'

CONF = File.readlines(ARGV[0] || '/etc/shop-app/shop.conf').grep(/=/).to_h do |line|
  line.strip.split(/\s*=\s*/, 2)
end
RELEASE = CONF.fetch('release')
HOST = Socket.gethostname
STARTED = Process.clock_gettime(Process::CLOCK_MONOTONIC)
LOCK = Mutex.new
SESSIONS = {} # id => [number of requests, time of the last one]
FAIL_HEALTH_AFTER = CONF['fail_health_after']&.to_f # seconds after the start; release 1.2
ERROR_EVERY = CONF['error_every'].to_i # one request in so many is answered 500; release 1.4 ...
CROWD = CONF.fetch('crowd', '55').to_i # ... once more than this many sessions were active
CROWD_SECONDS = 2 # ... within this time
REASONS = { 200 => 'OK', 500 => 'Internal Server Error', 503 => 'Service Unavailable' }.freeze

def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

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

def page(path, cookie)
  known = cookie && LOCK.synchronize { SESSIONS.key?(cookie) }
  id = known ? cookie : SecureRandom.hex(8)
  sleep(Regexp.last_match(1).to_i / 1000.0) if path =~ /[?&]ms=(\d+)/
  number, stumbled = visit(id)
  fresh = known ? {} : { 'Set-Cookie' => "SESSIONID=#{id}; Path=/; HttpOnly" }
  return [500, "too many customers\n", {}] if stumbled

  [200, "#{HOST} #{RELEASE} #{number} #{known ? 'old' : 'new'}\n", fresh]
end

def respond(path, cookie)
  case path
  when '/health' then healthy? ? [200, "#{RELEASE}\n", {}] : [503, "#{RELEASE} has lost its stock\n", {}]
  when '/version' then [200, "#{RELEASE}\n", {}]
  else page(path, cookie)
  end
end

def read_head(client)
  request = client.gets or return
  headers = {}
  while (line = client.gets) && line != "\r\n"
    key, value = line.split(':', 2)
    headers[key.downcase] = value.to_s.strip
  end
  client.read(headers['content-length'].to_i) if headers['content-length']
  [request.split[1].to_s, headers]
end

def answer(client, status, body, headers)
  head = { 'Content-Type' => 'text/plain', 'Content-Length' => body.bytesize }.merge(headers)
  lines = head.map { |key, value| "#{key}: #{value}\r\n" }.join
  client.write("HTTP/1.1 #{status} #{REASONS[status]}\r\n#{lines}\r\n#{body}")
end

def serve(client)
  client.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
  while (path, headers = read_head(client))
    closing = headers['connection'].to_s.downcase == 'close'
    status, body, extra = respond(path, headers['cookie'].to_s[/SESSIONID=([0-9a-f]+)/, 1])
    extra = extra.merge('Connection' => 'close') if closing
    answer(client, status, body, extra)
    break if closing
  end
rescue SystemCallError, IOError
  nil # the client went away
ensure
  client.close
end

Thread.report_on_exception = false
trap('TERM') { exit! 0 }
server = TCPServer.new(CONF.fetch('address', '0.0.0.0'), CONF.fetch('port', '8080').to_i)
server.listen(256)
loop { Thread.new(server.accept) { |client| serve(client) } }
