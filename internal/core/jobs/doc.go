// Package jobs is Cloud Run jobs: programs that run to their end, once or as
// many tasks side by side. A job is described once and executed often; an
// execution has a copy of what the job said when it began.
//
// Everything that happens to a task is written down before it is done or as soon
// as it is known, so that a server that is killed at any moment goes on where it
// was: what still runs is adopted, what has ended is not run again, and what was
// lost counts as an attempt that failed.
//
// Names, limits and defaults are those of google.cloud.run.v2.
package jobs
