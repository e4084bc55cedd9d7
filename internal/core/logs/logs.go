// Package logs is the log entries of instances, requests and builds: how lines
// become entries, how entries are filtered, and who is following them.
package logs

import (
	"context"
	"encoding/json"
	"time"
)

// Entry is one log entry, in Cloud Logging's terms.
type Entry struct {
	LogName       string // projects/P/logs/stdout, escaped as Cloud Logging does
	InsertID      string // unique within the project; orders entries of one instant
	Timestamp     time.Time
	ReceiveTime   time.Time
	Severity      Severity
	Resource      Resource
	Labels        map[string]string
	Text          string          // textPayload, or
	JSON          json.RawMessage // jsonPayload
	HTTP          *HTTPRequest
	Trace, SpanID string
	TraceSampled  bool
	Operation     *Operation
	Source        *SourceLocation
	Split         *Split
}

// Split says which part of a larger entry this one is; whoever wrote it cut it.
type Split struct {
	UID   string `json:"uid,omitempty"`
	Index int    `json:"index,omitempty"`
	Total int    `json:"totalSplits,omitempty"`
}

// Operation groups the entries of one long-running thing.
type Operation struct {
	ID       string `json:"id,omitempty"`
	Producer string `json:"producer,omitempty"`
	First    bool   `json:"first,omitempty"`
	Last     bool   `json:"last,omitempty"`
}

// SourceLocation is the place in the program that wrote an entry.
type SourceLocation struct {
	File     string `json:"file,omitempty"`
	Line     int64  `json:"line,omitempty,string"`
	Function string `json:"function,omitempty"`
}

// Resource is the monitored resource an entry is about.
type Resource struct {
	Type   string // gae_app, cloud_run_revision, build
	Labels map[string]string
}

// HTTPRequest is the request that an entry describes.
type HTTPRequest struct {
	Method       string        `json:"requestMethod,omitempty"`
	URL          string        `json:"requestUrl,omitempty"`
	RequestSize  int64         `json:"requestSize,omitempty,string"`
	Status       int           `json:"status,omitempty"`
	ResponseSize int64         `json:"responseSize,omitempty,string"`
	UserAgent    string        `json:"userAgent,omitempty"`
	RemoteIP     string        `json:"remoteIp,omitempty"`
	Referer      string        `json:"referer,omitempty"`
	Latency      time.Duration `json:"latency,omitempty"`
	Protocol     string        `json:"protocol,omitempty"`
	ServerIP     string        `json:"serverIp,omitempty"`
	Cache        *CacheUse     `json:"cache,omitempty"`
}

// CacheUse is what a cache did for a request.
type CacheUse struct {
	Lookup    bool  `json:"cacheLookup,omitempty"`
	Hit       bool  `json:"cacheHit,omitempty"`
	Validated bool  `json:"cacheValidatedWithOriginServer,omitempty"`
	FillBytes int64 `json:"cacheFillBytes,omitempty,string"`
}

// Severity is a level of google.logging.type.LogSeverity, with its numbers.
type Severity int

// The severities.
const (
	Default   Severity = 0
	Debug     Severity = 100
	Info      Severity = 200
	Notice    Severity = 300
	Warning   Severity = 400
	Error     Severity = 500
	Critical  Severity = 600
	Alert     Severity = 700
	Emergency Severity = 800
)

// Store keeps entries for as long as its retention says.
type Store interface {
	// Append keeps all of it or nothing.
	Append(ctx context.Context, entries []Entry, packs []Pack) error
	Query(ctx context.Context, q Query) ([]Entry, error)
}

// Directory is what a store knows about its logs as wholes.
type Directory interface {
	// Logs returns the names of the logs of projects that hold entries, sorted.
	Logs(ctx context.Context, projects []string) ([]string, error)
	// DeleteLog removes the entries of one log with a timestamp before t and
	// says how many there were. A log without entries is not an error.
	DeleteLog(ctx context.Context, logName string, t time.Time) (int64, error)
}

// Query selects entries. The zero value of a field does not restrict.
type Query struct {
	Projects     []string
	LogNames     []string
	Resource     Resource // type and labels that must be equal
	Labels       map[string]string
	Since, Until time.Time // inclusive, exclusive
	MinSeverity  Severity
	Match        func(*Entry) bool // what the store cannot decide itself
	Newest       bool              // newest first
	After        Cursor            // continue behind this entry
	Limit        int
	MaxBytes     int64 // stop behind the entry that reaches this size (Entry.Size)
}

// Cursor is a place in the order of entries.
type Cursor struct {
	Timestamp time.Time
	InsertID  string
}

// Sink takes entries. Write never blocks the caller on the disk.
type Sink interface {
	Write(entries ...Entry)
}
