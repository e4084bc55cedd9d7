package instance

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// Kind is the sandbox.Spec.Kind of instances.
const Kind = "instance"

// The labels of an instance's sandbox: how a later server knows it again.
const (
	labelRevision   = "revision" // Revision.Name
	labelRevisionID = "revision-id"
	labelService    = "service"
	LabelProject    = "project"
	LabelAccount    = "account" // Revision.ServiceAccount
)

// maxRevisionID leaves room in a sandbox id (48) for a dash and eight digits.
const maxRevisionID = 39

// newID returns an id for an instance of rev, unique for ever.
func newID(rev *sunya.Revision) string {
	var b [4]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	id := rev.ID[:min(len(rev.ID), maxRevisionID)]
	return id + "-" + hex.EncodeToString(b[:])
}

// strayLimit is how long a program that has opened another port is waited for:
// longer than any that opens its metrics before its service, shorter than the
// patience of somebody who forgot $PORT.
const strayLimit = 30 * time.Second

// spec describes the sandbox of a new instance of rev.
func (m *Manager) spec(rev *sunya.Revision) (sandbox.Spec, error) {
	svc, ok := m.Directory.Table().Service(rev.Service)
	if !ok {
		return sandbox.Spec{}, sunya.Errorf(sunya.NotFound, rev.Service, "the service no longer exists")
	}
	if m.CheckImage != nil {
		if err := m.CheckImage(rev.Image); err != nil {
			return sandbox.Spec{}, fmt.Errorf("check image: %w", err)
		}
	}
	mounts, err := m.mounts(rev)
	if err != nil {
		return sandbox.Spec{}, err
	}
	id := newID(rev)
	return sandbox.Spec{
		ID:   id,
		Kind: Kind,
		Labels: map[string]string{
			labelRevision:   rev.Name,
			labelRevisionID: rev.ID,
			labelService:    rev.Service,
			LabelProject:    rev.Project,
			LabelAccount:    rev.ServiceAccount,
		},
		Profile:     sandbox.App,
		Args:        rev.Command,
		Env:         environ(rev, id),
		Dir:         rev.Dir,
		Hostname:    id,
		Mounts:      mounts,
		UIDRange:    svc.UIDRange,
		MemoryBytes: rev.MemoryBytes,
		StrayLimit:  strayLimit,
		CPUMillis:   rev.CPUMillis,
		Port:        rev.Port,
		Network:     true,
	}, nil
}

// mounts are the image's layers, the machine's directories it stands on, and
// /tmp in memory (App Engine: everything else is read-only).
func (m *Manager) mounts(rev *sunya.Revision) ([]sandbox.Mount, error) {
	var out []sandbox.Mount
	for _, dir := range rev.Image.HostPaths {
		out = append(out, sandbox.Mount{Source: dir, Target: dir})
	}
	for _, l := range rev.Image.Layers {
		dir, err := m.Layers.Path(l.Digest)
		if err != nil {
			return nil, fmt.Errorf("find layer: %w", err)
		}
		out = append(out, sandbox.Mount{Source: dir, Target: l.Target})
	}
	return append(out, sandbox.Mount{Target: "/tmp", Writable: true, Bytes: rev.MemoryBytes}), nil
}

// environ is the revision's environment with what differs by instance filled
// in, and what every program expects.
func environ(rev *sunya.Revision, id string) []string {
	var out []string
	for _, v := range rev.Env {
		value := v.Value
		switch v.Field {
		case sunya.FieldInstanceID:
			value = id
		case sunya.FieldMemoryMB:
			value = strconv.FormatInt(rev.MemoryBytes>>20, 10)
		}
		out = append(out, v.Name+"="+value)
	}
	for _, d := range []sunya.EnvVar{
		{Name: "PORT", Value: strconv.Itoa(rev.Port)},
		{Name: "HOME", Value: "/tmp"},
		{Name: "PATH", Value: "/usr/local/bin:/usr/bin:/bin"},
	} {
		if !slices.ContainsFunc(rev.Env, func(v sunya.EnvVar) bool { return v.Name == d.Name }) {
			out = append(out, d.Name+"="+d.Value)
		}
	}
	return out
}
