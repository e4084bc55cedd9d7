package node

import (
	"io"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/sunya-cloud/sunya/internal/adapt/hoststack"
	"github.com/sunya-cloud/sunya/internal/core/jobs"
	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// addJobs adds Cloud Run jobs. Tasks may have three quarters of the machine's
// memory by their limits: the rest is for the server and what serves.
func (p *products) addJobs(m *machine, st *storage, s *serve, log *slog.Logger) {
	p.tasks = jobs.NewRunner(jobs.RunnerParts{
		Store:       st.state,
		Images:      p.images,
		Engine:      m.engine,
		Layers:      st.layers,
		CheckImage:  m.checkImage,
		Output:      collectTasks(s.hub, s.output),
		Sink:        s.hub,
		Changed:     p.operations.Changed,
		MemoryBytes: hoststack.Memory() / 4 * 3,
		Now:         time.Now,
		NewID:       uuid.NewString,
		Log:         log,
	})
	p.jobs = jobs.New(jobs.Parts{
		Store:    st.state,
		Images:   p.images,
		Executor: p.tasks,
		Changed:  p.operations.Changed,
		Now:      time.Now,
		NewID:    uuid.NewString,
	})
}

// collectTasks carries what tasks print into the log. The streams of one attempt
// share its limit.
func collectTasks(sink logs.Sink, out *outlet) jobs.Output {
	return func(e *jobs.Execution, t *jobs.Task) func(string, io.ReadCloser) {
		limiter := logs.NewLimiter()
		resource, labels := jobs.LogResource(e.Key), jobs.LogLabels(e, t)
		return func(stream string, r io.ReadCloser) {
			defer r.Close()
			c := logs.NewCollector(sink, logs.Meta{
				LogName:  logs.LogName(e.Project, jobs.StreamPrefix+stream),
				Resource: resource,
				Labels:   labels,
				Limiter:  limiter,
			}, time.Now)
			out.carryOnce(r, c) // whoever has the task next reads on
		}
	}
}
