package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// removeFlags are the flags of rm.
type removeFlags struct {
	recursive, versions, goOn, yes bool
	cond                           preconditions
}

func newStorageRemoveCommand(env *Env) *cobra.Command {
	f := &removeFlags{}
	cmd := &cobra.Command{
		Use:   "rm gs://BUCKET/OBJECT...",
		Short: "Delete objects; with -r folders, and buckets with all that is in them.",
		Args:  args(1, 1<<20, "gs://BUCKET/OBJECT"),
		Long: "gs://BUCKET/** means all objects and leaves the bucket; gs://BUCKET with -r\n" +
			"deletes it too.",
		Example: "sunya storage rm gs://photos/a.jpg 'gs://photos/holiday/*.tmp'\nsunya storage rm -r gs://photos/holiday",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStorage(cmd.Context(), env, func(a *storageAPI) error { return a.rm(cmd.Context(), env, f, args) })
		},
	}
	fs := cmd.Flags()
	fs.BoolVarP(&f.recursive, "recursive", "r", false, "folders and buckets with all that is in them (also -R)")
	fs.BoolVarP(&f.recursive, "recursive-too", "R", false, "")
	fs.BoolVarP(&f.versions, "all-versions", "a", false, "all generations, not only the live one")
	fs.BoolVarP(&f.goOn, "continue-on-error", "c", false, "do the others when one fails")
	fs.BoolVar(&f.yes, "yes", false, "do not ask before a bucket goes")
	f.cond.register(fs)
	hide(fs, "recursive-too")
	return cmd
}

func (a *storageAPI) rm(ctx context.Context, env *Env, f *removeFlags, args []string) error {
	buckets, err := wholeBuckets(args)
	if err != nil {
		return err
	}
	if len(buckets) > 0 && !f.recursive {
		return usagef("gs://%s is a bucket: use --recursive to delete it with all that is in it", buckets[0])
	}
	for _, b := range buckets {
		if err := confirm(env, f.yes, fmt.Sprintf("Bucket gs://%s will be deleted with all that is in it.", b)); err != nil {
			return err
		}
	}
	if err := a.removeAll(ctx, env, f, args, len(buckets) > 0); err != nil {
		return err
	}
	for _, b := range buckets {
		if err := said(env, a.Buckets.Delete(b).Context(ctx).Do(), "Removed bucket", "gs://"+b); err != nil {
			return err
		}
	}
	return nil
}

// wholeBuckets are the arguments that name no object.
func wholeBuckets(args []string) ([]string, error) {
	var out []string
	for _, arg := range args {
		p, err := parseObject(arg)
		if err != nil {
			return nil, err
		}
		if p.name == "" {
			out = append(out, p.bucket)
		}
	}
	return out, nil
}

func (a *storageAPI) removeAll(ctx context.Context, env *Env, f *removeFlags, args []string, versions bool) error {
	fails := failures{env: env, goOn: f.goOn}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(transfers)
	err := a.each(ctx, args, f.recursive, f.versions || versions, func(m match) error {
		group.Go(func() error { return fails.take(a.remove(ctx, env, m, f.cond)) })
		return context.Cause(ctx)
	})
	if failed := group.Wait(); failed != nil {
		return failed
	}
	if err != nil {
		return err
	}
	return fails.end()
}

func (a *storageAPI) remove(ctx context.Context, env *Env, m match, cond preconditions) error {
	call := a.Objects.Delete(m.bucket, m.name).Context(ctx)
	if m.generation != 0 {
		call = call.Generation(m.generation)
	}
	if cond.generation >= 0 {
		call = call.IfGenerationMatch(cond.generation)
	}
	if cond.metageneration >= 0 {
		call = call.IfMetagenerationMatch(cond.metageneration)
	}
	if err := call.Do(); err != nil {
		return fmt.Errorf("remove %s: %w", m, err)
	}
	if env.flags.talk("warning") {
		fmt.Fprintf(env.Stderr, "Removed %s.\n", printable(m.String()))
	}
	return nil
}
