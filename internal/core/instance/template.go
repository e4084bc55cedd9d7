package instance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// TemplateEnv is the environment variable by which a revision asks that its
// instances start from the memory of one that has loaded the program. Google's
// platforms hand it to the program like any other, so a source that has it runs
// there unchanged.
const TemplateEnv = "SUNYA_TEMPLATE"

// The times of templates.
const (
	keepAfter  = time.Second      // from the first start, so that its requests have the machine
	keepSlack  = 10 * time.Second // what keeping may take beyond a start
	keepAgain  = time.Hour        // after a program that cannot be kept
	failedRest = 10 * time.Minute // after one that did not start from what was kept
)

// kindTemplate is the sandbox.Spec.Kind of a program that is being kept. No later
// server adopts one.
const kindTemplate = "template"

// templates is what is known of the templates of revisions, by Revision.ID. What
// there is, the engine knows: this is when to make one, and why there is none.
type templates struct {
	mu sync.Mutex
	of map[string]*templateState
}

type templateState struct {
	revision string // Revision.Name
	keeping  bool
	rest     time.Time // none is made or used before
	problem  string    // why
}

// asksForTemplate reports whether a revision wants its instances to start from a
// template.
func asksForTemplate(rev *sunya.Revision) bool {
	for _, e := range rev.Env {
		if e.Name == TemplateEnv {
			switch strings.ToLower(e.Value) {
			case "1", "true", "on", "yes":
				return true
			}
		}
	}
	return false
}

// unfit says why a revision cannot have a template, whatever its program does.
func unfit(rev *sunya.Revision) string {
	switch {
	case rev.Image.Stack != sunya.HostStack:
		return "it runs a container image"
	case len(rev.Sidecars) > 0:
		return "it has several containers"
	case len(rev.Volumes) > 0:
		return "it has volumes"
	}
	return ""
}

// keeper returns what keeps the programs of a revision that asks for it; nil:
// nothing does.
func (m *Manager) keeper(rev *sunya.Revision) sandbox.Keeper {
	keeper, _ := m.Engine.(sandbox.Keeper)
	if !asksForTemplate(rev) || unfit(rev) != "" {
		return nil
	}
	return keeper
}

// templateKey is where an instance is to start from; empty: nowhere.
func (m *Manager) templateKey(rev *sunya.Revision) string {
	if m.keeper(rev) == nil || m.templateProblem(rev) != "" {
		return ""
	}
	return rev.ID
}

// templateProblem says why instances of a revision do not start from a template at
// the moment.
func (m *Manager) templateProblem(rev *sunya.Revision) string {
	if !asksForTemplate(rev) {
		return ""
	}
	if why := unfit(rev); why != "" {
		return why
	}
	m.templates.mu.Lock()
	defer m.templates.mu.Unlock()
	s := m.templates.of[rev.ID]
	if s == nil || !m.now().Before(s.rest) {
		return ""
	}
	return s.problem
}

// restored reports how a sandbox came to its program.
func restored(box sandbox.Sandbox) (yes bool, problem string) {
	if r, ok := box.(sandbox.Restored); ok {
		return r.Restored()
	}
	return false, ""
}

// tendTemplate sees, once an instance has started, whether the next can start from
// a template.
func (m *Manager) tendTemplate(i *Instance) {
	keeper := m.keeper(i.rev)
	if keeper == nil || i.box.Spec().Template == "" {
		return
	}
	used, problem := restored(i.box)
	switch {
	case used:
	case problem != "":
		m.restTemplate(i.rev, failedRest, problem)
	case m.beginKeeping(i.rev):
		go m.keep(keeper, i.rev)
	}
}

// beginKeeping reports whether the caller is to keep the program of rev.
func (m *Manager) beginKeeping(rev *sunya.Revision) bool {
	m.templates.mu.Lock()
	defer m.templates.mu.Unlock()
	s := m.templateState(rev)
	if s.keeping || m.now().Before(s.rest) {
		return false
	}
	s.keeping = true
	return true
}

// templateState is called with templates.mu held.
func (m *Manager) templateState(rev *sunya.Revision) *templateState {
	if m.templates.of == nil {
		m.templates.of = map[string]*templateState{}
	}
	s := m.templates.of[rev.ID]
	if s == nil {
		s = &templateState{revision: rev.Name}
		m.templates.of[rev.ID] = s
	}
	return s
}

// keep makes the template of a revision. It ends within the time of a start and
// some slack, and with Run.
func (m *Manager) keep(keeper sandbox.Keeper, rev *sunya.Revision) {
	stopped := m.end()
	defer func() {
		m.templates.mu.Lock()
		m.templateState(rev).keeping = false
		m.templates.mu.Unlock()
	}()
	select {
	case <-time.After(keepAfter):
	case <-stopped:
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), StartTimeout(rev)+keepSlack)
	defer cancel()
	go func() {
		select {
		case <-stopped:
			cancel()
		case <-ctx.Done():
		}
	}()
	begin := m.now()
	err := m.keepProgram(ctx, keeper, rev)
	if errors.Is(err, context.Canceled) {
		return
	}
	took := m.now().Sub(begin)
	switch {
	case err == nil:
		m.logTemplate(rev, logs.Info, fmt.Sprintf("kept its memory after loading, in %d ms: instances start from there", took.Milliseconds()), took)
	case sunya.CodeOf(err) == sunya.FailedPrecondition:
		m.restTemplate(rev, keepAgain, problemOf(err))
	default: // nothing that the program has done
		m.restTemplate(rev, failedRest, problemOf(err))
	}
	m.sweepTemplates(ctx, keeper)
}

func (m *Manager) keepProgram(ctx context.Context, keeper sandbox.Keeper, rev *sunya.Revision) error {
	id := newID(rev)
	spec, err := m.spec(rev, &rev.Container, id, "")
	if err != nil {
		return err
	}
	spec.Kind = kindTemplate
	var out *output
	err = keeper.Keep(ctx, spec, func(box sandbox.Sandbox) { out = m.carryOutput(rev, id, rev.ContainerName, box) })
	if out != nil {
		out.wait(outputWait)
	}
	return err
}

func problemOf(err error) string {
	var e *sunya.Error
	if errors.As(err, &e) {
		return e.Public()
	}
	return err.Error()
}

// restTemplate notes why there is no template, and says so.
func (m *Manager) restTemplate(rev *sunya.Revision, rest time.Duration, problem string) {
	m.templates.mu.Lock()
	s := m.templateState(rev)
	s.rest, s.problem = m.now().Add(rest), problem
	m.templates.mu.Unlock()
	m.logTemplate(rev, logs.Warning, "instances do not start from a template: "+problem, 0)
}

// templateFailed gives up the template that an instance has started from and then
// failed, and reports whether it did start from one.
func (m *Manager) templateFailed(ctx context.Context, i *Instance, err error) bool {
	if used, _ := restored(i.box); !used {
		return false
	}
	m.restTemplate(i.rev, failedRest, "an instance that started from it did not get ready: "+problemOf(err))
	if keeper := m.keeper(i.rev); keeper != nil {
		m.discardTemplate(ctx, keeper, i.rev.ID)
	}
	return true
}

// sweepTemplates discards what was kept of revisions that are no more.
func (m *Manager) sweepTemplates(ctx context.Context, keeper sandbox.Keeper) {
	table := m.Directory.Table()
	var gone []string
	m.templates.mu.Lock()
	for id, s := range m.templates.of {
		if rev, ok := table.Revision(s.revision); !ok || rev.ID != id {
			gone = append(gone, id)
			delete(m.templates.of, id)
		}
	}
	m.templates.mu.Unlock()
	for _, id := range gone {
		m.discardTemplate(ctx, keeper, id)
	}
}

func (m *Manager) discardTemplate(ctx context.Context, keeper sandbox.Keeper, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopSlack)
	defer cancel()
	if err := keeper.Discard(ctx, id); err != nil {
		m.log.Warn("discard template", "template", id, "err", err)
	}
}

// endTemplate discards what was kept of the revision of an instance that has
// ended, when that was deleted meanwhile.
func (m *Manager) endTemplate(ctx context.Context, rev *sunya.Revision) {
	if keeper := m.keeper(rev); keeper != nil {
		m.sweepTemplates(ctx, keeper)
	}
}

func (m *Manager) logTemplate(rev *sunya.Revision, severity logs.Severity, message string, took time.Duration) {
	m.write(rev, severity, event{Message: message, Event: "template", TookMS: took.Milliseconds()})
}

// came says how an instance of a revision that asks for a template came to its
// program.
func (i *Instance) came() string {
	if !asksForTemplate(i.rev) {
		return ""
	}
	used, problem := restored(i.box)
	switch {
	case used:
		return "template"
	case problem != "":
		return "boot: " + problem
	}
	if why := i.m.templateProblem(i.rev); why != "" {
		return "boot: " + why
	}
	return "boot"
}
