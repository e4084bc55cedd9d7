// Package schema is the schemas of Pub/Sub (google.pubsub.v1.SchemaService):
// definitions with their revisions, and whether messages match them.
package schema

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/iam"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// Kind is the language that a definition is written in.
type Kind string

// The kinds (google.pubsub.v1.Schema.Type).
const (
	Avro     Kind = "AVRO"
	Protobuf Kind = "PROTOCOL_BUFFER"
)

// The limits (cloud.google.com/pubsub/docs/schemas).
const (
	MaxDefinition = 300_000 // bytes
	maxRevisions  = 20      // of one schema
)

// Schema is what all revisions of a schema share.
type Schema struct {
	Name   string // projects/P/schemas/S
	Kind   Kind
	Policy iam.Policy `json:",omitzero"`
}

// Revision is one definition of a schema; it never changes.
type Revision struct {
	ID         string // 8 hexadecimal digits
	Created    time.Time
	Definition string
}

// Record is a stored schema.
type Record struct {
	Schema
	Number    int64      // never used twice: it tells a schema from a later one of its name
	Revisions []Revision // at least one, the oldest first
}

// Last is the newest revision.
func (r *Record) Last() *Revision { return &r.Revisions[len(r.Revisions)-1] }

// revision returns the one with an id, or the newest for none.
func (r *Record) revision(id string) (*Revision, error) {
	if id == "" {
		return r.Last(), nil
	}
	for i := range r.Revisions {
		if r.Revisions[i].ID == id {
			return &r.Revisions[i], nil
		}
	}
	return nil, sunya.Errorf(sunya.NotFound, r.Name+"@"+id, "the schema has no such revision")
}

// Store keeps schemas. What it returns without error survives.
type Store interface {
	// CreateSchema stores a schema with its first revision; AlreadyExists.
	CreateSchema(ctx context.Context, s Schema, first Revision) (Record, error)
	// Schema returns a schema with all revisions; NotFound.
	Schema(ctx context.Context, name string) (Record, error)
	// UpdateSchema replaces what the revisions share; NotFound.
	UpdateSchema(ctx context.Context, s Schema) error
	// ListSchemas returns those of a project in byte order after a name, each
	// with its newest revision alone.
	ListSchemas(ctx context.Context, project, after string, limit int) ([]Record, error)
	// DeleteSchema removes a schema with its revisions; NotFound.
	DeleteSchema(ctx context.Context, name string) error
	// AddRevision adds the newest revision; NotFound for its schema.
	AddRevision(ctx context.Context, name string, r Revision) error
	// DeleteRevision removes one; NotFound.
	DeleteRevision(ctx context.Context, name, id string) error
}

// Language reads the definitions of one kind.
type Language interface {
	// Compile returns the form that a definition describes; the error says in
	// a few words what is wrong with it.
	Compile(definition string) (Form, error)
	// Compatible returns why messages of one form could not be read as the
	// other.
	Compatible(a, b Form) error
}

// Form is a compiled definition. It is safe for concurrent use.
type Form interface {
	// Check returns what is wrong with a message, in a few words.
	Check(e pubsub.Encoding, data []byte) error
}

// Mismatch is the error for a message that matches no revision.
type Mismatch struct {
	Schema   string // empty for one that is not stored
	Kind     Kind
	Encoding pubsub.Encoding
	Revision string // the last that was tried
	Err      error
}

// Error implements error.
func (m *Mismatch) Error() string {
	if m.Schema == "" {
		return fmt.Sprintf("message does not match the schema: %v", m.Err)
	}
	return fmt.Sprintf("message does not match revision %s of %s: %v", m.Revision, m.Schema, m.Err)
}

// SplitName reads projects/P/schemas/S, with or without @REVISION; field is what
// an error names.
func SplitName(field, name string) (base, revision string, err error) {
	base, revision, found := strings.Cut(name, "@")
	if _, err := pubsub.ParseName(field, pubsub.Schemas, base); err != nil {
		return "", "", err
	}
	if found && revision == "" {
		return "", "", sunya.Invalid(field, "%q ends with @: name a revision behind it, or leave it out", name)
	}
	return base, revision, nil
}
