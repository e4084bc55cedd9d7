package instance

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/logs"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// event is the payload of what the platform says about an instance.
type event struct {
	Message   string   `json:"message"`
	Event     string   `json:"event"` // started, called, stopped, exited, killed, failed, template
	Revision  string   `json:"revision"`
	Instance  string   `json:"instance,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	ColdStart bool     `json:"coldStart,omitempty"`
	TookMS    int64    `json:"tookMs,omitempty"`
	Stages    []stage  `json:"stages,omitempty"` // of a start: where the time went
	ExitCode  *int     `json:"exitCode,omitempty"`
	Output    []string `json:"output,omitempty"`
}

func (m *Manager) logStart(i *Instance, why Reason, took time.Duration) {
	how := string(why)
	if yes, _ := restored(i.box); yes {
		how += ", from the template"
	}
	m.write(i.rev, logs.Info, event{
		Message:   fmt.Sprintf("started in %d ms, %s", took.Milliseconds(), how),
		Event:     "started",
		Instance:  i.ID(),
		Reason:    string(why),
		ColdStart: why == ColdStart,
		TookMS:    took.Milliseconds(),
		Stages:    stagesOf(i.box),
	})
}

// stage is a part of a start.
type stage struct {
	Name string  `json:"name"`
	MS   float64 `json:"ms"`
}

// stagesOf returns where a start has spent its time, as far as the sandbox of the
// container that answers knows.
func stagesOf(box sandbox.Sandbox) []stage {
	if g, ok := box.(*group); ok {
		box = g.Sandbox
	}
	timed, ok := box.(sandbox.Timed)
	if !ok {
		return nil
	}
	var out []stage
	for _, s := range timed.Stages() {
		out = append(out, stage{s.Name, float64(s.Took.Microseconds()) / 1000})
	}
	return out
}

// logCall logs a request of the platform itself.
func (m *Manager) logCall(i *Instance, message string, took time.Duration) {
	m.write(i.rev, logs.Info, event{
		Message:  message,
		Event:    "called",
		Instance: i.ID(),
		TookMS:   took.Milliseconds(),
	})
}

func (m *Manager) logStop(i *Instance, why string) {
	m.write(i.rev, logs.Info, event{
		Message:  "stopping: " + why,
		Event:    "stopped",
		Instance: i.ID(),
		Reason:   why,
	})
}

// logExit logs an end that nobody asked for.
func (m *Manager) logExit(i *Instance) {
	exit := i.box.Exit()
	m.write(i.rev, logs.Error, event{
		Message:  exitMessage(&i.rev.Container, exit),
		Event:    "exited",
		Instance: i.ID(),
		ExitCode: &exit.Code,
	})
}

// logSidecar logs the end of a sidecar that the instance goes on without.
func (m *Manager) logSidecar(i *Instance, how string) {
	m.write(i.rev, logs.Info, event{Message: how, Event: "exited", Instance: i.ID(), Reason: "sidecar"})
}

// logKill logs the end of an instance that something about it has failed.
func (m *Manager) logKill(i *Instance, reason string, err error) {
	m.write(i.rev, logs.Error, event{
		Message:  "killed: " + err.Error(),
		Event:    "killed",
		Instance: i.ID(),
		Reason:   reason,
	})
}

// exitMessage says how a program ended.
func exitMessage(c *sunya.Container, exit sandbox.Exit) string {
	switch {
	case exit.OOMKilled:
		return memoryReached(c)
	case exit.Signal != 0:
		return fmt.Sprintf("killed by signal %d", exit.Signal)
	}
	return fmt.Sprintf("exited with status %d", exit.Code)
}

func (m *Manager) logFailure(rev *sunya.Revision, id string, err *StartError) {
	m.write(rev, logs.Error, event{
		Message:  err.err.Message,
		Event:    "failed",
		Instance: id,
		Reason:   err.err.Reason,
		Output:   err.lines,
	})
}

func memoryReached(c *sunya.Container) string {
	return fmt.Sprintf("killed: memory limit of %v reached: instance_class in app.yaml, or --memory, gives more", sunya.Bytes(c.MemoryBytes))
}

func (m *Manager) write(rev *sunya.Revision, severity logs.Severity, e event) {
	m.log.Info("instance "+e.Event, "revision", rev.Name, "instance", e.Instance, "message", e.Message)
	if m.Sink == nil || m.LogName == nil {
		return
	}
	e.Revision = rev.Name
	payload, err := json.Marshal(e)
	if err != nil {
		m.log.Error("encode event", "err", err)
		return
	}
	name, resource := m.LogName(rev)
	m.Sink.Write(logs.Entry{
		LogName:   name,
		Timestamp: m.now(),
		Severity:  severity,
		Resource:  resource,
		Labels:    map[string]string{"instance_id": e.Instance},
		JSON:      payload,
	})
}
