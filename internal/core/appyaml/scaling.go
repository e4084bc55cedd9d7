package appyaml

import (
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

const (
	maxInstances = 1000         // Google's limit for both ends of automatic scaling
	noMaximum    = "2147483647" // Google's other way to say that there is none

	minLatency = 10 * time.Millisecond
	maxLatency = 15 * time.Second
)

func (p *parser) automaticScaling(key string, _ int, v *yaml.Node) error {
	a := &Automatic{}
	p.cfg.Automatic = a
	const noCPU = "stored and returned; instances are started by requests, not by their CPU time"
	return p.mapping(v, key, []field{
		{"min_instances", p.integer(&a.MinInstances, 0, maxInstances)},
		{"max_instances", orWord(noMaximum, p.integer(&a.MaxInstances, 0, maxInstances))},
		{"max_concurrent_requests", orAutomatic(p.integer(&a.MaxConcurrentRequests, 1, 1000))},
		{"min_idle_instances", orAutomatic(p.integer(&a.MinIdleInstances, 0, maxInstances))},
		{"max_idle_instances", orAutomatic(p.integer(&a.MaxIdleInstances, 1, maxInstances))},
		{"min_pending_latency", orAutomatic(p.latency(&a.MinPendingLatency))},
		{"max_pending_latency", orAutomatic(p.latency(&a.MaxPendingLatency))},
		{"target_cpu_utilization", p.noted(noCPU, p.fraction(&a.TargetCPU))},
		{"target_throughput_utilization", p.fraction(&a.TargetThroughput)},
	})
}

// latency stores how long requests may wait.
func (p *parser) latency(dst *time.Duration) func(string, int, *yaml.Node) error {
	next := p.duration(dst, " s ms ", "0.5s, 30ms or automatic")
	return func(key string, line int, v *yaml.Node) error {
		if err := next(key, line, v); err != nil {
			return err
		}
		if *dst < minLatency || *dst > maxLatency {
			return p.errorf(line, "%s: %q is not allowed: use a time from 0.01s to 15s", key, v.Value)
		}
		return nil
	}
}

func (p *parser) basicScaling(key string, line int, v *yaml.Node) error {
	b := &Basic{}
	p.cfg.Basic = b
	err := p.mapping(v, key, []field{
		{"max_instances", p.integer(&b.MaxInstances, 1, maxInstances)},
		{"idle_timeout", p.duration(&b.IdleTimeout, " s m ", "10m or 90s")},
	})
	if err == nil && b.MaxInstances == 0 {
		err = p.errorf(line, "%s needs max_instances", key)
	}
	return err
}

func (p *parser) manualScaling(key string, line int, v *yaml.Node) error {
	m := &Manual{}
	p.cfg.Manual = m
	err := p.mapping(v, key, []field{{"instances", p.integer(&m.Instances, 1, maxInstances)}})
	if err == nil && m.Instances == 0 {
		err = p.errorf(line, "%s needs instances", key)
	}
	return err
}

// finishScaling checks that there is one scaling block, that its bounds are in
// order and that the instance class is of its kind.
func (p *parser) finishScaling() error {
	first := ""
	for _, key := range []string{"automatic_scaling", "basic_scaling", "manual_scaling"} {
		if p.lines[key] == 0 {
			continue
		}
		if first != "" {
			return p.errorf(max(p.lines[first], p.lines[key]), "%s and %s cannot both be set: keep one", first, key)
		}
		first = key
	}
	if a := p.cfg.Automatic; a != nil {
		if err := p.finishAutomatic(a); err != nil {
			return err
		}
	}
	return p.finishClass(first)
}

// finishAutomatic checks that upper bounds, where there are any, are not below
// the lower ones.
func (p *parser) finishAutomatic(a *Automatic) error {
	for _, b := range []struct {
		what      string
		low, high int64
		show      func(int64) any
	}{
		{"instances", int64(a.MinInstances), int64(a.MaxInstances), func(n int64) any { return n }},
		{"idle_instances", int64(a.MinIdleInstances), int64(a.MaxIdleInstances), func(n int64) any { return n }},
		{"pending_latency", int64(a.MinPendingLatency), int64(a.MaxPendingLatency), func(n int64) any { return time.Duration(n) }},
	} {
		if b.high > 0 && b.low > b.high {
			return p.errorf(p.lines["automatic_scaling"], "min_%s (%v) is more than max_%s (%v)", b.what, b.show(b.low), b.what, b.show(b.high))
		}
	}
	return nil
}

func (p *parser) finishClass(block string) error {
	class := p.cfg.InstanceClass
	fixed := block == "basic_scaling" || block == "manual_scaling"
	switch {
	case fixed && strings.HasPrefix(class, "F"):
		return p.errorf(p.lines["instance_class"], "instance_class %s is for automatic scaling: with %s use B1, B2, B4, B4_1G or B8", class, block)
	case !fixed && strings.HasPrefix(class, "B"):
		return p.errorf(p.lines["instance_class"], "instance_class %s is for basic and manual scaling: use F1, F2, F4 or F4_1G", class)
	}
	return nil
}
