// Package pool is what a revision's instances and requests do to each other: who
// gets which slot, who waits, who is turned away, when an instance is started
// and when one is stopped. It is a state machine without goroutine, lock or
// clock: events go in, each with the moment at which it happens, and Actions
// come out. The activator drives it with real instances, the simulator with
// imagined ones.
//
// The events of a request are Take or Queue, then Release or Abandon. Those of
// an instance are Started or Failed, then Ended. Tick is called at Due. After any
// of them the caller carries out what Actions returns.
//
// What holds between two events: no instance has more requests than its
// concurrency; nobody waits while a slot is free; who waits is served in the
// order of arrival; who waits has an instance on its way, or a moment at which
// one is tried or the wait ends.
//
// An event costs the same however many instances and waiters there are (but
// those that it sets going), and allocates nothing.
package pool
