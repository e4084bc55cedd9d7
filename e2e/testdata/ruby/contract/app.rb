# Answers what the contract of every language asks: see e2e/languages_test.go.
require "json"
require "socket"

GREETING = "Hello World!"

def attempt(path)
  File.write(path, "x")
  "written"
rescue SystemCallError => e
  "refused: #{e.message}"
end

def answer(path)
  case path
  when "/env" then ENV.to_h.to_json
  when "/disk" then { app: attempt("x"), tmp: attempt("/tmp/x") }.to_json
  else GREETING
  end
end

trap("TERM") do
  $stdout.write("SIGTERM received\n")
  $stdout.flush
  exit!
end

server = TCPServer.new(ENV["PORT"].to_i)
loop do
  Thread.start(server.accept) do |client|
    path = client.gets.to_s.split[1]
    nil until client.gets.to_s.strip.empty?
    body = answer(path)
    client.write "HTTP/1.1 200 OK\r\nContent-Length: #{body.bytesize}\r\nConnection: close\r\n\r\n#{body}"
    client.close
  end
end
