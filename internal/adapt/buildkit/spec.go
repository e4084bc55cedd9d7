package buildkit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/adapt/buildkit/job"
	"github.com/sunya-cloud/sunya/internal/core/cloudbuild/plan"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// spec describes the builder's sandbox.
func (e *Engine) spec(j plan.Job, c cache, work string) (sandbox.Spec, error) {
	state := filepath.Join(e.o.StateDir, c.project, strconv.Itoa(c.slot))
	if err := os.MkdirAll(state, 0o700); err != nil {
		return sandbox.Spec{}, fmt.Errorf("open build cache: %w", err)
	}
	builder, err := e.o.Builder(e.o.WorkDir)
	if err != nil {
		return sandbox.Spec{}, &sunya.Error{Code: sunya.FailedPrecondition, Message: err.Error()}
	}
	launcher, err := e.o.Launcher(e.o.WorkDir)
	if err != nil {
		return sandbox.Spec{}, &sunya.Error{Code: sunya.FailedPrecondition, Message: err.Error()}
	}
	return sandbox.Spec{
		ID:      boxID(j.ID),
		Kind:    "build",
		Labels:  map[string]string{"build": j.ID, "project": j.Project},
		Profile: sandbox.Builder,

		Args: []string{job.Program},
		Env:  []string{"HOME=/tmp"},
		Mounts: []sandbox.Mount{
			{Source: state, Target: job.StateDir, Writable: true, Owned: true},
			{Source: work, Target: job.WorkDir},
			{Source: j.Source, Target: job.SourceDir},
			{Source: builder, Target: job.Program},
			{Source: launcher, Target: job.Launcher},
		},
		Hostname: "build",

		UIDRange:    sunya.LayersRange,
		MemoryBytes: e.o.MemoryBytes,
		CPUMillis:   buildCPU,
		PIDs:        e.o.PIDs,
		Network:     true,
	}, nil
}

// boxID returns a sandbox id that no other build ever has, not even the same
// one before a restart.
func boxID(build string) string {
	sum := sha256.Sum256([]byte(build))
	return "i-" + hex.EncodeToString(sum[:6]) + "-" + strings.ToLower(rand.Text()[:10])
}
