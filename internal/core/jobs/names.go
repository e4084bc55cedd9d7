package jobs

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// Key names a job.
type Key struct {
	Project  string
	Location string
	ID       string
}

// Name returns the resource name of the job, which is also what its range of
// host uids is given out for.
func (k Key) Name() string { return sunya.LocationName(k.Project, k.Location) + "/jobs/" + k.ID }

// Execution returns the name of one of the job's executions.
func (k Key) Execution(id string) ExecutionKey { return ExecutionKey{Key: k, Execution: id} }

// ExecutionKey names an execution.
type ExecutionKey struct {
	Key
	Execution string // JOB-xxxxx
}

// Name returns the resource name of the execution.
func (k ExecutionKey) Name() string { return k.Key.Name() + "/executions/" + k.Execution }

// TaskID is the last part of a task's name: JOB-xxxxx-taskN.
func (k ExecutionKey) TaskID(index int) string { return k.Execution + "-task" + strconv.Itoa(index) }

// TaskName returns the resource name of a task.
func (k ExecutionKey) TaskName(index int) string { return k.Name() + "/tasks/" + k.TaskID(index) }

// TaskIndex reads the last part of a task's name.
func (k ExecutionKey) TaskIndex(id string) (int, error) {
	text, ok := strings.CutPrefix(id, k.Execution+"-task")
	n, err := strconv.Atoi(text)
	if !ok || err != nil || n < 0 || k.TaskID(n) != id {
		return 0, sunya.Errorf(sunya.NotFound, k.Name()+"/tasks/"+id, "task not found: tasks are called %s", k.TaskID(0))
	}
	return n, nil
}

// Limits on names. An execution is called after its job, and a task after its
// execution.
const (
	maxID        = 49
	maxExecution = 63
)

var idRE = regexp.MustCompile(`^[a-z]([a-z0-9-]*[a-z0-9])?$`)

// Check reports whether a job can have this name.
func (k Key) Check() error {
	if err := sunya.CheckLocation(k.Project, k.Location); err != nil {
		return err
	}
	if !idRE.MatchString(k.ID) || len(k.ID) > maxID {
		return sunya.Invalid("job_id", "%q is not the name of a job: use 1 to %d lower-case letters, digits and dashes, beginning with a letter", k.ID, maxID)
	}
	return nil
}

var tokenRE = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// checkToken holds for what an execution that begins with its job is called.
func (k Key) checkToken(field, token string) error {
	if token == "" || tokenRE.MatchString(token) && len(k.ID)+1+len(token) <= maxExecution {
		return nil
	}
	return sunya.Invalid(field, "%q cannot end the name of an execution: use lower-case letters, digits and dashes, with the job's name at most %d", token, maxExecution-1)
}

// newExecution makes up the name of an execution.
func (k Key) newExecution() string {
	const letters = "bcdfghjklmnpqrstvwxz2456789"
	var b [5]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return k.ID + "-" + string(b[:])
}

// sandboxID names the sandbox of one attempt. It is unique for ever, as the UID
// of an execution is.
func sandboxID(executionUID string, index, attempt int) string {
	short := strings.ReplaceAll(executionUID, "-", "")
	return fmt.Sprintf("job-%s-%d-%d", short[:min(len(short), 16)], index, attempt)
}
