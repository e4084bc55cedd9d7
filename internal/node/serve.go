package node

import (
	"io"
	"log/slog"
	"maps"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/hostload"
	"github.com/sunya-cloud/sunya/internal/adapt/hoststack"
	"github.com/sunya-cloud/sunya/internal/adapt/linuxns"
	"github.com/sunya-cloud/sunya/internal/core/activator"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
	"github.com/sunya-cloud/sunya/internal/core/gateway"
	"github.com/sunya-cloud/sunya/internal/core/identity"
	"github.com/sunya-cloud/sunya/internal/core/instance"
	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/core/metrics"
	"github.com/sunya-cloud/sunya/internal/core/requestlog"
	"github.com/sunya-cloud/sunya/internal/core/served"
	"github.com/sunya-cloud/sunya/internal/core/serving"
	"github.com/sunya-cloud/sunya/internal/core/static"
)

// serve is the request path and the life of instances.
type serve struct {
	hub       *logs.Hub
	metrics   *metrics.Registry
	catalog   *serving.Catalog
	instances *instance.Manager
	activator *activator.Activator
	gateway   *gateway.Gateway
	output    *outlet // of all programs
}

// crowded reports whether there is swap, and less than half of the memory left.
func crowded() func() bool {
	r := hostload.New()
	total := r.Total()
	return func() bool { return hoststack.Swap() > 0 && r.Look().Free < total/2 }
}

func newServe(cfg Config, m *machine, st *storage, tokens *identity.Tokens, log *slog.Logger) *serve {
	s := &serve{
		hub:     logs.NewHub(st.logs, time.Now, log, logs.HubOptions{}),
		catalog: serving.NewCatalog(st.state),
		metrics: metrics.New(time.Now),
		output:  newOutlet(),
	}
	requests := requestlog.New(logNamer(requestLog), s.hub.Wake)
	s.hub.SetBacklog(requests)
	s.instances = instance.New(instance.Parts{
		Engine:     m.engine,
		Layers:     st.layers,
		Directory:  s.catalog,
		Output:     collect(s.hub, s.output),
		Sink:       s.hub,
		LogName:    logNamer(systemLog),
		Registrar:  served.Registrars{s.metrics, st.meter},
		CheckImage: m.checkImage,
		Crowded:    crowded(),
		Ask:        linuxns.Ask,
		Now:        time.Now,
		Log:        log,
	})
	load := hostload.New()
	s.activator = activator.New(s.instances, activator.Options{
		Idle:      cfg.IdleTimeout,
		Machine:   load.Look,
		MaxMemory: cfg.MaxMemory,
		Reserve:   max(load.Total()/reservedPart, leastReserved),
	}, time.Now, log)
	s.metrics.SetWorld(s.activator)
	s.catalog.Watch(s.reached)
	s.catalog.WatchBounds(s.activator.Bound)
	s.gateway = gateway.New(gateway.Parts{
		Catalog:    s.catalog,
		Slots:      s.activator,
		Verifier:   tokens,
		Sites:      static.NewSites(st.layers.Path),
		Decorators: map[sunya.Product]gateway.Decorator{sunya.AppEngine: appengine.Headers{}},
		Observer:   served.All{requests, s.metrics, st.meter},
		Now:        time.Now,
		Log:        log,
	}, gateway.Options{
		Domains:        []string{cfg.Domain},
		TrustedProxies: cfg.TrustedProxies,
		HTTPSPort:      m.port(true),
		HTTPPort:       m.port(false),
	})
	m.callers.named.Store(s.gateway)
	return s
}

// What stays free of the machine's memory, for instances that grow and for
// everything else on it.
const (
	reservedPart  = 20 // one part of so many
	leastReserved = 128 << 20
)

// reached tells the activator how requests get to a revision.
func (s *serve) reached(rev *sunya.Revision, how serving.Reach) {
	switch how {
	case serving.ByTraffic:
		s.activator.Warm(rev)
	case serving.ByHost:
		s.activator.Cool(rev)
	default:
		s.activator.Drain(rev)
	}
}

// collect carries what instances print into the log. The streams of one share
// its limit.
func collect(sink logs.Sink, out *outlet) instance.Output {
	return func(rev *sunya.Revision, id, container string) func(string, io.ReadCloser) {
		limiter := logs.NewLimiter()
		return func(stream string, r io.ReadCloser) {
			defer r.Close()
			names := logsOf(rev)
			labels := map[string]string{"clone_id": id}
			if container != "" {
				labels["container_name"] = container
			}
			maps.Copy(labels, names.labels)
			out.carry(r, func() *logs.Collector {
				return logs.NewCollector(sink, logs.Meta{
					LogName:  logs.LogName(rev.Project, names.stream(stream)),
					Resource: names.resource(rev),
					Labels:   labels,
					Limiter:  limiter,
				}, time.Now)
			})
		}
	}
}

// checkImage refuses an image that was built on a runtime which is no longer
// on this machine.
func (m *machine) checkImage(img sunya.Image) error {
	if img.Stack != sunya.HostStack || img.Fingerprint == "" || m.host.Has(img.Fingerprint) {
		return nil
	}
	return sunya.Errorf(sunya.FailedPrecondition, "", "this was built with %s, which is no longer on this machine: deploy it again", img.Runtime)
}
