package cloudbuild

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// maxLog is how much of a log is kept as an object; the rest goes to the
// journal alone.
const maxLog = 8 << 20

// flushEvery is how often what is new of a log becomes its object: clients
// follow a build by reading on in it.
const flushEvery = time.Second

// output is the log of one build: a journal, and the object log-ID.txt that
// Google's clients follow.
type output struct {
	service *Service
	bucket  string
	object  string
	journal Journal
	stop    chan struct{} // closed by close
	stopped chan struct{} // closed when the last flush is done

	mu    sync.Mutex
	text  bytes.Buffer
	dirty bool
}

func (s *Service) newOutput(ctx context.Context, b *Build) *output {
	bucket, prefix, _ := strings.Cut(b.LogsBucket, "/")
	o := &output{
		service: s, bucket: bucket, object: path.Join(prefix, LogObject(b.ID)), journal: s.Journal(b.Project, b.ID),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	go o.flushLoop(context.WithoutCancel(ctx))
	return o
}

// LogObject names the log of a build.
func LogObject(id string) string { return "log-" + id + ".txt" }

// start writes the first line.
func (o *output) start() {
	o.printf("starting build %q\n\n", strings.TrimSuffix(strings.TrimPrefix(path.Base(o.object), "log-"), ".txt"))
}

func (o *output) printf(format string, args ...any) { _, _ = fmt.Fprintf(o, format, args...) }

// Write implements io.Writer. It never fails.
func (o *output) Write(p []byte) (int, error) {
	_, _ = o.journal.Write(p)
	o.mu.Lock()
	defer o.mu.Unlock()
	if room := maxLog - o.text.Len(); room > 0 {
		o.text.Write(p[:min(room, len(p))])
		if len(p) > room {
			o.text.WriteString("\n(the log is longer than what is kept of it here)\n")
		}
		o.dirty = true
	}
	return len(p), nil
}

func (o *output) flushLoop(ctx context.Context) {
	defer close(o.stopped)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-o.stop:
			o.flush(ctx)
			return
		case <-tick.C:
			o.flush(ctx)
		}
	}
}

func (o *output) flush(ctx context.Context) {
	o.mu.Lock()
	data, dirty := bytes.Clone(o.text.Bytes()), o.dirty
	o.dirty = false
	o.mu.Unlock()
	if !dirty {
		return
	}
	_, err := o.service.Objects.Put(ctx, objects.NewObject{
		Bucket: o.bucket, Name: o.object, ContentType: "text/plain; charset=utf-8",
	}, bytes.NewReader(data), int64(len(data)))
	if err != nil {
		o.service.Log.Warn("store log of build", "object", o.bucket+"/"+o.object, "err", err)
	}
}

// close writes the last line, if there is one, and stores what is left. ended
// is called when everything is written.
func (o *output) close(last string, ended func()) {
	if last != "" {
		o.printf("%s\n", last)
	}
	ended()
	close(o.stop)
	<-o.stopped
	_ = o.journal.Close()
}
