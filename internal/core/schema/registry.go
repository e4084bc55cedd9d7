package schema

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/iam"
	"github.com/sunya-cloud/sunya/internal/core/memo"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// The bounds of what is remembered: schemas whole, and bytes of definitions
// whose forms are.
const (
	cachedSchemas     = 256
	cachedDefinitions = 8 << 20
)

// Registry is the schemas of a server. It is safe for concurrent use.
type Registry struct {
	store     Store
	languages map[Kind]Language
	now       func() time.Time
	forms     *memo.Map[formKey, Form]

	mu     sync.Mutex // held while schemas change, so that cached is what is stored
	cached map[string]*Record
}

type formKey struct {
	schema   int64
	revision string
}

// New returns a Registry.
func New(store Store, languages map[Kind]Language, now func() time.Time) *Registry {
	return &Registry{
		store: store, languages: languages, now: now,
		forms: memo.New[formKey, Form](cachedDefinitions), cached: map[string]*Record{},
	}
}

// Compile returns the form of a definition, or what is wrong with it.
func (r *Registry) Compile(kind Kind, definition string) (Form, error) {
	lang, ok := r.languages[kind]
	switch {
	case !ok:
		return nil, sunya.Invalid("schema.type", "%q is not a type of schema: use AVRO or PROTOCOL_BUFFER", kind)
	case definition == "":
		return nil, sunya.Invalid("schema.definition", "missing: a schema needs a definition")
	case len(definition) > MaxDefinition:
		return nil, sunya.Invalid("schema.definition", "%d bytes are too long: at most %d", len(definition), MaxDefinition)
	}
	f, err := lang.Compile(definition)
	if err != nil {
		return nil, sunya.Invalid("schema.definition", "%v", err)
	}
	return f, nil
}

// Create stores a schema with its first revision; AlreadyExists.
func (r *Registry) Create(ctx context.Context, s Schema, definition string) (*Record, error) {
	if _, err := pubsub.CheckName(pubsub.Schemas, s.Name); err != nil {
		return nil, err
	}
	if _, err := r.Compile(s.Kind, definition); err != nil {
		return nil, err
	}
	rev, err := r.newRevision(definition)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	rec, err := r.store.CreateSchema(ctx, s, rev)
	return &rec, err
}

func (r *Registry) newRevision(definition string) (Revision, error) {
	var id [4]byte
	if _, err := rand.Read(id[:]); err != nil {
		return Revision{}, err
	}
	return Revision{ID: hex.EncodeToString(id[:]), Created: r.now().UTC(), Definition: definition}, nil
}

// Schema returns a schema with its revisions, which the caller must not change;
// NotFound.
func (r *Registry) Schema(ctx context.Context, name string) (*Record, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.load(ctx, name)
}

// load is Schema for those who hold mu.
func (r *Registry) load(ctx context.Context, name string) (*Record, error) {
	if rec := r.cached[name]; rec != nil {
		return rec, nil
	}
	rec, err := r.store.Schema(ctx, name)
	if err != nil {
		return nil, err
	}
	if len(r.cached) >= cachedSchemas {
		clear(r.cached)
	}
	r.cached[name] = &rec
	return &rec, nil
}

// Get returns a schema with the revision that its name asks for, which is the
// newest if it asks for none.
func (r *Registry) Get(ctx context.Context, name string) (*Record, *Revision, error) {
	base, id, err := SplitName("name", name)
	if err != nil {
		return nil, nil, err
	}
	rec, err := r.Schema(ctx, base)
	if err != nil {
		return nil, nil, err
	}
	rev, err := rec.revision(id)
	return rec, rev, err
}

// List returns schemas of a project in byte order after a name, each with its
// newest revision alone.
func (r *Registry) List(ctx context.Context, project, after string, limit int) ([]Record, error) {
	return r.store.ListSchemas(ctx, project, after, limit)
}

// change does something to a schema and forgets what was known of it.
func (r *Registry) change(ctx context.Context, name string, do func(*Record) error) (*Record, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec, err := r.load(ctx, name)
	if err != nil {
		return nil, err
	}
	err = do(rec)
	delete(r.cached, name)
	if err != nil {
		return nil, err
	}
	return r.load(ctx, name)
}

// Commit adds a revision, which messages of the others must be able to read and
// the other way round.
func (r *Registry) Commit(ctx context.Context, name string, kind Kind, definition string) (*Record, error) {
	form, err := r.Compile(kind, definition)
	if err != nil {
		return nil, err
	}
	return r.change(ctx, name, func(rec *Record) error {
		if rec.Kind != kind {
			return sunya.Invalid("schema.type", "the schema is of type %s, which cannot be changed to %s", rec.Kind, kind)
		}
		for i := range rec.Revisions {
			old := &rec.Revisions[i]
			have, err := r.form(rec, old)
			if err != nil {
				return err
			}
			if err := r.languages[kind].Compatible(form, have); err != nil {
				return sunya.Invalid("schema.definition", "it is not compatible with revision %s: %v", old.ID, err)
			}
		}
		return r.add(ctx, rec, definition)
	})
}

// add stores a revision.
func (r *Registry) add(ctx context.Context, rec *Record, definition string) error {
	if len(rec.Revisions) >= maxRevisions {
		return sunya.Errorf(sunya.ResourceExhausted, rec.Name, "the schema has %d revisions, which is the most: delete one", maxRevisions)
	}
	rev, err := r.newRevision(definition)
	if err != nil {
		return err
	}
	return r.store.AddRevision(ctx, rec.Name, rev)
}

// Rollback adds a revision that is a copy of an older one.
func (r *Registry) Rollback(ctx context.Context, name, id string) (*Record, error) {
	if id == "" {
		return nil, sunya.Invalid("revision_id", "missing: name the revision to go back to")
	}
	return r.change(ctx, name, func(rec *Record) error {
		rev, err := rec.revision(id)
		if err != nil {
			return err
		}
		return r.add(ctx, rec, rev.Definition)
	})
}

// DeleteRevision removes a revision; the last one cannot be removed.
func (r *Registry) DeleteRevision(ctx context.Context, name, id string) (*Record, error) {
	if id == "" {
		return nil, sunya.Invalid("name", "it names no revision: add @ and its id")
	}
	return r.change(ctx, name, func(rec *Record) error {
		if _, err := rec.revision(id); err != nil {
			return err
		}
		if len(rec.Revisions) == 1 {
			return sunya.Errorf(sunya.FailedPrecondition, name+"@"+id, "a schema keeps at least one revision: delete the schema")
		}
		return r.store.DeleteRevision(ctx, name, id)
	})
}

// Delete removes a schema. Topics that use it take no more messages.
func (r *Registry) Delete(ctx context.Context, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.cached, name)
	return r.store.DeleteSchema(ctx, name)
}

// SetPolicy replaces the policy of a schema; Aborted when etag is not empty and
// not that of the policy.
func (r *Registry) SetPolicy(ctx context.Context, name string, p iam.Policy, etag string) (iam.Policy, error) {
	rec, err := r.change(ctx, name, func(rec *Record) error {
		next := rec.Schema
		var err error
		if next.Policy, err = rec.Policy.Replace(p, etag); err != nil {
			return err
		}
		return r.store.UpdateSchema(ctx, next)
	})
	if err != nil {
		return iam.Policy{}, err
	}
	return rec.Policy, nil
}
