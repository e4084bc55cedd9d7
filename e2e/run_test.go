//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	cloudrun "cloud.google.com/go/run/apiv2"
	"cloud.google.com/go/run/apiv2/runpb"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/sunya-cloud/sunya/e2e/platform"
)

const runParent = "projects/sunya/locations/local"

// runServices is the official client of a server with the image hello.
type runServices struct {
	*cloudrun.ServicesClient
	t     *testing.T
	s     *platform.Server
	image string
}

func newRunServices(t *testing.T, s *platform.Server) *runServices {
	t.Helper()
	c, err := cloudrun.NewServicesClient(t.Context(),
		option.WithEndpoint(strings.TrimPrefix(s.URL(), "http://")),
		option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	program := platform.Program(t, "./testdata/run/hello")
	s.Push(platform.Image(t, map[string][]byte{"/bin/hello": program}, v1.Config{
		Entrypoint: []string{"/bin/hello"}, Cmd: []string{"from", "the", "image"}, Env: []string{"FROM=image", "BOTH=image"}, WorkingDir: "/bin", User: "1234",
	}), "sunya/hello:v1")
	return &runServices{c, t, s, "gcr.io/sunya/hello:v1"}
}

// service is one of the image, with pairs of variables.
func (c *runServices) service(id string, env ...string) *runpb.Service {
	ctr := &runpb.Container{
		Image: c.image,
		StartupProbe: &runpb.Probe{
			TimeoutSeconds: 1, PeriodSeconds: 1, FailureThreshold: 3,
			ProbeType: &runpb.Probe_TcpSocket{TcpSocket: &runpb.TCPSocketAction{}},
		},
	}
	for i := 0; i < len(env); i += 2 {
		ctr.Env = append(ctr.Env, &runpb.EnvVar{Name: env[i], Values: &runpb.EnvVar_Value{Value: env[i+1]}})
	}
	return &runpb.Service{Name: runParent + "/services/" + id, Template: &runpb.RevisionTemplate{Containers: []*runpb.Container{ctr}}}
}

// apply makes a service what it is to be, and waits for it.
func (c *runServices) apply(s *runpb.Service, paths ...string) (*runpb.Service, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	req := &runpb.UpdateServiceRequest{Service: s, AllowMissing: true}
	if len(paths) > 0 {
		req.UpdateMask = &fieldmaskpb.FieldMask{Paths: paths}
	}
	op, err := c.UpdateService(ctx, req)
	if err != nil {
		return nil, err
	}
	return op.Wait(ctx)
}

// deploy is apply that must succeed.
func (c *runServices) deploy(s *runpb.Service, paths ...string) *runpb.Service {
	c.t.Helper()
	out, err := c.apply(s, paths...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

func (c *runServices) open(id string) {
	c.t.Helper()
	_, err := c.SetIamPolicy(c.t.Context(), &iampb.SetIamPolicyRequest{Resource: runParent + "/services/" + id, Policy: &iampb.Policy{
		Bindings: []*iampb.Binding{{Role: "roles/run.invoker", Members: []string{"allUsers"}}},
	}})
	if err != nil {
		c.t.Fatal(err)
	}
}

func short(revision string) string { return revision[strings.LastIndexByte(revision, '/')+1:] }

// target is a share of the latest revision, or of a named one.
func target(revision string, percent int32, tag string) *runpb.TrafficTarget {
	if revision == "" {
		return &runpb.TrafficTarget{Type: runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST, Percent: percent, Tag: tag}
	}
	return &runpb.TrafficTarget{Type: runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION, Revision: short(revision), Percent: percent, Tag: tag}
}

// TestRunServices deploys an image that was pushed by crane, and does with it
// what a service is for.
func TestRunServices(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	c := newRunServices(t, s)
	host := func(label string) string { return label + ".localhost:" + s.Port }
	revision := func(label string) string { return s.Get(host(label), "/revision") }

	first := c.deploy(c.service("hello", "A", "1", "BOTH", "user"))
	if code, _, err := s.Try(host("hello"), "/"); err != nil || code != http.StatusUnauthorized && code != http.StatusForbidden {
		t.Errorf("a private service answers %d, %v", code, err)
	}
	c.open("hello")
	c.contract(host("hello"), first)

	// A new revision without traffic, by its tag; then a share; then back.
	next := c.service("hello", "A", "2")
	next.Traffic = []*runpb.TrafficTarget{target(first.GetLatestReadyRevision(), 100, ""), target("", 0, "next")}
	second := c.deploy(next)
	if second.GetLatestReadyRevision() == first.GetLatestReadyRevision() {
		t.Fatal("no new revision was made")
	}
	if got := revision("hello"); got != short(first.GetLatestReadyRevision()) {
		t.Errorf("without traffic, %s serves", got)
	}
	if got := revision("next---hello"); got != short(second.GetLatestReadyRevision()) {
		t.Errorf("the tag leads to %s", got)
	}
	c.deploy(&runpb.Service{Name: first.GetName(), Traffic: []*runpb.TrafficTarget{target(first.GetLatestReadyRevision(), 50, ""), target("", 50, "")}}, "traffic")
	seen := map[string]bool{}
	for range 100 {
		if seen[revision("hello")] = true; len(seen) == 2 {
			break
		}
	}
	if len(seen) != 2 {
		t.Errorf("half and half shows %v", seen)
	}
	c.deploy(&runpb.Service{Name: first.GetName(), Traffic: []*runpb.TrafficTarget{target(first.GetLatestReadyRevision(), 100, "")}}, "traffic")
	if got := revision("hello"); got != short(first.GetLatestReadyRevision()) {
		t.Errorf("after the rollback %s serves", got)
	}
	if code, _, _ := s.Try(host("next---hello"), "/"); code != http.StatusNotFound {
		t.Errorf("a tag that was taken away answers %d", code)
	}

	// What does not start leaves what serves; what comes after it is well again.
	for mode, says := range map[string]string{"silent": "8080", "crash": "this program ends at once"} {
		bad := c.service("hello", "MODE", mode)
		bad.Traffic = []*runpb.TrafficTarget{target("", 100, "")}
		_, err := c.apply(bad)
		if err == nil || !strings.Contains(err.Error()+s.OK("logs", "--quiet").Stdout, says) {
			t.Errorf("MODE=%s: %v", mode, err)
		}
		now, err := c.GetService(t.Context(), &runpb.GetServiceRequest{Name: first.GetName()})
		if err != nil || now.GetTerminalCondition().GetState() != runpb.Condition_CONDITION_FAILED || now.GetLatestReadyRevision() != second.GetLatestReadyRevision() {
			t.Errorf("after MODE=%s: %v, %v", mode, now, err)
		}
		if got := revision("hello"); got != short(first.GetLatestReadyRevision()) {
			t.Errorf("after MODE=%s %s serves", mode, got)
		}
	}
	third := c.deploy(c.service("hello", "A", "3"))
	if got := revision("hello"); got != short(third.GetLatestReadyRevision()) {
		t.Errorf("%s serves, want the newest", got)
	}
	missing := c.service("other")
	missing.Template.Containers[0].Image = "gcr.io/sunya/missing"
	if _, err := c.apply(missing); err == nil || !strings.Contains(err.Error(), "gcr.io/sunya/missing") {
		t.Errorf("an image that does not exist: %v", err)
	}
	op, err := c.DeleteService(t.Context(), &runpb.DeleteServiceRequest{Name: first.GetName()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := op.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if code, _, _ := s.Try(host("hello"), "/"); code != http.StatusNotFound {
		t.Errorf("a deleted service answers %d", code)
	}
	s.Eventually(20*time.Second, "instances of the deleted service end", func() error {
		if left := s.Instances(); len(left) > 0 {
			return fmt.Errorf("%v", left)
		}
		return nil
	})
	s.NoOrphans()
}

// contract holds for what a program sees (contracts: the container contract).
func (c *runServices) contract(host string, svc *runpb.Service) {
	c.t.Helper()
	var got struct {
		Env  map[string]string
		Args []string
		Dir  string
		UID  int
	}
	if err := json.Unmarshal([]byte(c.s.Get(host, "/")), &got); err != nil {
		c.t.Fatal(err)
	}
	for name, want := range map[string]string{
		"PORT": "8080", "K_SERVICE": "hello", "K_CONFIGURATION": "hello", "K_REVISION": short(svc.GetLatestReadyRevision()),
		"A": "1", "FROM": "image", "BOTH": "user",
	} {
		if got.Env[name] != want {
			c.t.Errorf("%s is %q, want %q", name, got.Env[name], want)
		}
	}
	if strings.Join(got.Args, " ") != "from the image" || got.Dir != "/bin" || got.UID != 1234 {
		c.t.Errorf("arguments %q, directory %s, uid %d", got.Args, got.Dir, got.UID)
	}
}

// TestRunDeploymentSurvivesAKill kills the server while a revision is made and
// while traffic moves, and lets instances stop when nobody asks.
func TestRunDeploymentSurvivesAKill(t *testing.T) {
	t.Parallel()
	s := platform.Start(t, "--idle-timeout", "2s")
	c := newRunServices(t, s)
	host := "hello.localhost:" + s.Port
	svc := c.service("hello")
	svc.InvokerIamDisabled = true
	c.deploy(svc)
	s.Get(host, "/")
	for n := range 5 {
		next := c.service("hello", "N", fmt.Sprint(n))
		next.InvokerIamDisabled = true
		op, err := c.UpdateService(t.Context(), &runpb.UpdateServiceRequest{Service: next})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(n) * 30 * time.Millisecond) // another moment each time
		s.Kill()
		s.Up()
		done, err := c.waitAgain(op.Name())
		if err != nil {
			t.Fatalf("after kill %d: %v", n, err)
		}
		if got := s.Get(host, "/revision"); got != short(done.GetLatestReadyRevision()) || done.GetReconciling() {
			t.Errorf("after kill %d %s serves, want %s", n, got, done.GetLatestReadyRevision())
		}
	}
	s.Eventually(30*time.Second, "the service at rest has no instance", func() error {
		if left := s.Instances(); len(left) > 0 {
			return fmt.Errorf("%v", left)
		}
		return nil
	})
	s.Get(host, "/") // and comes back
	s.NoOrphans()
}

// TestRunBounds bounds the instances of a service, which makes no revision.
func TestRunBounds(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	c := newRunServices(t, s)
	svc := c.service("hello")
	svc.InvokerIamDisabled = true
	svc.Scaling = &runpb.ServiceScaling{MinInstanceCount: 2}
	revision := c.deploy(svc).GetLatestReadyRevision()
	c.count("hello", 2)
	manual := int32(0)
	none := &runpb.Service{Name: svc.GetName(), Scaling: &runpb.ServiceScaling{ScalingMode: runpb.ServiceScaling_MANUAL, ManualInstanceCount: &manual}}
	if got := c.deploy(none, "scaling").GetLatestReadyRevision(); got != revision {
		t.Errorf("scaling made the revision %s", got)
	}
	c.count("hello", 0)
	if code, _, _ := s.Try("hello.localhost:"+s.Port, "/"); code != http.StatusServiceUnavailable {
		t.Errorf("a service of no instances answers %d", code)
	}
	manual = 1
	c.deploy(none, "scaling")
	c.count("hello", 1)
}

// count waits until a service has so many instances.
func (c *runServices) count(id string, want int) {
	c.t.Helper()
	c.s.Eventually(30*time.Second, fmt.Sprintf("%s has %d instances", id, want), func() error {
		n := 0
		for _, i := range c.s.Instances() {
			if strings.Contains(i.Revision, "/services/"+id+"/") && i.State != "starting" {
				n++
			}
		}
		if n != want {
			return fmt.Errorf("it has %d: %v", n, c.s.Instances())
		}
		return nil
	})
}

// TestRunCorrectsABadDeployment deploys over one that never listens, and deletes
// another: nobody waits for four minutes.
func TestRunCorrectsABadDeployment(t *testing.T) {
	t.Parallel()
	s := platform.Start(t)
	c := newRunServices(t, s)
	bad := c.service("hello", "MODE", "silent")
	bad.InvokerIamDisabled = true
	bad.Template.Containers[0].StartupProbe = nil
	first, err := c.UpdateService(t.Context(), &runpb.UpdateServiceRequest{Service: bad, AllowMissing: true})
	if err != nil {
		t.Fatal(err)
	}
	good := c.service("hello")
	good.InvokerIamDisabled = true
	begin := time.Now()
	done := c.deploy(good)
	if got := s.Get("hello.localhost:"+s.Port, "/revision"); got != short(done.GetLatestReadyRevision()) {
		t.Errorf("%s serves", got)
	}
	if _, err := first.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "took its place") {
		t.Errorf("the first deployment: %v", err)
	}
	if _, err := c.UpdateService(t.Context(), &runpb.UpdateServiceRequest{Service: bad}); err != nil {
		t.Fatal(err)
	}
	op, err := c.DeleteService(t.Context(), &runpb.DeleteServiceRequest{Name: good.GetName()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := op.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 2*time.Minute {
		t.Errorf("it took %v", took)
	}
}

// waitAgain waits for an operation, over the server's restart.
func (c *runServices) waitAgain(name string) (*runpb.Service, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	for {
		out, err := c.UpdateServiceOperation(name).Wait(ctx)
		if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "Unavailable") {
			return out, err
		}
	}
}
