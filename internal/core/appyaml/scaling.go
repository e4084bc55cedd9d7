package appyaml

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxInstances is Google's limit for both ends of automatic scaling.
const maxInstances = 1000

func (p *parser) automaticScaling(key string, _ int, v *yaml.Node) error {
	a := &Automatic{}
	p.cfg.Automatic = a
	const latency = "0.5s, 30ms or automatic"
	return p.mapping(v, key, []field{
		{"min_instances", p.integer(&a.MinInstances, 0, maxInstances)},
		{"max_instances", p.integer(&a.MaxInstances, 0, maxInstances)},
		{"max_concurrent_requests", orAutomatic(p.integer(&a.MaxConcurrentRequests, 1, 1000))},
		{"min_idle_instances", p.noted(notYet, orAutomatic(p.integer(&a.MinIdleInstances, 0, maxInstances)))},
		{"max_idle_instances", p.noted(notYet, orAutomatic(p.integer(&a.MaxIdleInstances, 1, maxInstances)))},
		{"min_pending_latency", p.noted(notYet, orAutomatic(p.duration(&a.MinPendingLatency, " s ms ", latency)))},
		{"max_pending_latency", p.noted(notYet, orAutomatic(p.duration(&a.MaxPendingLatency, " s ms ", latency)))},
		{"target_cpu_utilization", p.noted(notYet, p.fraction(&a.TargetCPU))},
		{"target_throughput_utilization", p.fraction(&a.TargetThroughput)},
	})
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
	if a := p.cfg.Automatic; a != nil && a.MaxInstances > 0 && a.MinInstances > a.MaxInstances {
		return p.errorf(p.lines["automatic_scaling"], "min_instances (%d) is more than max_instances (%d)", a.MinInstances, a.MaxInstances)
	}
	return p.finishClass(first)
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
