package cli

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// runOptions are the flags of run deploy and run services update.
type runOptions struct {
	servingFlags
	containers containerSet
	volumes    volumeFlags
	drop       []string // containers to take away
	suffix     string
	tag        string
	noTraffic  bool
	async      bool
	changes    []serviceChange

	given func(flag string) bool
}

// serviceChange is what one flag does to a service.
type serviceChange struct {
	path string // what it changes, as an update mask has it
	do   func(*runpb.Service)
}

func (o *runOptions) change(path string, do func(*runpb.Service)) {
	o.changes = append(o.changes, serviceChange{path, do})
}

// register adds the flags.
func (o *runOptions) register(fs *pflag.FlagSet) {
	o.servingFlags.register(fs, "300 (the default) or 5m", "(default 80)")
	pairsFlag(fs, "labels", "labels to add or change", func(v map[string]string) { o.labels.update = added(o.labels.update, v) })
	registerContainer(fs, &o.containers)
	registerServing(fs, &o.containers)
	o.volumes.register(fs)
	listFlag(fs, "remove-containers", "containers to take away: NAME,…", func(v []string) { o.drop = append(o.drop, v...) })
	fs.StringVar(&o.suffix, "revision-suffix", "", "end of the new revision's name")
	fs.StringVar(&o.tag, "tag", "", "name of a URL for the new revision alone")
	fs.BoolVar(&o.noTraffic, "no-traffic", false, "send the new revision no traffic")
	fs.BoolVar(&o.async, "async", false, "do not wait until it serves")
	o.registerService(fs)
	registerRefused(fs)
	hide(fs, "labels", "remove-containers", "revision-suffix", "async", "session-affinity")
}

// registerService adds the flags that change the service and not what its
// containers are.
func (o *runOptions) registerService(fs *pflag.FlagSet) {
	o.enum(fs, "ingress", "from where it is reached: all, internal or internal-and-cloud-load-balancing", map[string]func(*runpb.Service){
		"all":      func(s *runpb.Service) { s.Ingress = runpb.IngressTraffic_INGRESS_TRAFFIC_ALL },
		"internal": func(s *runpb.Service) { s.Ingress = runpb.IngressTraffic_INGRESS_TRAFFIC_INTERNAL_ONLY },
		"internal-and-cloud-load-balancing": func(s *runpb.Service) {
			s.Ingress = runpb.IngressTraffic_INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER
		},
	}, "ingress")
	o.enum(fs, "execution-environment", "gen1 or gen2; here they are the same", map[string]func(*runpb.Service){
		"gen1": func(s *runpb.Service) {
			s.Template.ExecutionEnvironment = runpb.ExecutionEnvironment_EXECUTION_ENVIRONMENT_GEN1
		},
		"gen2": func(s *runpb.Service) {
			s.Template.ExecutionEnvironment = runpb.ExecutionEnvironment_EXECUTION_ENVIRONMENT_GEN2
		},
	}, "template")
	switchFlag(fs, "session-affinity", "keep a client on one instance", func(yes bool) {
		o.change("template", func(s *runpb.Service) { s.Template.SessionAffinity = yes })
	})
	switchFlag(fs, "deploy-health-check", "start an instance to prove a new revision (the default)", func(yes bool) {
		o.change("template", func(s *runpb.Service) { s.Template.HealthCheckDisabled = !yes })
	})
	switchFlag(fs, "default-url", "answer under the service's own URL (the default)", func(yes bool) {
		o.change("default_uri_disabled", func(s *runpb.Service) { s.DefaultUriDisabled = !yes })
	})
	switchFlag(fs, "invoker-iam-check", "ask callers who they are (the default)", func(yes bool) {
		o.change("invoker_iam_disabled", func(s *runpb.Service) { s.InvokerIamDisabled = !yes })
	})
	textFlag(fs, "description", "what it is for", func(v string) error {
		o.change("description", func(s *runpb.Service) { s.Description = v })
		return nil
	})
	o.scaling(fs)
	o.audiences(fs)
	textFlag(fs, "platform", "managed; there is no other", func(v string) error {
		if v != "managed" {
			return usagef("%q is not supported: use managed, or leave it out", v)
		}
		return nil
	})
	hide(fs, "platform", "execution-environment", "deploy-health-check", "default-url", "invoker-iam-check", "description")
}

// audiences adds the flags about whom a token may be for, besides the service's
// URL.
func (o *runOptions) audiences(fs *pflag.FlagSet) {
	change := func(name, usage string, do func(now, given []string) []string) {
		listFlag(fs, name, usage, func(v []string) {
			o.change("custom_audiences", func(s *runpb.Service) { s.CustomAudiences = do(s.GetCustomAudiences(), v) })
		})
		hide(fs, name)
	}
	change("set-custom-audiences", "audiences of tokens that are accepted, too: URL,…", func(_, given []string) []string { return given })
	change("add-custom-audiences", "more of them: URL,…", func(now, given []string) []string { return append(slices.Clone(now), given...) })
	change("remove-custom-audiences", "fewer of them: URL,…", func(now, given []string) []string {
		return slices.DeleteFunc(slices.Clone(now), func(a string) bool { return slices.Contains(given, a) })
	})
	switchFlag(fs, "clear-custom-audiences", "none of them", func(yes bool) {
		if yes {
			o.change("custom_audiences", func(s *runpb.Service) { s.CustomAudiences = nil })
		}
	})
	hide(fs, "clear-custom-audiences")
}

// scaling adds the flags about the instances of all revisions together.
func (o *runOptions) scaling(fs *pflag.FlagSet) {
	bound := func(name, usage string, set func(*runpb.ServiceScaling, int32)) {
		countFlag(fs, name, usage, 0, func(n int) {
			o.change("scaling", func(s *runpb.Service) { set(scalingOf(s), int32(n)) })
		})
		fs.Lookup(name).Hidden = true
	}
	for _, name := range []string{"min", "service-min-instances"} {
		bound(name, "instances of all revisions that are kept ready", func(s *runpb.ServiceScaling, n int32) { s.MinInstanceCount = n })
	}
	for _, name := range []string{"max", "service-max-instances"} {
		bound(name, "most instances of all revisions", func(s *runpb.ServiceScaling, n int32) { s.MaxInstanceCount = n })
	}
	textFlag(fs, "scaling", "auto, or how many instances there always are", func(v string) error {
		n, err := strconv.ParseInt(v, 10, 32)
		if v != "auto" && (err != nil || n < 0) {
			return usagef("%q is not allowed: use auto, or a number of instances", v)
		}
		o.change("scaling", func(s *runpb.Service) {
			to := scalingOf(s)
			to.ScalingMode, to.ManualInstanceCount = runpb.ServiceScaling_AUTOMATIC, nil
			if v != "auto" {
				to.ScalingMode, to.ManualInstanceCount = runpb.ServiceScaling_MANUAL, proto.Int32(int32(n))
			}
		})
		return nil
	})
	hide(fs, "scaling")
}

func scalingOf(s *runpb.Service) *runpb.ServiceScaling {
	if s.GetScaling() == nil {
		s.Scaling = &runpb.ServiceScaling{}
	}
	return s.GetScaling()
}

// enum registers a flag with a few values.
func (o *runOptions) enum(fs *pflag.FlagSet, name, usage string, values map[string]func(*runpb.Service), path string) {
	textFlag(fs, name, usage, func(v string) error {
		do, ok := values[v]
		if !ok {
			return usagef("%q is not allowed: %s", v, usage)
		}
		o.change(path, do)
		return nil
	})
}

// missing are gcloud's flags for what this server does not have, and what to do
// instead.
var missing = []struct{ flags, because string }{
	{"set-secrets update-secrets remove-secrets clear-secrets", "Secret Manager is not there yet: use --set-env-vars, or --env-vars-file with a file that only you can read"},
	{"set-cloudsql-instances add-cloudsql-instances remove-cloudsql-instances clear-cloudsql-instances", "Cloud SQL is not there: connect to the database by its address"},
	{"vpc-connector clear-vpc-connector vpc-egress network subnet network-tags clear-network clear-network-tags", "there are no VPC networks: a service reaches what this machine reaches"},
	{"gpu gpu-type gpu-zonal-redundancy", "instances have no GPUs"},
	{"binary-authorization clear-binary-authorization breakglass", "Binary Authorization is not there"},
	{"key clear-key post-key-revocation-action-type encryption-key-shutdown-hours", "there are no customer managed keys: encrypt the disk that --data is on"},
	{"base-image clear-base-image automatic-updates", "images are not rebuilt by themselves: deploy again"},
	{"readiness-probe", "readiness probes are not supported yet: use --startup-probe and --liveness-probe"},
	{"mesh iap", "it is not there"},
}

// registerRefused adds flags whose use is an error that says why.
func registerRefused(fs *pflag.FlagSet) {
	for _, r := range missing {
		for name := range strings.FieldsSeq(r.flags) {
			f := fs.VarPF(setter{"string", func(string) error { return usagef("%s", r.because) }}, name, "", "not supported")
			f.NoOptDefVal, f.Hidden = "true", true
		}
	}
}

// service is what the flags make of a service, which stays as it is, and the
// paths of what they change. old is nil for a new one.
func (o *runOptions) service(env *Env, id string, old *runpb.Service) (*runpb.Service, []string, error) {
	s := proto.CloneOf(old)
	if s == nil {
		s = &runpb.Service{Template: &runpb.RevisionTemplate{}}
	}
	if s.GetTemplate() == nil {
		s.Template = &runpb.RevisionTemplate{}
	}
	s.Client, s.ClientVersion = "sunya", env.Version
	s.Template.Revision = ""
	if o.suffix != "" {
		s.Template.Revision = id + "-" + o.suffix
	}
	paths := []string{"client", "client_version"}
	if o.template() {
		paths = append(paths, "template")
	}
	for _, change := range []func(*Env, *runpb.Service) error{o.applyContainers, o.applyServing, o.applyLabels} {
		if err := change(env, s); err != nil {
			return nil, nil, err
		}
	}
	if o.labels.given() {
		paths = append(paths, "labels")
	}
	for _, c := range o.changes {
		c.do(s)
		paths = append(paths, c.path)
	}
	paths = append(paths, o.traffic(s)...)
	slices.Sort(paths)
	return s, slices.Compact(paths), nil
}

// template reports whether a flag asks for another revision.
func (o *runOptions) template() bool {
	given := len(o.containers.all) > 0 || len(o.drop) > 0 || o.suffix != "" || o.labels.given() ||
		o.volumes.add != nil || o.volumes.remove != nil || o.volumes.clear
	for _, flag := range []string{"timeout", "concurrency", "min-instances", "max-instances", "service-account"} {
		given = given || o.given(flag)
	}
	return given
}

func (o *runOptions) applyContainers(env *Env, s *runpb.Service) error {
	t := s.GetTemplate()
	t.Containers = slices.DeleteFunc(t.GetContainers(), func(c *runpb.Container) bool { return slices.Contains(o.drop, c.GetName()) })
	for _, f := range o.containers.all {
		c, err := f.find(t)
		if err != nil {
			return err
		}
		if err := f.apply(c, env.Dir); err != nil {
			return err
		}
	}
	var err error
	t.Volumes, err = o.volumes.apply(t.GetVolumes())
	return err
}

func (o *runOptions) applyServing(_ *Env, s *runpb.Service) error {
	t := s.GetTemplate()
	scaling := proto.CloneOf(t.GetScaling())
	if scaling == nil {
		scaling = &runpb.RevisionScaling{}
	}
	for flag, do := range map[string]func(){
		"timeout":         func() { t.Timeout = durationpb.New(o.timeout) },
		"concurrency":     func() { t.MaxInstanceRequestConcurrency = int32(o.concurrency) },
		"min-instances":   func() { scaling.MinInstanceCount, t.Scaling = int32(o.minInstances), scaling },
		"max-instances":   func() { scaling.MaxInstanceCount, t.Scaling = int32(o.maxInstances), scaling },
		"service-account": func() { t.ServiceAccount = o.account },
	} {
		if o.given(flag) {
			do()
		}
	}
	return nil
}

// applyLabels labels the service and its new revision.
func (o *runOptions) applyLabels(env *Env, s *runpb.Service) error {
	if !o.labels.given() {
		return nil
	}
	var err error
	if s.Labels, err = o.labels.apply(s.GetLabels(), env.Dir); err != nil {
		return err
	}
	s.Template.Labels, err = o.labels.apply(s.GetTemplate().GetLabels(), env.Dir)
	return err
}

// traffic brings a tag and --no-traffic into the split.
func (o *runOptions) traffic(s *runpb.Service) (paths []string) {
	if o.noTraffic {
		s.Traffic = pinned(s)
		paths = []string{"traffic"}
	}
	if o.tag != "" {
		if len(s.GetTraffic()) == 0 {
			s.Traffic = []*runpb.TrafficTarget{{Type: runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST, Percent: 100}}
		}
		s.Traffic = append(untagged(s.GetTraffic(), o.tag), &runpb.TrafficTarget{
			Type: runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION, Revision: s.GetTemplate().GetRevision(), Tag: o.tag,
		})
		paths = []string{"traffic"}
	}
	return paths
}

// pinned is the split of a service that keeps sending nothing to what comes: the
// share of the latest revision stays with the one that is ready now.
func pinned(s *runpb.Service) []*runpb.TrafficTarget {
	latest := lastOf(s.GetLatestReadyRevision())
	targets := s.GetTraffic()
	if len(targets) == 0 {
		targets = []*runpb.TrafficTarget{{Type: runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST, Percent: 100}}
	}
	var out []*runpb.TrafficTarget
	for _, t := range targets {
		t = proto.CloneOf(t)
		if t.GetType() == runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST && t.GetPercent() > 0 {
			t.Type, t.Revision = runpb.TrafficTargetAllocationType_TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION, latest
		}
		out = append(out, t)
	}
	return out
}

// untagged takes a tag away from whoever has it.
func untagged(targets []*runpb.TrafficTarget, tags ...string) []*runpb.TrafficTarget {
	var out []*runpb.TrafficTarget
	for _, t := range targets {
		t = proto.CloneOf(t)
		if slices.Contains(tags, t.GetTag()) {
			t.Tag = ""
		}
		if t.GetTag() != "" || t.GetPercent() > 0 {
			out = append(out, t)
		}
	}
	return out
}

// nameForTag gives the new revision a name where its tag needs one: the next
// number, and three letters that another deploy will hardly have chosen.
func (o *runOptions) nameForTag(old *runpb.Service) {
	if o.tag == "" || o.suffix != "" {
		return
	}
	n := 1
	if parts := strings.Split(lastOf(old.GetLatestCreatedRevision()), "-"); len(parts) > 2 {
		if last, err := strconv.Atoi(parts[len(parts)-2]); err == nil {
			n = last + 1
		}
	}
	const letters = "bcdfghjkmnpqrstvwxz"
	random := make([]byte, 3)
	for i := range random {
		random[i] = letters[rand.IntN(len(letters))]
	}
	o.suffix = fmt.Sprintf("%05d-%s", n, random)
}
