package cli

import (
	"context"
	"strconv"
	"strings"
	"sync"

	"cloud.google.com/go/logging/apiv2/loggingpb"
)

// devLog prints the logs of a session's services, and keeps what a failure
// shows from being shown a second time by the log, whichever comes first.
type devLog struct {
	reader  *logReader
	printer *logPrinter
	env     *Env

	mu     sync.Mutex
	shown  map[string]bool // lines since the newest deploy began
	blamed map[string]bool // lines of the newest failure
}

// maxShown bounds the lines that are remembered.
const maxShown = 5000

// follow prepares to print what the services log from now on.
func (s *devSession) follow(ctx context.Context, targets []target) (*devLog, error) {
	reader, err := s.server.client.logReader(ctx, devFilter(s.server.client.project, s.opts.version, targets))
	if err != nil {
		return nil, err
	}
	reader.floor = s.env.Now()
	return &devLog{reader: reader, printer: newLogPrinter(s.env), env: s.env, shown: map[string]bool{}}, nil
}

// devFilter selects what the services say, without what the platform says about
// deploys: the session says that itself.
func devFilter(project, version string, targets []target) string {
	var names []string
	for _, t := range targets {
		names = append(names, strconv.Quote(t.cfg.Service))
	}
	return `resource.type="gae_app" AND resource.labels.version_id=` + strconv.Quote(version) +
		` AND resource.labels.module_id=(` + strings.Join(names, " OR ") + `)` +
		` AND NOT (logName="projects/` + project + `/logs/appengine.googleapis.com%2Fvarlog%2Fsystem"` +
		` AND jsonPayload.event=("started" OR "stopped" OR "failed"))`
}

// run prints until ctx ends, whose cause it returns.
func (l *devLog) run(ctx context.Context) error {
	err := l.reader.follow(ctx, l.entry)
	if ctx.Err() == nil && err != nil {
		// An app can be worked on without its log.
		l.env.warnf("the log cannot be followed: %v", err)
		<-ctx.Done()
	}
	return context.Cause(ctx)
}

func (l *devLog) entry(e *loggingpb.LogEntry) error {
	if l.known(strings.Split(strings.TrimRight(entryText(e), "\n"), "\n")) {
		return nil
	}
	return l.printer.print(e)
}

// known reports whether the newest failure has shown these lines, and notes
// them.
func (l *devLog) known(lines []string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := false
	for _, line := range lines {
		fresh = fresh || !l.blamed[line]
		if len(l.shown) < maxShown {
			l.shown[line] = true
		}
	}
	return !fresh
}

// begin forgets the deploy before.
func (l *devLog) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shown, l.blamed = map[string]bool{}, nil
}

// blame returns the lines of a failure that the log has not shown yet.
func (l *devLog) blame(lines []string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blamed = map[string]bool{}
	var fresh []string
	for _, line := range lines {
		if !l.shown[line] {
			fresh = append(fresh, line)
		}
	}
	for _, line := range lines {
		l.blamed[line] = true
	}
	return fresh
}
