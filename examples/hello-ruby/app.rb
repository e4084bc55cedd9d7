require "socket"

server = TCPServer.new(ENV["PORT"].to_i)

loop do
  Thread.start(server.accept) do |client|
    nil until client.gets.to_s.strip.empty? # the request's head
    body = "Hello World!\n"
    client.write "HTTP/1.1 200 OK\r\nContent-Length: #{body.bytesize}\r\nConnection: close\r\n\r\n#{body}"
    client.close
  end
end
