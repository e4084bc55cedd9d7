// Package http1 reads and writes the heads and bodies of HTTP/1.1 messages
// (RFC 9112) in the buffer of a connection, without copying and without
// allocating.
//
// It knows the common message and nothing else. What it refuses is not thereby
// wrong: it may be a rare form, which net/http reads. What it takes, net/http
// takes too, and sees the same in it; the fuzz tests hold it to that. Requests
// are read more strictly than net/http reads them: nothing in which two servers
// could see different messages passes.
//
// Strings that come out of a Parse lie in the buffer that was parsed. They live
// as long as its bytes are left alone.
package http1
