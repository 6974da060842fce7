# What the example programs share: settings from files, HTTP/1.1 with keep-alive, a thread each.
require 'socket'

# Each file given replaces single settings of those before it. Puppet's file comes last.
CONF = ARGV.select { |path| File.exist?(path) }.flat_map { |path| File.readlines(path) }
           .grep(/^[^#]*=/).to_h { |line| line.strip.split(/\s*=\s*/, 2) }
RELEASE = CONF.fetch('release')
HOST = Socket.gethostname
STARTED = Process.clock_gettime(Process::CLOCK_MONOTONIC)
REASONS = { 200 => 'OK', 404 => 'Not Found', 500 => 'Internal Server Error', 502 => 'Bad Gateway',
            503 => 'Service Unavailable' }.freeze

def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)

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

# Answer what comes over one connection; `respond(path, session)` returns status, body, headers.
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

def listen
  Thread.report_on_exception = false
  trap('TERM') { exit! 0 }
  server = TCPServer.new(CONF.fetch('address', '0.0.0.0'), CONF.fetch('port', '8080').to_i)
  server.listen(256)
  loop { Thread.new(server.accept) { |client| serve(client) } }
end
