package cli

import (
	"slices"
	"time"

	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// jobOptions are the flags of run jobs deploy, create and update.
type jobOptions struct {
	taskFlags
	containers  containerSet
	volumes     volumeFlags
	labels      mapFlags
	parallelism int
	retries     int
	account     string
	executeNow  bool
	waiting

	given func(flag string) bool
}

// taskFlags are what jobs and single executions say about tasks.
type taskFlags struct {
	tasks   int
	timeout time.Duration
}

func (f *taskFlags) register(fs *pflag.FlagSet, tasks, timeout string) {
	countFlag(fs, "tasks", "how many tasks an execution has "+tasks, 1, func(n int) { f.tasks = n })
	fs.Var(setter{"duration", func(v string) (err error) { f.timeout, err = parseTimeout(v); return err }}, "task-timeout", "longest time of a task, such as "+timeout)
}

// waiting says how long a command waits.
type waiting struct{ async, wait bool }

func (w *waiting) register(fs *pflag.FlagSet, async, wait string) {
	fs.BoolVar(&w.async, "async", false, async)
	fs.BoolVar(&w.wait, "wait", false, wait)
}

func (w *waiting) check() error {
	if w.async && w.wait {
		return usagef("--async and --wait exclude each other")
	}
	return nil
}

// register adds the flags.
func (o *jobOptions) register(fs *pflag.FlagSet) {
	o.taskFlags.register(fs, "(default 1)", "600 (the default), 10m or 24h")
	countFlag(fs, "parallelism", "most tasks at once (default: as many as there is memory for)", 0, func(n int) { o.parallelism = n })
	countFlag(fs, "max-retries", "how often a failed task is tried again (default 3)", 0, func(n int) { o.retries = n })
	textFlag(fs, "service-account", "whose tokens it gets (default: the compute account)", func(v string) error { o.account = v; return nil })
	registerContainer(fs, &o.containers)
	registerMap(fs, "labels", "labels", func() *mapFlags { return &o.labels })
	pairsFlag(fs, "labels", "labels to add or change", func(v map[string]string) { o.labels.update = added(o.labels.update, v) })
	o.volumes.register(fs)
	fs.BoolVar(&o.executeNow, "execute-now", false, "execute it as soon as it is ready")
	o.waiting.register(fs, "do not wait until it is ready", "execute it, and wait until that has ended")
	registerRefused(fs)
	hide(fs, "labels", "set-labels", "update-labels", "async")
}

// job is what the flags make of a job, which stays as it is; nil for a new one.
func (o *jobOptions) job(env *Env, old *runpb.Job) (*runpb.Job, error) {
	j := proto.CloneOf(old)
	if j == nil {
		j = &runpb.Job{}
	}
	if j.GetTemplate() == nil {
		j.Template = &runpb.ExecutionTemplate{}
	}
	if j.GetTemplate().GetTemplate() == nil {
		j.Template.Template = &runpb.TaskTemplate{}
	}
	j.Client, j.ClientVersion, j.CreateExecution = "sunya", env.Version, nil
	if err := o.applyContainers(env, j.GetTemplate().GetTemplate()); err != nil {
		return nil, err
	}
	o.applyTasks(j.GetTemplate())
	if !o.labels.given() {
		return j, nil
	}
	var err error
	if j.Labels, err = o.labels.apply(j.GetLabels(), env.Dir); err != nil {
		return nil, err
	}
	j.Template.Labels, err = o.labels.apply(j.GetTemplate().GetLabels(), env.Dir)
	return j, err
}

func (o *jobOptions) applyContainers(env *Env, t *runpb.TaskTemplate) (err error) {
	as := &runpb.RevisionTemplate{Containers: t.GetContainers()}
	for _, f := range o.containers.all {
		c, err := f.find(as)
		if err != nil {
			return err
		}
		if err := f.apply(c, env.Dir); err != nil {
			return err
		}
	}
	t.Containers = as.GetContainers()
	t.Volumes, err = o.volumes.apply(t.GetVolumes())
	return err
}

func (o *jobOptions) applyTasks(t *runpb.ExecutionTemplate) {
	task := t.GetTemplate()
	for flag, do := range map[string]func(){
		"tasks":           func() { t.TaskCount = int32(o.tasks) },
		"parallelism":     func() { t.Parallelism = int32(o.parallelism) },
		"max-retries":     func() { task.Retries = &runpb.TaskTemplate_MaxRetries{MaxRetries: int32(o.retries)} },
		"task-timeout":    func() { task.Timeout = durationpb.New(o.timeout) },
		"service-account": func() { task.ServiceAccount = o.account },
	} {
		if o.given(flag) {
			do()
		}
	}
}

// hasImage reports whether the flags say what is to be run.
func (o *jobOptions) hasImage() bool {
	return slices.ContainsFunc(o.containers.all, func(c *containerFlags) bool { return c.image != "" || c.source != "" })
}
