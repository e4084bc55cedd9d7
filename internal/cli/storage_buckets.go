package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/api/storage/v1"
)

func newStorageBucketsCommand(env *Env) *cobra.Command {
	cmd := group("buckets", "Look after buckets.",
		newBucketsCreateCommand(env), newBucketsListCommand(env), newBucketsDescribeCommand(env), newBucketsUpdateCommand(env),
		newNotificationsCommand(env), newBucketsDeleteCommand(env))
	cmd.Example = "sunya storage buckets create gs://photos\nsunya storage buckets update gs://photos --versioning"
	return cmd
}

// newMakeBucketCommand is gsutil's spelling of buckets create.
func newMakeBucketCommand(env *Env) *cobra.Command {
	cmd := newBucketsCreateCommand(env)
	cmd.Use = strings.Replace(cmd.Use, "create", "mb", 1)
	cmd.Short = "Create buckets, as gsutil says it."
	cmd.Example = "sunya storage mb gs://photos\nsunya storage mb gs://photos --location eu"
	return cmd
}

// newRemoveBucketCommand is gsutil's spelling of buckets delete.
func newRemoveBucketCommand(env *Env) *cobra.Command {
	cmd := newBucketsDeleteCommand(env)
	cmd.Use = strings.Replace(cmd.Use, "delete", "rb", 1)
	cmd.Short = "Delete empty buckets, as gsutil says it."
	cmd.Example = "sunya storage rb gs://photos\nsunya storage rb gs://photos gs://archive"
	return cmd
}

// bucketFields are what flags say of a bucket.
type bucketFields struct {
	set []func(dir string, b *storage.Bucket) error
}

func (f *bucketFields) add(set func(*storage.Bucket)) {
	f.set = append(f.set, func(_ string, b *storage.Bucket) error { set(b); return nil })
}

func (f *bucketFields) apply(env *Env, b *storage.Bucket) error {
	for _, set := range f.set {
		if err := set(env.Dir, b); err != nil {
			return err
		}
	}
	return nil
}

// register adds the flags that create and update share.
func (f *bucketFields) register(fs *pflag.FlagSet) {
	textFlag(fs, "default-storage-class", "kept and returned; there is one kind of disk here", func(v string) error {
		f.add(func(b *storage.Bucket) { b.StorageClass = strings.ToUpper(v) })
		return nil
	})
	switchFlag(fs, "uniform-bucket-level-access", "access by policies alone, without lists on objects", func(yes bool) {
		f.add(func(b *storage.Bucket) {
			b.IamConfiguration = &storage.BucketIamConfiguration{UniformBucketLevelAccess: &storage.BucketIamConfigurationUniformBucketLevelAccess{
				Enabled: yes, ForceSendFields: []string{"Enabled"},
			}}
		})
	})
	textFlag(fs, "soft-delete-duration", "keep what is deleted for so long (7d to 90d, 0: not)", func(v string) error {
		d, err := parseSpan(v)
		f.add(func(b *storage.Bucket) {
			b.SoftDeletePolicy = &storage.BucketSoftDeletePolicy{RetentionDurationSeconds: int64(d.Seconds()), ForceSendFields: []string{"RetentionDurationSeconds"}}
		})
		return err
	})
}

// registerUpdate adds the flags that only update has.
func (f *bucketFields) registerUpdate(fs *pflag.FlagSet) {
	switchFlag(fs, "versioning", "keep older generations", func(yes bool) {
		f.add(func(b *storage.Bucket) {
			b.Versioning = &storage.BucketVersioning{Enabled: yes, ForceSendFields: []string{"Enabled"}}
		})
	})
	f.fileFlag(fs, "lifecycle-file", "rules of what is deleted when (JSON)", func(raw []byte, b *storage.Bucket) error {
		var doc struct {
			Lifecycle *storage.BucketLifecycle `json:"lifecycle"`
			storage.BucketLifecycle
		}
		err := json.Unmarshal(raw, &doc)
		if b.Lifecycle = doc.Lifecycle; b.Lifecycle == nil {
			b.Lifecycle = &doc.BucketLifecycle
		}
		return err
	})
	f.fileFlag(fs, "cors-file", "which web pages may read it (JSON)", func(raw []byte, b *storage.Bucket) error { return json.Unmarshal(raw, &b.Cors) })
	clear := func(name, field string) {
		switchFlag(fs, name, "", func(bool) { f.add(func(b *storage.Bucket) { b.NullFields = append(b.NullFields, field) }) })
		hide(fs, name)
	}
	clear("clear-lifecycle", "Lifecycle")
	clear("clear-cors", "Cors")
	clear("clear-labels", "Labels")
	clear("clear-default-storage-class", "StorageClass")
	pairsFlag(fs, "update-labels", "labels: KEY=VALUE,…", func(v map[string]string) {
		f.add(func(b *storage.Bucket) { b.Labels = added(b.Labels, v) })
	})
	listFlag(fs, "remove-labels", "labels to take off", func(keys []string) {
		f.add(func(b *storage.Bucket) {
			b.ForceSendFields = append(b.ForceSendFields, "Labels")
			for _, k := range keys {
				b.NullFields = append(b.NullFields, "Labels."+k)
			}
		})
	})
	textFlag(fs, "web-main-page-suffix", "what stands for a folder: index.html", func(v string) error {
		f.add(func(b *storage.Bucket) { website(b).MainPageSuffix = v })
		return nil
	})
	textFlag(fs, "web-error-page", "what stands for an object that is not there: 404.html", func(v string) error {
		f.add(func(b *storage.Bucket) { website(b).NotFoundPage = v })
		return nil
	})
	hide(fs, "remove-labels", "web-main-page-suffix", "web-error-page")
}

func website(b *storage.Bucket) *storage.BucketWebsite {
	if b.Website == nil {
		b.Website = &storage.BucketWebsite{}
	}
	return b.Website
}

// fileFlag is a flag that names a file of JSON.
func (f *bucketFields) fileFlag(fs *pflag.FlagSet, name, usage string, set func([]byte, *storage.Bucket) error) {
	textFlag(fs, name, usage, func(file string) error {
		f.set = append(f.set, func(dir string, b *storage.Bucket) error {
			path := file
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			raw, err := os.ReadFile(path)
			if err != nil {
				return usagef("--%s: %v", name, err)
			}
			if err := set(raw, b); err != nil {
				return usagef("--%s: %s: %v", name, file, err)
			}
			return nil
		})
		return nil
	})
}

func newBucketsCreateCommand(env *Env) *cobra.Command {
	var f bucketFields
	var location string
	cmd := &cobra.Command{
		Use:     "create gs://BUCKET...",
		Short:   "Create buckets.",
		Args:    args(1, 100, "gs://BUCKET"),
		Example: "sunya storage buckets create gs://photos\nsunya storage buckets create gs://photos --location eu --uniform-bucket-level-access",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStorage(cmd.Context(), env, func(a *storageAPI) error {
				return eachBucket(env, "Created bucket", args, func(name string) error {
					b := &storage.Bucket{Name: name, Location: strings.ToUpper(location)}
					if err := f.apply(env, b); err != nil {
						return err
					}
					_, err := a.Buckets.Insert(a.project, b).Context(cmd.Context()).Do()
					return err
				})
			})
		},
	}
	cmd.Flags().StringVarP(&location, "location", "l", "", "kept and returned: it is on this machine all the same")
	f.register(cmd.Flags())
	return cmd
}

func eachBucket(env *Env, what string, args []string, do func(name string) error) error {
	names := make([]string, len(args))
	for i, arg := range args {
		name, err := parseBucket(arg)
		if err != nil {
			return err
		}
		names[i] = name
	}
	return each(env, what, names, do)
}

func newBucketsListCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "list [gs://PATTERN]",
		Short:   "List the buckets of a project.",
		Args:    args(0, 1, "gs://PATTERN"),
		Example: "sunya storage buckets list\nsunya storage buckets list 'gs://photos*' --format 'value(name)'",
		RunE: func(cmd *cobra.Command, args []string) error {
			p := place{buckets: true}
			if len(args) > 0 {
				var err error
				if p, err = parsePlace(args[0]); err != nil || !p.cloud() || p.name != "" {
					return usagef("%q: write gs://PATTERN", args[0])
				}
			}
			return withStorage(cmd.Context(), env, func(a *storageAPI) error {
				found, err := a.buckets(cmd.Context(), p)
				if err != nil {
					return err
				}
				return printList(env, found, table[*storage.Bucket]{
					{"BUCKET", func(b *storage.Bucket) string { return b.Name }},
					{"LOCATION", func(b *storage.Bucket) string { return b.Location }},
					{"VERSIONING", func(b *storage.Bucket) string {
						if b.Versioning != nil && b.Versioning.Enabled {
							return "on"
						}
						return ""
					}},
					{"CREATED", func(b *storage.Bucket) string { return b.TimeCreated }},
				})
			})
		},
	}
}

func (a *storageAPI) buckets(ctx context.Context, p place) ([]*storage.Bucket, error) {
	found := []*storage.Bucket{}
	err := a.expandBuckets(ctx, p, func(name string) error {
		b, err := a.Buckets.Get(name).Context(ctx).Do()
		found = append(found, b)
		return err
	})
	return found, err
}

func newBucketsDescribeCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "describe gs://BUCKET",
		Short:   "Show everything about one bucket.",
		Args:    args(1, 1, "gs://BUCKET"),
		Example: "sunya storage buckets describe gs://photos\nsunya storage buckets describe gs://photos --format 'value(versioning.enabled)'",
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := parseBucket(args[0])
			if err != nil {
				return err
			}
			return withStorage(cmd.Context(), env, func(a *storageAPI) error {
				b, err := a.Buckets.Get(name).Context(cmd.Context()).Do()
				if err != nil {
					return err
				}
				return printOne(env, b)
			})
		},
	}
}

func newBucketsUpdateCommand(env *Env) *cobra.Command {
	var f bucketFields
	cmd := &cobra.Command{
		Use:     "update gs://BUCKET...",
		Short:   "Change buckets.",
		Args:    args(1, 100, "gs://BUCKET"),
		Example: "sunya storage buckets update gs://photos --versioning\nsunya storage buckets update gs://photos --lifecycle-file rules.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(f.set) == 0 {
				return usagef("nothing to change: name at least one flag, such as --versioning")
			}
			return withStorage(cmd.Context(), env, func(a *storageAPI) error {
				return eachBucket(env, "Updated bucket", args, func(name string) error {
					b := &storage.Bucket{}
					if err := f.apply(env, b); err != nil {
						return err
					}
					_, err := a.Buckets.Patch(name, b).Context(cmd.Context()).Do()
					return err
				})
			})
		},
	}
	f.register(cmd.Flags())
	f.registerUpdate(cmd.Flags())
	return cmd
}

func newBucketsDeleteCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:     "delete gs://BUCKET...",
		Short:   "Delete empty buckets.",
		Args:    args(1, 100, "gs://BUCKET"),
		Example: "sunya storage buckets delete gs://photos\nsunya storage rm -r gs://photos   (with all that is in it)",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStorage(cmd.Context(), env, func(a *storageAPI) error {
				return eachBucket(env, "Deleted bucket", args, func(name string) error {
					return a.Buckets.Delete(name).Context(cmd.Context()).Do()
				})
			})
		},
	}
}
