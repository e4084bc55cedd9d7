// Package appyaml reads app.yaml, App Engine's description of one service.
//
// Every key that Google knows is known here. Keys that Sunya acts on end up in
// Config; the others are named in Config.Warnings, or refused where going on
// without them would be wrong. An unknown key is an error with the line and the
// nearest known key. Rules: reference of app.yaml for the standard environment.
package appyaml

import (
	"time"
)

// MaxBytes is the largest app.yaml that Parse reads.
const MaxBytes = 1 << 20

// Config is one parsed app.yaml.
type Config struct {
	Runtime       string // python311
	Service       string // default when the file names none
	Entrypoint    string // shell line, or empty for the runtime's default
	InstanceClass string // F1 to F4_1G or B1 to B8; empty for the default
	Main          string // Go's main package, relative
	Env           map[string]string
	BuildEnv      map[string]string

	InboundServices []string   // warmup, mail, mail_bounce, rest
	ServiceAccount  string     // e-mail address
	Connector       *Connector // vpc_access_connector

	// At most one of these is set; none stands for automatic scaling.
	Automatic *Automatic
	Basic     *Basic
	Manual    *Manual

	Handlers          []Handler // in order, the first that matches wins; none: all to the program
	ErrorHandlers     []ErrorHandler
	DefaultExpiration *time.Duration // of static files; nil: the platform's

	// Warnings name each key that was accepted and changes nothing, with its
	// line: "handlers (line 7): not supported yet; ...".
	Warnings []string
}

// Automatic is the block automatic_scaling. Zero values stand for defaults and
// for the word automatic.
type Automatic struct {
	MinInstances          int // 0 to 1000
	MaxInstances          int // 0 to 1000
	MinIdleInstances      int
	MaxIdleInstances      int
	MaxConcurrentRequests int // 1 to 1000
	MinPendingLatency     time.Duration
	MaxPendingLatency     time.Duration
	TargetCPU             float64 // 0.5 to 0.95
	TargetThroughput      float64 // 0.5 to 0.95
}

// Connector is the block vpc_access_connector.
type Connector struct {
	Name   string
	Egress string // private-ranges-only, or empty for the default
}

// Basic is the block basic_scaling.
type Basic struct {
	MaxInstances int
	IdleTimeout  time.Duration
}

// Manual is the block manual_scaling.
type Manual struct {
	Instances int
}

// Parse reads the app.yaml in data. The name is used in messages only. Errors
// are sunya.InvalidArgument, or sunya.Unimplemented for what Sunya refuses
// because going on without it would be wrong; both begin with NAME line LINE.
func Parse(name string, data []byte) (*Config, error) {
	p := &parser{file: name, cfg: &Config{Service: "default"}, lines: map[string]int{}}
	root, err := p.document(data)
	if err != nil {
		return nil, err
	}
	if err := p.mapping(root, "app.yaml", p.topLevel()); err != nil {
		return nil, err
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	return p.cfg, nil
}
