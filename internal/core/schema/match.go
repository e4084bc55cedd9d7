package schema

import (
	"context"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

// form returns the compiled definition of a revision.
func (r *Registry) form(rec *Record, rev *Revision) (Form, error) {
	return r.forms.Get(formKey{rec.Number, rev.ID}, func() (Form, int64, error) {
		f, err := r.languages[rec.Kind].Compile(rev.Definition)
		return f, int64(len(rev.Definition)), err
	})
}

// Resolve implements pubsub.SchemaChecker.
func (r *Registry) Resolve(ctx context.Context, s pubsub.Schema) (number int64, err error) {
	rec, err := r.Schema(ctx, s.Name)
	if err != nil {
		return 0, err
	}
	for _, id := range []string{s.FirstRevision, s.LastRevision} {
		if _, err := rec.revision(id); err != nil {
			return 0, err
		}
	}
	if first, last := allowed(rec.Revisions, &s); first > last {
		return 0, sunya.Invalid("schema_settings.first_revision_id", "revision %s is newer than the last, %s", s.FirstRevision, s.LastRevision)
	}
	return rec.Number, nil
}

// allowed returns the places of the first and the last revision that messages
// may match; one that was deleted bounds nothing.
func allowed(all []Revision, s *pubsub.Schema) (first, last int) {
	last = len(all) - 1
	for i := range all {
		if all[i].ID == s.FirstRevision {
			first = i
		}
		if all[i].ID == s.LastRevision {
			last = i
		}
	}
	return first, last
}

// Match implements pubsub.SchemaChecker: it tries the newest revision first.
func (r *Registry) Match(ctx context.Context, s pubsub.Schema, data []byte) (revision string, err error) {
	rec, err := r.Schema(ctx, s.Name)
	if err != nil {
		return "", err
	}
	first, last := allowed(rec.Revisions, &s)
	mismatch := &Mismatch{Schema: rec.Name, Kind: rec.Kind, Encoding: s.Encoding}
	for i := last; i >= first; i-- {
		rev := &rec.Revisions[i]
		f, err := r.form(rec, rev)
		if err != nil {
			return "", err
		}
		if err = f.Check(s.Encoding, data); err == nil {
			return rev.ID, nil
		}
		mismatch.Revision, mismatch.Err = rev.ID, err
	}
	return "", mismatch
}

// ValidateStored returns a Mismatch for a message that does not match a schema's
// revision.
func (r *Registry) ValidateStored(ctx context.Context, name string, e pubsub.Encoding, data []byte) error {
	rec, rev, err := r.Get(ctx, name)
	if err != nil {
		return err
	}
	f, err := r.form(rec, rev)
	if err != nil {
		return err
	}
	if err := f.Check(e, data); err != nil {
		return &Mismatch{Schema: rec.Name, Kind: rec.Kind, Encoding: e, Revision: rev.ID, Err: err}
	}
	return nil
}

// ValidateGiven is ValidateStored for a definition that is not stored.
func (r *Registry) ValidateGiven(kind Kind, definition string, e pubsub.Encoding, data []byte) error {
	f, err := r.Compile(kind, definition)
	if err != nil {
		return err
	}
	if err := f.Check(e, data); err != nil {
		return &Mismatch{Kind: kind, Encoding: e, Err: err}
	}
	return nil
}
