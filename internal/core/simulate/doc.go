// Package simulate replays a trace in virtual time: the pool and the autoscaler
// that serve real requests, with imagined instances, requests and a clock that
// jumps from event to event. Days take seconds, and the same seed gives the same
// figures to the last digit.
//
// What is imagined: an instance boots for a time around its service's, takes a
// request at once, does not slow down when others work beside it, is frozen a
// second after its last request, thaws in a moment, and dies when the dice say so.
// The machine lets instances in by the rules of core/room, or has no
// limits.
//
// Beside the run stands the optimum (package optimum): what a platform that knows
// the future would have cost. The unfrozen instance-seconds of both are what is
// compared; Report says where the difference comes from.
package simulate
