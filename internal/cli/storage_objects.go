package cli

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/api/storage/v1"
)

func newStorageObjectsCommand(env *Env) *cobra.Command {
	cmd := group("objects", "Look at what is known of objects, and change it.",
		newObjectsListCommand(env), newObjectsDescribeCommand(env), newObjectsUpdateCommand(env))
	cmd.Example = "sunya storage objects describe gs://photos/a.jpg\nsunya storage objects update gs://photos/a.jpg --cache-control no-store"
	return cmd
}

func newObjectsListCommand(env *Env) *cobra.Command {
	var versions bool
	cmd := &cobra.Command{
		Use:     "list gs://BUCKET/PATTERN...",
		Short:   "List objects, with what is known of them.",
		Args:    args(1, 100, "gs://BUCKET/PATTERN"),
		Example: "sunya storage objects list 'gs://photos/**'\nsunya storage objects list gs://photos --format 'value(name,md5Hash)'",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStorage(cmd.Context(), env, func(a *storageAPI) error {
				found := []*storage.Object{}
				err := a.each(cmd.Context(), args, true, versions, func(m match) error {
					found = append(found, m.object)
					return nil
				})
				if err != nil {
					return err
				}
				return printList(env, found, table[*storage.Object]{
					{"NAME", func(o *storage.Object) string { return o.Name }},
					{"SIZE", func(o *storage.Object) string { return fmt.Sprint(o.Size) }},
					{"TYPE", func(o *storage.Object) string { return o.ContentType }},
					{"UPDATED", func(o *storage.Object) string { return o.Updated }},
					{"GENERATION", func(o *storage.Object) string { return fmt.Sprint(o.Generation) }},
				})
			})
		},
	}
	cmd.Flags().BoolVarP(&versions, "all-versions", "a", false, "older generations too")
	return cmd
}

func newObjectsDescribeCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "describe gs://BUCKET/OBJECT",
		Short:   "Show everything about one object.",
		Args:    args(1, 1, "gs://BUCKET/OBJECT"),
		Example: "sunya storage objects describe gs://photos/a.jpg\nsunya storage objects describe gs://photos/a.jpg --format 'value(size,md5Hash)'",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStorage(cmd.Context(), env, func(a *storageAPI) error {
				return a.each(cmd.Context(), args, false, false, func(m match) error { return printOne(env, m.object) })
			})
		},
	}
}

func newObjectsUpdateCommand(env *Env) *cobra.Command {
	var f objectFields
	var cond preconditions
	var recursive bool
	cmd := &cobra.Command{
		Use:     "update gs://BUCKET/OBJECT...",
		Short:   "Change what is known of objects.",
		Args:    args(1, 1<<20, "gs://BUCKET/OBJECT"),
		Example: "sunya storage objects update gs://photos/a.jpg --content-type image/jpeg\nsunya storage objects update -r gs://photos --cache-control public,max-age=60",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !f.any() {
				return usagef("nothing to change: name at least one flag, such as --content-type")
			}
			return withStorage(cmd.Context(), env, func(a *storageAPI) error {
				return a.each(cmd.Context(), args, recursive, false, func(m match) error {
					o := &storage.Object{}
					f.apply(o)
					call := a.Objects.Patch(m.bucket, m.name, o).Context(cmd.Context())
					if cond.generation >= 0 {
						call = call.IfGenerationMatch(cond.generation)
					}
					if cond.metageneration >= 0 {
						call = call.IfMetagenerationMatch(cond.metageneration)
					}
					_, err := call.Do()
					return said(env, err, "Updated", m.String())
				})
			})
		},
	}
	fs := cmd.Flags()
	fs.BoolVarP(&recursive, "recursive", "r", false, "folders with all that is in them")
	f.register(fs)
	f.registerUpdate(fs)
	cond.register(fs)
	return cmd
}

// registerUpdate adds the flags that take something away, and those that add to
// what is there.
func (f *objectFields) registerUpdate(fs *pflag.FlagSet) {
	for name, field := range map[string]string{
		"content-type": "ContentType", "cache-control": "CacheControl", "content-encoding": "ContentEncoding",
		"content-disposition": "ContentDisposition", "content-language": "ContentLanguage", "custom-metadata": "Metadata",
	} {
		switchFlag(fs, "clear-"+name, "take it away", func(bool) {
			f.add(func(o *storage.Object) { o.NullFields = append(o.NullFields, field) })
		})
		hide(fs, "clear-"+name)
	}
	pairsFlag(fs, "update-custom-metadata", "metadata to add: KEY=VALUE,…", func(v map[string]string) {
		f.add(func(o *storage.Object) { o.Metadata = added(o.Metadata, v) })
	})
	listFlag(fs, "remove-custom-metadata", "keys of metadata to take away", func(keys []string) {
		f.add(func(o *storage.Object) {
			o.ForceSendFields = append(o.ForceSendFields, "Metadata")
			for _, k := range keys {
				o.NullFields = append(o.NullFields, "Metadata."+k)
			}
		})
	})
}
