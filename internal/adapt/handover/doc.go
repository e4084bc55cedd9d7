// Package handover is how one server gives its place to the next, on the same
// data directory, without a moment in which nobody serves.
//
// The server that runs has a Desk: a socket in the data directory on which only
// its own user and root are heard. The next server asks there (Ask), gets the
// listening sockets, and makes ready what it can beside the other one. Then it
// says that it is ready (Take): the old server stops accepting, so that new
// connections wait in the kernel's queue, and gives up what only one can have.
// When the new one serves (Serving), the old one finishes the requests that it
// has, and says which instances these are in. A successor that goes away before
// that leaves everything with the old server, which goes on as if nothing had
// been.
//
// The listening sockets and the lock of the data directory are passed on as
// descriptors: both servers hold them for a while, so that a server which is
// killed at any moment takes neither along.
package handover
