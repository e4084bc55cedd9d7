// Package instance keeps the running sandboxes of revisions: it starts,
// freezes, thaws, drains and stops them, and carries their output to the log.
package instance
