// Package http2 reads how a connection of HTTP/2 (RFC 9113) begins, to tell from
// its first request who is to serve it.
//
// Clients of gRPC send no request before they have the server's settings. So
// whoever wants to see the request has to begin the connection himself, with the
// settings of the server that will get it; what that says at its own beginning must
// not reach the client a second time. That is what Drop is for.
//
// It knows what common clients send, and calls everything else odd: that is for a
// whole server to judge, which reads it from the start.
package http2
