package buildkit

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/buildkit/job"
	"github.com/sunya-cloud/sunya/internal/core/cloudbuild/plan"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// maxEvent bounds one line of the builder.
const maxEvent = 1 << 20

// follower reads what a builder tells. Its fields are read once the stream has
// ended.
type follower struct {
	tell func(plan.Event)

	step   int // the last that began
	done   bool
	failed *plan.Failure
	err    error
}

func (f *follower) read(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		var e job.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			f.err = fmt.Errorf("read event of image build: %w", err)
			continue
		}
		switch {
		case e.Done:
			f.done = true
		case e.Failed != nil:
			f.failed = e.Failed
		default:
			if e.Started != nil {
				f.step = e.Started.Step
			}
			f.tell(e.Event)
		}
	}
}

// verdict says how a build ended. A builder that died without a word has met
// one of its limits, as a step shares them with it.
func (f *follower) verdict(exit sandbox.Exit, o Options) error {
	switch {
	case f.done:
		return nil
	case f.failed != nil:
		return f.failed
	case exit.OOMKilled:
		return &plan.Failure{Step: f.step, Kind: plan.KindMemory, Message: fmt.Sprintf(
			"the build needed more than the %v of memory that it has: use less, or build in fewer parallel stages", sunya.Bytes(o.MemoryBytes))}
	case f.err != nil:
		return f.err
	}
	return fmt.Errorf("the builder ended with status %d and without a result", exit.Code)
}
