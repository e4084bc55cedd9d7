// Package http2 reads how a connection of HTTP/2 (RFC 9113) begins, to tell from
// its first request who is to serve it.
//
// Clients of gRPC send no request before they have the server's settings. So
// whoever wants to see the request has to begin the connection himself; the server
// that gets it then must not see the answer to settings that were not its own, nor
// the client a second answer to its own. That is what Acks is for.
//
// It knows what common clients send, and calls everything else odd: that is for a
// whole server to judge, which reads it from the start.
package http2
