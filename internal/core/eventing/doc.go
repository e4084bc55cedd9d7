// Package eventing is what makes a function run because something happened:
// triggers, the sources of events, and the deliveries.
//
// An event source writes to a topic, and a trigger is a pushing subscription on
// it: durability, leases, backoff and dead letters are Pub/Sub's. This package
// knows how a message of a source becomes an event, in which form its
// destination takes events, what becomes of a delivery, and keeps the events
// that came to nothing, so that they can be seen and delivered again.
//
// A new source is one file: a type that implements Source, and a line where the
// server is put together.
package eventing
