package functions

import (
	"slices"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Defaults and limits of both generations (Cloud Functions, "Quotas").
const (
	DefaultMemory      = 256 << 20
	DefaultTimeout     = 60 * time.Second
	DefaultConcurrency = 1
	DefaultMax         = 100
	minMemory          = 128 << 20
	maxMemory          = 32 << 30
	maxTimeout         = 3600 * time.Second
	maxConcurrency     = 1000
	maxInstances       = 1000
	port               = 8080

	firstTimeout = 540 * time.Second
	firstMax     = 3000 // instances, also of a function that names no number
)

// firstMemory are the sizes that an instance of the first generation can have,
// in MiB.
var firstMemory = []int64{128, 256, 512, 1024, 2048, 4096, 8192}

// complete fills in the defaults.
func (s *Spec) complete(k Key) {
	if s.MemoryBytes == 0 {
		s.MemoryBytes = DefaultMemory
	}
	if s.CPUMillis == 0 {
		s.CPUMillis = cpuFor(s.MemoryBytes)
	}
	if s.Timeout == 0 {
		s.Timeout = DefaultTimeout
	}
	if s.Concurrency == 0 {
		s.Concurrency = DefaultConcurrency
	}
	if s.Max == 0 {
		s.Max = DefaultMax
		if s.FirstGen {
			s.Max = firstMax
		}
	}
	if s.EntryPoint == "" {
		s.EntryPoint, s.Unnamed = k.ID, true
	}
	if s.Account == "" {
		s.Account = sunya.ComputeAccount(k.Project)
		if s.FirstGen {
			s.Account = sunya.AppAccount(k.Project)
		}
	}
	s.completeTrigger(k)
}

// cpuFor is the share of a core, in thousandths, that goes with an amount of
// memory ("Memory limits", Cloud Functions).
func cpuFor(memory int64) int {
	for _, step := range []struct {
		bytes  int64
		millis int
	}{{128 << 20, 83}, {256 << 20, 167}, {512 << 20, 333}, {1 << 30, 583}, {2 << 30, 1000}, {8 << 30, 2000}, {16 << 30, 4000}} {
		if memory <= step.bytes {
			return step.millis
		}
	}
	return 8000
}

// fields are what an API calls the parts of a Spec.
type fields struct {
	runtime, source, entry, buildEnv                             string
	memory, cpu, timeout, concurrency, least, most, account, env string
}

var (
	secondFields = fields{
		runtime: "function.build_config.runtime", source: "function.build_config.source.storage_source",
		entry: "function.build_config.entry_point", buildEnv: "function.build_config.environment_variables",
		memory: "function.service_config.available_memory", cpu: "function.service_config.available_cpu",
		timeout: "function.service_config.timeout_seconds", concurrency: "function.service_config.max_instance_request_concurrency",
		least: "function.service_config.min_instance_count", most: "function.service_config.max_instance_count",
		account: "function.service_config.service_account_email", env: "function.service_config.environment_variables",
	}
	firstFields = fields{
		runtime: "function.runtime", source: "function.source_upload_url",
		entry: "function.entry_point", buildEnv: "function.build_environment_variables",
		memory: "function.available_memory_mb", cpu: "function.available_memory_mb",
		timeout: "function.timeout", concurrency: "function",
		least: "function.min_instances", most: "function.max_instances",
		account: "function.service_account_email", env: "function.environment_variables",
	}
)

func (s *Spec) fields() fields {
	if s.FirstGen {
		return firstFields
	}
	return secondFields
}

// check holds for everything that the owner says.
func (s *Spec) check() error {
	f := s.fields()
	limits := s.checkSecond
	if s.FirstGen {
		limits = s.checkFirst
	}
	if err := limits(f); err != nil {
		return err
	}
	switch {
	case s.Min > s.Max:
		return sunya.Invalid(f.least, "%d is more than %s %d", s.Min, lastPart(f.most), s.Max)
	case !s.Unnamed && !entryRE.MatchString(s.EntryPoint):
		return sunya.Invalid(f.entry, "%q is not the name of a function", s.EntryPoint)
	case !sunya.IsAccount(s.Account):
		return sunya.CheckAccount(f.account, s.Account)
	}
	if err := checkReserved(f.env, s.Env); err != nil {
		return err
	}
	if err := sunya.CheckEnv(f.env, s.Env); err != nil {
		return err
	}
	return sunya.CheckEnv(f.buildEnv, s.BuildEnv)
}

// checkSecond holds for the second generation.
func (s *Spec) checkSecond(f fields) error {
	switch {
	case s.MemoryBytes < minMemory || s.MemoryBytes > maxMemory:
		return sunya.Invalid(f.memory, "%v is not allowed: use 128Mi to 32Gi", sunya.Bytes(s.MemoryBytes))
	case s.CPUMillis < 80 || s.CPUMillis > 8000:
		return sunya.Invalid(f.cpu, "%d thousandths of a core are not allowed: use 0.08 to 8", s.CPUMillis)
	case s.Timeout < time.Second || s.Timeout > maxTimeout:
		return sunya.Invalid(f.timeout, "%v is not allowed: use 1 to 3600 seconds", s.Timeout)
	case s.Concurrency < 1 || s.Concurrency > maxConcurrency:
		return sunya.Invalid(f.concurrency, "%d is not allowed: use 1 to %d", s.Concurrency, maxConcurrency)
	case s.Concurrency > 1 && s.CPUMillis < 1000:
		return sunya.Invalid(f.concurrency, "%d requests at once need a whole CPU: set available_cpu to 1 or more", s.Concurrency)
	case s.Min < 0 || s.Min > maxInstances:
		return sunya.Invalid(f.least, "%d is not allowed: use 0 to %d", s.Min, maxInstances)
	case s.Max < 1 || s.Max > maxInstances:
		return sunya.Invalid(f.most, "%d is not allowed: use 1 to %d", s.Max, maxInstances)
	}
	return nil
}

// checkFirst holds for the first generation.
func (s *Spec) checkFirst(f fields) error {
	switch {
	case s.MemoryBytes%(1<<20) != 0 || !slices.Contains(firstMemory, s.MemoryBytes>>20):
		return sunya.Invalid(f.memory, "%v is not a size of the first generation: use 128, 256, 512, 1024, 2048, 4096 or 8192 MB", sunya.Bytes(s.MemoryBytes))
	case s.Timeout < time.Second || s.Timeout > firstTimeout:
		return sunya.Invalid(f.timeout, "%v is not allowed: use 1 to 540 seconds; the second generation has up to an hour", s.Timeout)
	case s.Concurrency != 1:
		return sunya.Invalid(f.concurrency, "an instance of the first generation takes one request at a time: use the second generation for more")
	case s.Min < 0 || s.Min > firstMax:
		return sunya.Invalid(f.least, "%d is not allowed: use 0 to %d", s.Min, firstMax)
	case s.Max < 1 || s.Max > firstMax:
		return sunya.Invalid(f.most, "%d is not allowed: use 0 to %d; 0 is the most", s.Max, firstMax)
	}
	return nil
}

// lastPart is the name of a field without what it is in.
func lastPart(field string) string { return field[strings.LastIndexByte(field, '.')+1:] }
