package sunya

import (
	"encoding/json"
	"time"
)

// Operation is long work that a client waits for.
type Operation struct {
	Name   string // API name: apps/sunya/operations/<uuid>
	Method string // full RPC method: google.appengine.v1.Versions.CreateVersion
	Target string // resource it works on
	User   string

	Stage    string   // what is being done now: "Building"
	Warnings []string // shown to the user, never fatal
	BuildID  string   // log of the build, if it has one

	Done     bool
	Error    *OperationError // set only when Done
	Response json.RawMessage // the API's own response message, set only when Done without Error; empty stands for google.protobuf.Empty

	CreateTime time.Time
	EndTime    time.Time
}

// OperationError is how an Operation failed, as its clients see it.
type OperationError struct {
	Code    Code
	Message string
	Reason  string   // BUILD_FAILED, REVISION_NOT_READY, …; the CLI's exit code follows from it
	Logs    []string // the last lines of the log that explains it
}

// Reasons that something else follows from, such as the CLI's exit code.
const (
	ReasonBuildFailed      = "BUILD_FAILED"
	ReasonRevisionNotReady = "REVISION_NOT_READY"
	ReasonIsolation        = "ISOLATION_NOT_POSSIBLE"
	ReasonEventsTaken      = "EVENTS_DATABASE_TAKEN"
)
