package jobs

import (
	"fmt"
	"strconv"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/container"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// spec describes the sandbox of an attempt.
func (r *Runner) spec(e *Execution, t *Task) (sandbox.Spec, error) {
	c, err := e.Template.Containers[0].program()
	if err != nil {
		return sandbox.Spec{}, err
	}
	if r.CheckImage != nil {
		if err := r.CheckImage(c.Image); err != nil {
			return sandbox.Spec{}, fmt.Errorf("check image: %w", err)
		}
	}
	c.Env = append(c.Env, environment(e, t)...)
	s, err := container.Spec(&c, container.Place{ID: t.Sandbox, Volumes: e.Template.Volumes, MemoryBytes: e.Template.memory(), Project: e.Project}, r.Layers)
	if err != nil {
		return sandbox.Spec{}, err
	}
	s.Kind = Kind
	s.UIDRange = e.UIDRange
	s.Labels = map[string]string{
		labelExecution: e.Name(),
		LabelProject:   e.Project,
		LabelLocation:  e.Location,
		LabelAccount:   e.Template.Account,
	}
	return s, nil
}

// environment is what the platform tells a task (Cloud Run, "Container runtime
// contract", environment variables of jobs).
func environment(e *Execution, t *Task) []sunya.EnvVar {
	return []sunya.EnvVar{
		{Name: envJob, Value: e.ID},
		{Name: envExecution, Value: e.Execution},
		{Name: envIndex, Value: strconv.Itoa(t.Index)},
		{Name: envAttempt, Value: strconv.Itoa(t.Attempt)},
		{Name: envCount, Value: strconv.Itoa(e.Template.Tasks)},
	}
}
