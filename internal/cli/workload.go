package cli

import (
	"time"

	"github.com/spf13/pflag"
)

// machineFlags are what functions, services and jobs say about one container.
type machineFlags struct {
	memory, cpu string // empty: not given
	env         mapFlags
}

// registerMachine adds the flags; to says whose they are when one is met on the
// command line. The texts say which values go without a flag.
func registerMachine(fs *pflag.FlagSet, memory, cpu string, to func() *machineFlags) {
	textFlag(fs, "memory", "memory of an instance, such as "+memory, func(v string) error { to().memory = v; return nil })
	textFlag(fs, "cpu", "CPUs of an instance, such as "+cpu, func(v string) error { to().cpu = v; return nil })
	env := func() *mapFlags { return &to().env }
	registerMap(fs, "env-vars", "environment variables", env)
	registerMapFile(fs, "env-vars", "environment variables", env)
}

// servingFlags are what functions and services say about how they serve. What
// was given is asked of the flag set: 0 is a value.
type servingFlags struct {
	timeout                                 time.Duration
	concurrency, minInstances, maxInstances int
	account                                 string
	labels                                  mapFlags
}

// register adds the flags. The texts say which values go without a flag.
func (s *servingFlags) register(fs *pflag.FlagSet, timeout, concurrency string) {
	fs.Var(setter{"duration", func(v string) (err error) { s.timeout, err = parseTimeout(v); return err }}, "timeout", "longest time of a request, such as "+timeout)
	countFlag(fs, "concurrency", "requests that one instance takes at once "+concurrency, 1, func(n int) { s.concurrency = n })
	countFlag(fs, "min-instances", "instances that are kept ready", 0, func(n int) { s.minInstances = n })
	countFlag(fs, "max-instances", "most instances (default 100)", 1, func(n int) { s.maxInstances = n })
	textFlag(fs, "service-account", "whose tokens it gets (default: the compute account)", func(v string) error { s.account = v; return nil })
	registerMap(fs, "labels", "labels", func() *mapFlags { return &s.labels })
	hide(fs, "set-labels", "update-labels")
}

// parseTimeout reads seconds without a unit, or a duration: 300, 90s, 5m.
func parseTimeout(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if secs, isNumber := wholeNumber(s); err != nil && isNumber && secs <= maxCount {
		d, err = time.Duration(secs)*time.Second, nil
	}
	if err != nil || d < time.Second {
		return 0, usagef("%q is not allowed: use seconds, such as 60, or a duration such as 5m", s)
	}
	return d, nil
}

// accessFlag registers the flag that lets everybody in.
func accessFlag(fs *pflag.FlagSet, open *bool) {
	boolFlag(fs, open, "allow-unauthenticated", false, "let everybody call it")
}
