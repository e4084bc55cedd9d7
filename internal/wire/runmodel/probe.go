package runmodel

import (
	"time"

	"cloud.google.com/go/run/apiv2/runpb"

	"github.com/sunya-cloud/sunya"
)

// Defaults of probes (google.cloud.run.v2.Probe).
const (
	defaultPeriod   = 10
	defaultTimeout  = 1
	defaultFailures = 3
)

// defaultStartup is the startup probe that a container has which names none: it
// is ready once it listens, within 240 seconds.
func defaultStartup(port int) *runpb.Probe {
	return &runpb.Probe{
		TimeoutSeconds: 240, PeriodSeconds: 240, FailureThreshold: 1,
		ProbeType: &runpb.Probe_TcpSocket{TcpSocket: &runpb.TCPSocketAction{Port: int32(port)}},
	}
}

// probe turns a probe into the model's.
func probe(p *runpb.Probe) *sunya.Probe {
	if p == nil {
		return nil
	}
	out := &sunya.Probe{
		Delay:    time.Duration(p.GetInitialDelaySeconds()) * time.Second,
		Timeout:  seconds(p.GetTimeoutSeconds(), defaultTimeout),
		Period:   seconds(p.GetPeriodSeconds(), defaultPeriod),
		Failures: int(p.GetFailureThreshold()),
	}
	if out.Failures == 0 {
		out.Failures = defaultFailures
	}
	if h := p.GetHttpGet(); h != nil {
		out.HTTP = &sunya.HTTPProbe{Path: h.GetPath(), Port: int(h.GetPort())}
		if out.HTTP.Path == "" {
			out.HTTP.Path = "/"
		}
		for _, header := range h.GetHttpHeaders() {
			if out.HTTP.Header == nil {
				out.HTTP.Header = map[string]string{}
			}
			out.HTTP.Header[header.GetName()] = header.GetValue()
		}
	}
	if t := p.GetTcpSocket(); t != nil {
		out.TCP = &sunya.TCPProbe{Port: int(t.GetPort())}
	}
	if g := p.GetGrpc(); g != nil {
		out.GRPC = &sunya.GRPCProbe{Port: int(g.GetPort()), Service: g.GetService()}
	}
	return out
}

func seconds(n int32, def int) time.Duration {
	if n == 0 {
		return time.Duration(def) * time.Second
	}
	return time.Duration(n) * time.Second
}
