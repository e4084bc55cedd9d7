package pubsub

import (
	"context"
	"maps"

	"github.com/sunya-cloud/sunya"
)

// Encoding is how the data of a message is written.
type Encoding string

// The encodings (google.pubsub.v1.Encoding).
const (
	JSON   Encoding = "JSON"
	Binary Encoding = "BINARY"
)

// Schema is what messages of a topic must match.
type Schema struct {
	Name string // projects/P/schemas/S, or DeletedSchema
	// Number tells the schema from a later one of the same name.
	Number   int64
	Encoding Encoding
	// FirstRevision and LastRevision are the ids of the oldest and the newest
	// revision that a message may match; empty: of all.
	FirstRevision string `json:",omitempty"`
	LastRevision  string `json:",omitempty"`
}

// DeletedSchema is what a topic shows for a schema that was deleted
// (google.pubsub.v1.SchemaSettings.schema).
const DeletedSchema = "_deleted-schema_"

// SchemaChecker knows schemas. It is asked at every publish to a topic that has
// one.
type SchemaChecker interface {
	// Resolve returns the number of a schema, and checks its revisions;
	// NotFound.
	Resolve(ctx context.Context, s Schema) (number int64, err error)
	// Match returns the id of the newest allowed revision that data matches.
	Match(ctx context.Context, s Schema, data []byte) (revision string, err error)
}

// check returns what can be told to be wrong without knowing the schema.
func (s *Schema) check() error {
	if s == nil || s.Name == DeletedSchema {
		return nil
	}
	if _, err := ParseName("schema_settings.schema", Schemas, s.Name); err != nil {
		return err
	}
	if s.Encoding != JSON && s.Encoding != Binary {
		return sunya.Invalid("schema_settings.encoding", "missing: use JSON or BINARY")
	}
	return nil
}

// attachSchema finds the schema that a topic names; old is what it had.
func (b *Broker) attachSchema(ctx context.Context, t *Topic, old *Schema) error {
	s := t.Schema
	switch {
	case s == nil:
		return nil
	case old != nil && (s.Name == old.Name || s.Name == DeletedSchema) &&
		s.Encoding == old.Encoding && s.FirstRevision == old.FirstRevision && s.LastRevision == old.LastRevision:
		t.Schema = old
		return nil
	case b.forms == nil:
		return sunya.Errorf(sunya.NotFound, s.Name, "the schema does not exist")
	}
	if err := s.check(); err != nil {
		return err
	}
	bound := *s
	var err error
	if bound.Number, err = b.forms.Resolve(ctx, bound); err != nil {
		return err
	}
	t.Schema = &bound
	return nil
}

// showSchema has a topic say when its schema was deleted.
func (b *Broker) showSchema(ctx context.Context, t *Topic) error {
	if t.Schema == nil {
		return nil
	}
	lost, err := b.schemaLost(ctx, t.Schema)
	if lost {
		shown := *t.Schema
		shown.Name = DeletedSchema
		t.Schema = &shown
	}
	return err
}

func (b *Broker) schemaLost(ctx context.Context, s *Schema) (bool, error) {
	if b.forms == nil {
		return true, nil
	}
	number, err := b.forms.Resolve(ctx, Schema{Name: s.Name})
	if sunya.CodeOf(err) == sunya.NotFound {
		return true, nil
	}
	return number != s.Number, err
}

// The attributes by which a subscriber learns what a message has matched
// (cloud.google.com/pubsub/docs/schemas).
const (
	schemaNameAttribute     = "googclient_schemaname"
	schemaEncodingAttribute = "googclient_schemaencoding"
	schemaRevisionAttribute = "googclient_schemarevisionid"
)

// conform checks messages by a topic's schema, and has them say which revision
// they match. All match, or none is published.
func (b *Broker) conform(ctx context.Context, s *Schema, p *publication) error {
	if s == nil || p.conforms == s {
		return nil
	}
	lost, err := b.schemaLost(ctx, s)
	if err != nil {
		return err
	}
	if lost {
		return sunya.Errorf(sunya.NotFound, p.t.name, "its schema %s was deleted: give the topic another, or none", s.Name)
	}
	for i := range p.messages {
		m := &p.messages[i]
		revision, err := b.forms.Match(ctx, *s, m.Data)
		if err != nil {
			return err
		}
		attributes := make(map[string]string, len(m.Attributes)+3)
		maps.Copy(attributes, m.Attributes)
		attributes[schemaNameAttribute] = s.Name
		attributes[schemaEncodingAttribute] = string(s.Encoding)
		attributes[schemaRevisionAttribute] = revision
		m.Attributes = attributes
	}
	p.conforms = s
	p.weigh()
	return nil
}
