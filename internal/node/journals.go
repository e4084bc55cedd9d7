package node

import (
	"strings"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/core/metrics"
)

// countedJournal is the log of a deployment or a build whose stages are counted.
type countedJournal struct {
	*logs.BuildWriter
	work   string
	counts *metrics.Registry
}

// journal returns the log of some work of a project.
func (s *serve) journal(work, project, id string) countedJournal {
	return countedJournal{logs.NewBuildWriter(s.hub, project, id, time.Now), work, s.metrics}
}

// Stage implements deploy.Journal and cloudbuild.Journal.
func (j countedJournal) Stage(name, state string, took time.Duration) {
	j.BuildWriter.Stage(name, state, took)
	if state != logs.StageStart {
		j.counts.CountStage(metrics.Stage{Work: j.work, Name: strings.ToLower(name), State: state}, took)
	}
}
