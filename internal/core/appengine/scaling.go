package appengine

import (
	"cmp"
	"time"

	"github.com/sunya-cloud/sunya"
)

// class is what an instance class stands for.
type class struct {
	memoryMB  int
	cpuMillis int // the documented CPU limit, 600 MHz and so on, as a share of a core
	automatic bool
}

// classes is the table of the second-generation runtimes
// (cloud.google.com/appengine/docs/standard, "Instance classes").
func classes() map[string]class {
	return map[string]class{
		"F1":    {384, 600, true},
		"F2":    {768, 1200, true},
		"F4":    {1536, 2400, true},
		"F4_1G": {3072, 2400, true},
		"B1":    {384, 600, false},
		"B2":    {768, 1200, false},
		"B4":    {1536, 2400, false},
		"B4_1G": {3072, 2400, false},
		"B8":    {3072, 4800, false},
	}
}

// DefaultClass returns the class of a version that names none.
func DefaultClass(s Scaling) string {
	if s.Basic != nil || s.Manual != nil {
		return "B1"
	}
	return "F1"
}

func classOf(name string, s Scaling) (class, error) {
	c, ok := classes()[name]
	if !ok {
		return class{}, sunya.Invalid("version.instanceClass", "%q is not an instance class: use F1, F2, F4, F4_1G with automatic scaling, B1, B2, B4, B4_1G, B8 with basic or manual scaling", name)
	}
	automatic := s.Basic == nil && s.Manual == nil
	switch {
	case automatic && !c.automatic:
		return class{}, sunya.Invalid("version.instanceClass", "%s is for basic and manual scaling: use F1, F2, F4 or F4_1G", name)
	case !automatic && c.automatic:
		return class{}, sunya.Invalid("version.instanceClass", "%s is for automatic scaling: use B1, B2, B4, B4_1G or B8", name)
	}
	return c, nil
}

// Defaults and bounds of app.yaml's scaling keys.
const (
	maxInstances        = 1000       // min_instances, max_instances
	noMaxInstances      = 2147483647 // how the API says "no maximum"
	maxConcurrency      = 1000       // max_concurrent_requests
	defaultConcurrency  = 10
	defaultUtilization  = 0.6 // target_throughput_utilization
	defaultBasicIdle    = 5 * time.Minute
	requestTimeout      = 10 * time.Minute // automatic scaling
	longRequestTimeout  = 24 * time.Hour   // basic and manual scaling
	minUtil, maxUtil    = 0.5, 0.95
	minPending          = 10 * time.Millisecond // min_pending_latency, max_pending_latency
	maxPending          = 15 * time.Second
	maxBasicIdleTimeout = 24 * time.Hour
)

// plan is what a scaling block means for a revision.
type plan struct {
	scaling     sunya.Scaling
	concurrency int
	timeout     time.Duration
}

func (s Scaling) plan() (plan, error) {
	switch {
	case s.Basic != nil:
		return s.Basic.plan()
	case s.Manual != nil:
		return s.Manual.plan()
	case s.Automatic != nil:
		return s.Automatic.plan()
	}
	return new(AutomaticScaling).plan()
}

func (s *AutomaticScaling) plan() (plan, error) {
	if s.MaxInstances == noMaxInstances {
		s.MaxInstances = 0
	}
	err := firstError(
		within("minInstances", s.MinInstances, 0, maxInstances),
		within("maxInstances", s.MaxInstances, 0, maxInstances),
		within("minIdleInstances", s.MinIdleInstances, 0, maxInstances),
		within("maxIdleInstances", s.MaxIdleInstances, 0, maxInstances),
		within("maxConcurrentRequests", s.MaxConcurrentRequests, 0, maxConcurrency),
		inOrder("minInstances", s.MinInstances, "maxInstances", s.MaxInstances),
		inOrder("minIdleInstances", s.MinIdleInstances, "maxIdleInstances", s.MaxIdleInstances),
		latency("minPendingLatency", s.MinPendingLatency),
		latency("maxPendingLatency", s.MaxPendingLatency),
		inOrder("minPendingLatency", s.MinPendingLatency, "maxPendingLatency", s.MaxPendingLatency),
		utilization("targetThroughputUtilization", s.TargetThroughputUtilization),
		utilization("targetCpuUtilization", s.TargetCPUUtilization),
	)
	if err != nil {
		return plan{}, err
	}
	return plan{
		scaling: sunya.Scaling{
			Min:        s.MinInstances,
			Max:        s.MaxInstances,
			MinIdle:    s.MinIdleInstances,
			MaxIdle:    s.MaxIdleInstances,
			MinPending: s.MinPendingLatency,
			MaxPending: s.MaxPendingLatency,
			TargetUtil: cmp.Or(s.TargetThroughputUtilization, defaultUtilization),
		},
		concurrency: cmp.Or(s.MaxConcurrentRequests, defaultConcurrency),
		timeout:     requestTimeout,
	}, nil
}

func (s *BasicScaling) plan() (plan, error) {
	if s.MaxInstances < 1 || s.MaxInstances > maxInstances {
		return plan{}, sunya.Invalid("version.basicScaling", "maxInstances must be 1 to %d, not %d", maxInstances, s.MaxInstances)
	}
	idle := cmp.Or(s.IdleTimeout, defaultBasicIdle)
	if idle < time.Second || idle > maxBasicIdleTimeout {
		return plan{}, sunya.Invalid("version.basicScaling", "idleTimeout must be 1s to %v, not %v", maxBasicIdleTimeout, idle)
	}
	return plan{
		scaling:     sunya.Scaling{Max: s.MaxInstances, Idle: idle, NoFreeze: true},
		concurrency: defaultConcurrency,
		timeout:     longRequestTimeout,
	}, nil
}

func (s *ManualScaling) plan() (plan, error) {
	if s.Instances < 1 || s.Instances > maxInstances {
		return plan{}, sunya.Invalid("version.manualScaling", "instances must be 1 to %d, not %d", maxInstances, s.Instances)
	}
	return plan{
		scaling:     sunya.Scaling{Min: s.Instances, Max: s.Instances, Always: true, NoFreeze: true},
		concurrency: defaultConcurrency,
		timeout:     longRequestTimeout,
	}, nil
}

func within(key string, n, low, high int) error {
	if n < low || n > high {
		return sunya.Invalid("version.automaticScaling", "%s must be %d to %d, not %d", key, low, high, n)
	}
	return nil
}

// inOrder demands that the upper of two bounds, where there is one, is not below
// the lower.
func inOrder[T int | time.Duration](lowKey string, low T, highKey string, high T) error {
	if high > 0 && low > high {
		return sunya.Invalid("version.automaticScaling", "%s %v is more than %s %v", lowKey, low, highKey, high)
	}
	return nil
}

func latency(key string, d time.Duration) error {
	if d != 0 && (d < minPending || d > maxPending) {
		return sunya.Invalid("version.automaticScaling", "%s must be %v to %v, not %v", key, minPending, maxPending, d)
	}
	return nil
}

// utilization is written so that NaN is refused too.
func utilization(key string, util float64) error {
	if util != 0 && !(util >= minUtil && util <= maxUtil) {
		return sunya.Invalid("version.automaticScaling", "%s must be %v to %v, not %v", key, minUtil, maxUtil, util)
	}
	return nil
}

// firstError returns the first error that is not nil.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
