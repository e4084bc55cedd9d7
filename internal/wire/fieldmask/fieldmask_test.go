package fieldmask_test

import (
	"testing"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/wire/fieldmask"
)

func TestPaths(t *testing.T) {
	sent := &appenginepb.Service{Id: "x", Split: &appenginepb.TrafficSplit{}}
	for _, c := range []struct {
		name string
		in   []string
		want []string
		bad  bool
	}{
		{"gcloud's comma", []string{"split", ""}, []string{"split"}, false},
		{"JSON spelling", []string{"networkSettings.ingressTrafficAllowed"}, []string{"network_settings.ingress_traffic_allowed"}, false},
		{"twice", []string{"split", "split"}, []string{"split"}, false},
		{"star", []string{"*"}, []string{"id", "split"}, false},
		{"nothing", nil, nil, false},
		{"unknown", []string{"colour"}, nil, true},
		{"unknown below", []string{"split.colour"}, nil, true},
		{"into a map", []string{"split.allocations.v1"}, nil, true},
		{"into a scalar", []string{"id.x"}, nil, true},
		{"dots", []string{".."}, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := fieldmask.Paths(&fieldmaskpb.FieldMask{Paths: c.in}, sent)
			if c.bad != (sunya.CodeOf(err) == sunya.InvalidArgument) {
				t.Errorf("err = %v", err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
		})
	}
}

func TestApply(t *testing.T) {
	now := func() *appenginepb.Service {
		return &appenginepb.Service{
			Id:     "x",
			Labels: map[string]string{"a": "1"},
			Split:  &appenginepb.TrafficSplit{ShardBy: appenginepb.TrafficSplit_IP, Allocations: map[string]float64{"v1": 1}},
		}
	}
	sent := &appenginepb.Service{Id: "y", Split: &appenginepb.TrafficSplit{Allocations: map[string]float64{"v2": 1}}}
	for _, c := range []struct {
		name  string
		paths []string
		want  func(*appenginepb.Service)
	}{
		{"message is replaced", []string{"split"}, func(s *appenginepb.Service) { s.Split = sent.Split }},
		{"map is replaced", []string{"split.allocations"}, func(s *appenginepb.Service) { s.Split.Allocations = sent.Split.Allocations }},
		{"unset clears", []string{"labels"}, func(s *appenginepb.Service) { s.Labels = nil }},
		{"unset below clears", []string{"split.shard_by"}, func(s *appenginepb.Service) { s.Split.ShardBy = 0 }},
		{"nothing", nil, func(*appenginepb.Service) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, want := now(), now()
			c.want(want)
			if err := fieldmask.Apply(got, sent, c.paths); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzPaths: a path that is accepted can be applied, and what is not is the
// client's fault.
func FuzzPaths(f *testing.F) {
	for _, p := range []string{"split", "split.allocations", "*", "labels", "networkSettings", "a..b", ""} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, path string) {
		src := &appenginepb.Service{Id: "x", Split: &appenginepb.TrafficSplit{Allocations: map[string]float64{"v": 1}}}
		paths, err := fieldmask.Paths(&fieldmaskpb.FieldMask{Paths: []string{path}}, src)
		if err != nil {
			if sunya.CodeOf(err) != sunya.InvalidArgument {
				t.Errorf("Paths(%q): %v", path, err)
			}
			return
		}
		if err := fieldmask.Apply(proto.CloneOf(src), src, paths); err != nil {
			t.Errorf("Apply(%q): %v", paths, err)
		}
	})
}
