package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	pb "cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newSchemasCommand(env *Env) *cobra.Command {
	cmd := group("schemas", "Look after the schemas that messages must match.",
		newSchemasCreateCommand(env), newSchemasListCommand(env), newSchemasDescribeCommand(env), newSchemasDeleteCommand(env),
		newSchemasCommitCommand(env), newSchemasRollbackCommand(env), newSchemasListRevisionsCommand(env), newSchemasDeleteRevisionCommand(env),
		newSchemasValidateSchemaCommand(env), newSchemasValidateMessageCommand(env))
	cmd.Example = "sunya pubsub schemas create letter --type avro --definition-file letter.avsc\nsunya pubsub topics create letters --schema letter --message-encoding json"
	return cmd
}

// definition is a schema as flags give it.
type definition struct{ kind, text, file string }

func (d *definition) register(fs *pflag.FlagSet) {
	fs.StringVar(&d.kind, "type", "", "avro or protocol-buffer")
	fs.StringVar(&d.text, "definition", "", "the definition")
	fs.StringVar(&d.file, "definition-file", "", "a file that has it")
}

func (d *definition) given() bool { return d.kind+d.text+d.file != "" }

func (d *definition) schema(env *Env) (*pb.Schema, error) {
	kind, ok := pb.Schema_Type_value[strings.ToUpper(strings.ReplaceAll(d.kind, "-", "_"))]
	switch {
	case !ok || kind == 0:
		return nil, usagef("--type: %q is not a type: use avro or protocol-buffer", d.kind)
	case (d.text == "") == (d.file == ""):
		return nil, usagef("give either --definition or --definition-file")
	case d.text != "":
		return &pb.Schema{Type: pb.Schema_Type(kind), Definition: d.text}, nil
	}
	path := d.file
	if !filepath.IsAbs(path) {
		path = filepath.Join(env.Dir, path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("--definition-file: %v", err)
	}
	return &pb.Schema{Type: pb.Schema_Type(kind), Definition: string(raw)}, nil
}

// withSchema calls the API with the schema of the flags.
func withSchema(ctx context.Context, env *Env, d *definition, do func(*pubsubAPI, *pb.Schema) error) error {
	s, err := d.schema(env)
	if err != nil {
		return err
	}
	return withPubSub(ctx, env, func(a *pubsubAPI) error { return do(a, s) })
}

func newSchemasCreateCommand(env *Env) *cobra.Command {
	var d definition
	cmd := &cobra.Command{
		Use:     "create SCHEMA --type TYPE (--definition TEXT | --definition-file FILE)",
		Short:   "Create a schema.",
		Args:    args(1, 1, "the name of a schema"),
		Example: "sunya pubsub schemas create letter --type avro --definition-file letter.avsc\nsunya pubsub schemas create note --type protocol-buffer --definition 'syntax = \"proto3\"; message Note { string text = 1; }'",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withSchema(cmd.Context(), env, &d, func(a *pubsubAPI, s *pb.Schema) error {
				_, err := a.schemas.CreateSchema(cmd.Context(), &pb.CreateSchemaRequest{Parent: "projects/" + a.project, SchemaId: args[0], Schema: s})
				return said(env, err, "Created schema", args[0])
			})
		},
	}
	d.register(cmd.Flags())
	return cmd
}

func newSchemasListCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the schemas of a project.",
		Args:    args(0, 0, ""),
		Example: "sunya pubsub schemas list\nsunya pubsub schemas list --format 'value(name)'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				found, err := pages(func(token string) ([]*pb.Schema, string, error) {
					r, err := a.schemas.ListSchemas(cmd.Context(), &pb.ListSchemasRequest{Parent: "projects/" + a.project, PageToken: token, PageSize: 1000})
					return r.GetSchemas(), r.GetNextPageToken(), err
				})
				if err != nil {
					return err
				}
				return printList(env, found, schemaTable)
			})
		},
	}
}

var schemaTable = table[*pb.Schema]{
	{"SCHEMA", func(s *pb.Schema) string { return lastOf(s.GetName()) }},
	{"TYPE", func(s *pb.Schema) string { return s.GetType().String() }},
	{"REVISION", func(s *pb.Schema) string { return s.GetRevisionId() }},
	{"CREATED", func(s *pb.Schema) string { return s.GetRevisionCreateTime().AsTime().Format(time.RFC3339) }},
}

func newSchemasDescribeCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "describe SCHEMA[@REVISION]",
		Short:   "Show a schema with its definition.",
		Args:    args(1, 1, "the name of a schema"),
		Example: "sunya pubsub schemas describe letter\nsunya pubsub schemas describe letter@0f3a2b1c --format 'value(definition)'",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				s, err := a.schemas.GetSchema(cmd.Context(), &pb.GetSchemaRequest{Name: a.schema(args[0]), View: pb.SchemaView_FULL})
				if err != nil {
					return err
				}
				return printOne(env, s)
			})
		},
	}
}

func newSchemasDeleteCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "delete SCHEMA...",
		Short:   "Delete schemas; topics that use them take no more messages.",
		Args:    args(1, 100, "the name of a schema"),
		Example: "sunya pubsub schemas delete letter\nsunya pubsub schemas delete letter note",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				return each(env, "Deleted schema", args, func(id string) error {
					_, err := a.schemas.DeleteSchema(cmd.Context(), &pb.DeleteSchemaRequest{Name: a.schema(id)})
					return err
				})
			})
		},
	}
}

func newSchemasCommitCommand(env *Env) *cobra.Command {
	var d definition
	cmd := &cobra.Command{
		Use:     "commit SCHEMA --type TYPE (--definition TEXT | --definition-file FILE)",
		Short:   "Add a revision, which must be compatible with the others.",
		Args:    args(1, 1, "the name of a schema"),
		Example: "sunya pubsub schemas commit letter --type avro --definition-file letter.avsc\nsunya pubsub schemas commit note --type protocol-buffer --definition-file note.proto",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withSchema(cmd.Context(), env, &d, func(a *pubsubAPI, s *pb.Schema) error {
				s.Name = a.schema(args[0])
				s, err := a.schemas.CommitSchema(cmd.Context(), &pb.CommitSchemaRequest{Name: s.Name, Schema: s})
				return said(env, err, "Committed revision", s.GetRevisionId())
			})
		},
	}
	d.register(cmd.Flags())
	return cmd
}

func newSchemasRollbackCommand(env *Env) *cobra.Command {
	var revision string
	cmd := &cobra.Command{
		Use:     "rollback SCHEMA --revision-id REVISION",
		Short:   "Add a revision that is a copy of an older one.",
		Args:    args(1, 1, "the name of a schema"),
		Example: "sunya pubsub schemas rollback letter --revision-id 0f3a2b1c\nsunya pubsub schemas rollback letter --revision-id 0f3a2b1c --format json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				s, err := a.schemas.RollbackSchema(cmd.Context(), &pb.RollbackSchemaRequest{Name: a.schema(args[0]), RevisionId: revision})
				return said(env, err, "Committed revision", s.GetRevisionId())
			})
		},
	}
	cmd.Flags().StringVar(&revision, "revision-id", "", "the revision to go back to")
	return cmd
}

func newSchemasListRevisionsCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "list-revisions SCHEMA",
		Short:   "List the revisions of a schema, the oldest first.",
		Args:    args(1, 1, "the name of a schema"),
		Example: "sunya pubsub schemas list-revisions letter\nsunya pubsub schemas list-revisions letter --format json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				r, err := a.schemas.ListSchemaRevisions(cmd.Context(), &pb.ListSchemaRevisionsRequest{Name: a.schema(args[0]), PageSize: 1000, View: pb.SchemaView_FULL})
				if err != nil {
					return err
				}
				return printList(env, r.GetSchemas(), schemaTable)
			})
		},
	}
}

func newSchemasDeleteRevisionCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "delete-revision SCHEMA@REVISION",
		Short:   "Delete one revision of a schema.",
		Args:    args(1, 1, "the name of a schema with a revision"),
		Example: "sunya pubsub schemas delete-revision letter@0f3a2b1c\nsunya pubsub schemas delete-revision projects/sunya/schemas/letter@0f3a2b1c",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				_, err := a.schemas.DeleteSchemaRevision(cmd.Context(), &pb.DeleteSchemaRevisionRequest{Name: a.schema(args[0])})
				return said(env, err, "Deleted revision", args[0])
			})
		},
	}
}

func newSchemasValidateSchemaCommand(env *Env) *cobra.Command {
	var d definition
	cmd := &cobra.Command{
		Use:     "validate-schema --type TYPE (--definition TEXT | --definition-file FILE)",
		Short:   "Say whether a definition is one.",
		Args:    args(0, 0, ""),
		Example: "sunya pubsub schemas validate-schema --type avro --definition-file letter.avsc\nsunya pubsub schemas validate-schema --type protocol-buffer --definition-file note.proto",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSchema(cmd.Context(), env, &d, func(a *pubsubAPI, s *pb.Schema) error {
				_, err := a.schemas.ValidateSchema(cmd.Context(), &pb.ValidateSchemaRequest{Parent: "projects/" + a.project, Schema: s})
				if err == nil {
					fmt.Fprintln(env.Stderr, "Schema is valid.")
				}
				return err
			})
		},
	}
	d.register(cmd.Flags())
	return cmd
}

// encodingFlag is how messages are written: json or binary.
func encodingFlag(fs *pflag.FlagSet, set func(pb.Encoding)) {
	textFlag(fs, "message-encoding", "json or binary", func(v string) error {
		e := pb.Encoding_value[strings.ToUpper(v)]
		if e == 0 {
			return fmt.Errorf("%q is not an encoding: use json or binary", v)
		}
		set(pb.Encoding(e))
		return nil
	})
}

func newSchemasValidateMessageCommand(env *Env) *cobra.Command {
	var d definition
	var message, name string
	var encoding pb.Encoding
	cmd := &cobra.Command{
		Use:     "validate-message --message TEXT --message-encoding ENCODING (--schema-name SCHEMA | --type TYPE …)",
		Short:   "Say whether a message matches a schema.",
		Args:    args(0, 0, ""),
		Example: "sunya pubsub schemas validate-message --message '{\"text\":\"hello\"}' --message-encoding json --schema-name letter\nsunya pubsub schemas validate-message --message '{}' --message-encoding json --type avro --definition-file letter.avsc",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (name == "") == !d.given() {
				return usagef("give either --schema-name, or --type with a definition")
			}
			return withPubSub(cmd.Context(), env, func(a *pubsubAPI) error {
				r := &pb.ValidateMessageRequest{Parent: "projects/" + a.project, Message: []byte(message), Encoding: encoding}
				if name != "" {
					r.SchemaSpec = &pb.ValidateMessageRequest_Name{Name: a.schema(name)}
				} else {
					s, err := d.schema(env)
					if err != nil {
						return err
					}
					r.SchemaSpec = &pb.ValidateMessageRequest_Schema{Schema: s}
				}
				_, err := a.schemas.ValidateMessage(cmd.Context(), r)
				if err == nil {
					fmt.Fprintln(env.Stderr, "Message is valid.")
				}
				return err
			})
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&message, "message", "", "the message")
	encodingFlag(fs, func(e pb.Encoding) { encoding = e })
	fs.StringVar(&name, "schema-name", "", "a schema that exists")
	d.register(fs)
	return cmd
}
