package run

import "time"

// Limits and defaults of services (Cloud Run, "Quotas and limits").
const (
	DefaultPort        = 8080
	DefaultTimeout     = 300 * time.Second
	maxTimeout         = 3600 * time.Second
	DefaultConcurrency = 80 // with a whole CPU; else 1
	maxConcurrency     = 1000
	DefaultMax         = 100
	maxInstances       = 1000
	maxRevisions       = 1000 // of a service; the oldest that do not serve go
	maxTags            = 2000
	maxDescription     = 512
)
