// Package health is the vocabulary of self-checks: what doctor prints.
package health

import "context"

// Check is the outcome of one check.
type Check struct {
	Name   string `json:"name"` // "state integrity"
	Status Status `json:"status"`
	Detail string `json:"detail"`        // what was found
	Fix    string `json:"fix,omitempty"` // what to do, when not OK
}

// Status is how bad it is.
type Status string

// The statuses.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Fail    Status = "fail"
)

// Checker is a part of the system that can examine itself.
type Checker interface {
	Check(ctx context.Context) []Check
}
