package runv1

import (
	"cloud.google.com/go/run/apiv2/runpb"
	knative "google.golang.org/api/run/v1"

	"github.com/sunya-cloud/sunya"
)

func decodeProbe(field string, p *knative.Probe) (*runpb.Probe, error) {
	if p == nil {
		return nil, nil
	}
	ways := 0
	for _, given := range []bool{p.HttpGet != nil, p.TcpSocket != nil, p.Grpc != nil, p.Exec != nil} {
		if given {
			ways++
		}
	}
	switch {
	case p.Exec != nil:
		return nil, unimplemented(field+".exec", "is not supported, as in Cloud Run: use httpGet, tcpSocket or grpc")
	case ways > 1:
		return nil, sunya.Invalid(field, "asks in %d ways: leave one of httpGet, tcpSocket and grpc", ways)
	case p.SuccessThreshold > 1:
		return nil, sunya.Invalid(field+".successThreshold", "%d is not allowed: use 1", p.SuccessThreshold)
	}
	out := &runpb.Probe{
		InitialDelaySeconds: small(p.InitialDelaySeconds), TimeoutSeconds: small(p.TimeoutSeconds),
		PeriodSeconds: small(p.PeriodSeconds), FailureThreshold: small(p.FailureThreshold),
	}
	switch {
	case p.HttpGet != nil:
		if p.HttpGet.Host != "" {
			return nil, unimplemented(field+".httpGet.host", "is not supported, as in Cloud Run: the container itself is asked")
		}
		get := &runpb.HTTPGetAction{Path: p.HttpGet.Path, Port: small(p.HttpGet.Port)}
		for _, h := range p.HttpGet.HttpHeaders {
			if h != nil {
				get.HttpHeaders = append(get.HttpHeaders, &runpb.HTTPHeader{Name: h.Name, Value: h.Value})
			}
		}
		out.ProbeType = &runpb.Probe_HttpGet{HttpGet: get}
	case p.TcpSocket != nil:
		out.ProbeType = &runpb.Probe_TcpSocket{TcpSocket: &runpb.TCPSocketAction{Port: small(p.TcpSocket.Port)}}
	case p.Grpc != nil:
		out.ProbeType = &runpb.Probe_Grpc{Grpc: &runpb.GRPCAction{Port: small(p.Grpc.Port), Service: p.Grpc.Service}}
	}
	return out, nil
}

func encodeProbe(p *runpb.Probe) *knative.Probe {
	if p == nil {
		return nil
	}
	out := &knative.Probe{
		InitialDelaySeconds: int64(p.GetInitialDelaySeconds()), TimeoutSeconds: int64(p.GetTimeoutSeconds()),
		PeriodSeconds: int64(p.GetPeriodSeconds()), FailureThreshold: int64(p.GetFailureThreshold()),
	}
	if get := p.GetHttpGet(); get != nil {
		out.HttpGet = &knative.HTTPGetAction{Path: get.GetPath(), Port: int64(get.GetPort())}
		for _, h := range get.GetHttpHeaders() {
			out.HttpGet.HttpHeaders = append(out.HttpGet.HttpHeaders, &knative.HTTPHeader{Name: h.GetName(), Value: h.GetValue()})
		}
	}
	if tcp := p.GetTcpSocket(); tcp != nil {
		out.TcpSocket = &knative.TCPSocketAction{Port: int64(tcp.GetPort())}
	}
	if g := p.GetGrpc(); g != nil {
		out.Grpc = &knative.GRPCAction{Port: int64(g.GetPort()), Service: g.GetService()}
	}
	return out
}
