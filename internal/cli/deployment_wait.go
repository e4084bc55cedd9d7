package cli

import (
	"context"
	"strings"
	"time"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"cloud.google.com/go/logging/apiv2/loggingpb"

	"github.com/sunya-cloud/sunya/internal/core/logs"
)

// await waits for the operation while the build's log is shown.
func (d *deployment) await(ctx context.Context) error {
	following, stop := context.WithCancel(ctx)
	defer stop()
	var reader *logReader
	ended := make(chan struct{})
	op, err := d.admin.wait(ctx, d.operation, func(meta *appenginepb.OperationMetadataV1) {
		d.warn(meta.GetWarning())
		id := meta.GetCreateVersionMetadata().GetCloudBuildId()
		if id == "" || reader != nil {
			return
		}
		if reader = d.watch(ctx, id); reader != nil {
			go func() {
				defer close(ended)
				// Without the log a deploy is less talkative, not wrong.
				_ = reader.follow(following, d.entry)
			}()
		}
	})
	stop()
	if reader != nil {
		<-ended
		d.drain(ctx, reader, err != nil)
	}
	if op != nil {
		d.warn(metadataOf(op).GetWarning())
	}
	return err
}

// watch prepares to read the log of a build.
func (d *deployment) watch(ctx context.Context, id string) *logReader {
	d.mu.Lock()
	d.build = id
	d.mu.Unlock()
	reader, err := d.client.logReader(ctx, buildFilter(id))
	if err != nil {
		d.env.warnf("build log: %v", err)
		return nil
	}
	return reader
}

const (
	drainTries = 10
	drainPause = 50 * time.Millisecond
)

// drain reads what the stream had not brought when the operation ended. After a
// failure it waits a moment for the entry that names the failed stage.
func (d *deployment) drain(ctx context.Context, reader *logReader, failed bool) {
	for range drainTries {
		if err := reader.catchUp(ctx, d.entry); err != nil {
			return
		}
		d.mu.Lock()
		complete := !failed || d.failed != ""
		d.mu.Unlock()
		if complete || sleep(ctx, drainPause) != nil {
			return
		}
	}
}

// entry shows one entry of the build's log.
func (d *deployment) entry(e *loggingpb.LogEntry) error {
	if stage := e.GetLabels()[logs.LabelStage]; stage != "" {
		d.stage(stage, e.GetLabels()[logs.LabelState], e.GetLabels()[logs.LabelTook])
		return nil
	}
	lines := strings.Split(strings.TrimRight(entryText(e), "\n"), "\n")
	d.mu.Lock()
	d.last = append(d.last, lines...)
	if n := len(d.last) - failureLines; n > 0 {
		d.last = append(d.last[:0], d.last[n:]...)
	}
	d.mu.Unlock()
	if !d.env.flags.Quiet {
		for _, line := range lines {
			d.progress.line(line)
		}
	}
	return nil
}

// stage follows the server's stages. Its routing only reserves the names: the
// client's own, which moves the traffic, is the one that is shown.
func (d *deployment) stage(stage, state, took string) {
	if state == "failed" {
		d.mu.Lock()
		d.failed = stage
		d.mu.Unlock()
	}
	if stage == stageRouting && d.opts.promote && state != "failed" {
		return
	}
	if state == "start" {
		d.progress.start(stage)
		return
	}
	// A duration that cannot be read is measured here instead.
	length, err := time.ParseDuration(took)
	if err != nil {
		length = 0
	}
	d.progress.end(stage, state, length)
}
