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
	// LabelInstance is the instance's id, on every one of its sandboxes.
	LabelInstance = "instance"
	// labelContainer is the Container.ContainerName of a sidecar.
	labelContainer = "container"
)

// maxRevisionID leaves room in a sandbox id (48) for a dash and eight digits, and
// a dash and a digit or two of sidecars.
const maxRevisionID = 36

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

// spec describes the sandbox of a container of the instance id of rev, on the
// network of another sandbox if one is named.
func (m *Manager) spec(rev *sunya.Revision, c *sunya.Container, id, network string) (sandbox.Spec, error) {
	svc, ok := m.Directory.Table().Service(rev.Service)
	if !ok {
		return sandbox.Spec{}, sunya.Errorf(sunya.NotFound, rev.Service, "the service no longer exists")
	}
	if m.CheckImage != nil {
		if err := m.CheckImage(c.Image); err != nil {
			return sandbox.Spec{}, fmt.Errorf("check image: %w", err)
		}
	}
	place := container.Place{
		ID: boxID(rev, c, id), Instance: id, NetworkOf: network, Volumes: rev.Volumes, MemoryBytes: memoryBytes(rev), Project: rev.Project,
	}
	if c == &rev.Container {
		place.Port = rev.Port
	}
	spec, err := container.Spec(c, place, m.Layers)
	if err != nil {
		return sandbox.Spec{}, err
	}
	spec.Hostname = id
	spec.Kind = Kind
	spec.Labels = map[string]string{
		labelRevision:   rev.Name,
		labelRevisionID: rev.ID,
		labelService:    rev.Service,
		LabelProject:    rev.Project,
		LabelAccount:    rev.ServiceAccount,
		LabelInstance:   id,
	}
	if c != &rev.Container {
		spec.Labels[labelContainer] = c.ContainerName
	}
	spec.UIDRange = svc.UIDRange
	spec.Template = m.templateKey(rev)
	if len(rev.Sidecars) == 0 { // otherwise other ports are the sidecars'
		spec.StrayLimit = strayLimit
	}
	return spec, nil
}
