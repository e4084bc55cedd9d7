package instance

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/container"
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
	id := newID(rev)
	spec, err := container.Spec(&rev.Container, container.Place{ID: id, Port: rev.Port, Volumes: rev.Volumes}, m.Layers)
	if err != nil {
		return sandbox.Spec{}, err
	}
	spec.Kind = Kind
	spec.Labels = map[string]string{
		labelRevision:   rev.Name,
		labelRevisionID: rev.ID,
		labelService:    rev.Service,
		LabelProject:    rev.Project,
		LabelAccount:    rev.ServiceAccount,
	}
	spec.UIDRange = svc.UIDRange
	spec.StrayLimit = strayLimit
	return spec, nil
}
