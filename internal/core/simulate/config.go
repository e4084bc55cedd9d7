package simulate

import (
	"cmp"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/autoscale"
	"github.com/sunya-cloud/sunya/internal/core/pool"
)

// Config is what all services have in common. Zero values are the defaults named.
type Config struct {
	Concurrency  int           // requests at once in an instance; 1
	MaxInstances int           // of a service; 20
	TargetUtil   float64       // share of Concurrency at which another is wanted; 1
	Idle         time.Duration // from an instance's last request to its stop; 15 min
	MaxQueue     int           // requests of a service that wait; 1000
	QueueTimeout time.Duration // longest wait while all instances are busy; 1 min
	StartLimit   time.Duration // longest wait while one boots; 4 min 15 s

	FreezeAfter time.Duration // from an instance's last request to its freeze; as freeze.Patience
	Thaw        time.Duration // what a request waits for a frozen instance; 1.5 ms
	Attempts    int           // times a request that is safe to repeat is sent; 3

	Kills   float64 // deaths in an hour that an instance lives; 0: none
	Machine Machine
	Seed    uint64
}

// Machine is where the instances are. Zero is no limit.
type Machine struct {
	Cores       int   // how many instances boot at once depends on them
	MemoryBytes int64 // of all instances, frozen ones too
}

func (c Config) withDefaults() Config {
	c.Concurrency = max(c.Concurrency, 1)
	c.MaxInstances = cmp.Or(c.MaxInstances, 20)
	c.Idle = cmp.Or(c.Idle, 15*time.Minute)
	c.MaxQueue = cmp.Or(c.MaxQueue, 1000)
	c.QueueTimeout = cmp.Or(c.QueueTimeout, time.Minute)
	c.StartLimit = cmp.Or(c.StartLimit, 4*time.Minute+15*time.Second)
	c.Thaw = cmp.Or(c.Thaw, 1500*time.Microsecond)
	c.Attempts = cmp.Or(c.Attempts, 3)
	return c
}

// pool is what the pool of each service is told.
func (c Config) pool() pool.Config {
	return pool.Config{
		Policy: autoscale.Policy{
			Concurrency: c.Concurrency,
			TargetUtil:  c.TargetUtil,
			Max:         c.MaxInstances,
			Idle:        c.Idle,
		},
		MaxQueue:     c.MaxQueue,
		QueueTimeout: c.QueueTimeout,
		StartLimit:   c.StartLimit,
	}
}
