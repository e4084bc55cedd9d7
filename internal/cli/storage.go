package cli

import (
	"context"
	"fmt"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"github.com/sunya-cloud/sunya"
)

func newStorageCommand(env *Env) *cobra.Command {
	cmd := group("storage", "Copy, list and delete objects, and look after buckets.",
		newStorageCopyCommand(env), newStorageMoveCommand(env), newStorageListCommand(env), newStorageCatCommand(env),
		newStorageRemoveCommand(env), newStorageRsyncCommand(env), newStorageUsageCommand(env), newStorageHashCommand(env),
		newStorageSignCommand(env), newStorageObjectsCommand(env), newStorageBucketsCommand(env),
		newMakeBucketCommand(env), newRemoveBucketCommand(env))
	cmd.Example = "sunya storage buckets create gs://photos\nsunya storage cp -r holiday gs://photos\n" +
		"sunya storage ls 'gs://photos/**.jpg'\nsunya storage rm -r gs://photos/holiday"
	return cmd
}

// storageAPI is the API of Cloud Storage in a project.
type storageAPI struct {
	*client
	*storage.Service
}

func withStorage(ctx context.Context, env *Env, do func(*storageAPI) error) error {
	c, err := connect(ctx, env)
	if err != nil {
		return err
	}
	defer c.close()
	svc, err := storage.NewService(ctx, option.WithHTTPClient(c.http), option.WithEndpoint(c.base.String()+"/storage/v1/"))
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	return do(&storageAPI{c, svc})
}

// listPage is how many objects one request lists.
const listPage = 1000

// list hands on every object below a prefix. With a delimiter, what lies deeper
// is one prefix. The pages come one after the other, so that a bucket may be
// larger than memory.
func (a *storageAPI) list(ctx context.Context, bucket, prefix, delimiter string, versions bool, object func(*storage.Object) error, folder func(string) error) error {
	return a.Objects.List(bucket).Prefix(prefix).Delimiter(delimiter).Versions(versions).MaxResults(listPage).
		Pages(ctx, func(page *storage.Objects) error {
			for _, o := range page.Items {
				if err := object(o); err != nil {
					return err
				}
			}
			for _, p := range page.Prefixes {
				if err := folder(p); err != nil {
					return err
				}
			}
			return nil
		})
}

// hasFolder reports whether there are objects below a name.
func (a *storageAPI) hasFolder(ctx context.Context, bucket, name string) (bool, error) {
	page, err := a.Objects.List(bucket).Prefix(folder(name)).MaxResults(1).Context(ctx).Do()
	if err != nil {
		return false, err
	}
	return len(page.Items) > 0, nil
}

// find returns an object, nil when there is none.
func (a *storageAPI) find(ctx context.Context, p place) (*storage.Object, error) {
	call := a.Objects.Get(p.bucket, p.name).Context(ctx)
	if p.generation != 0 {
		call = call.Generation(p.generation)
	}
	o, err := call.Do()
	if codeOf(err) == sunya.NotFound {
		return nil, nil
	}
	return o, err
}

// preconditions are what must hold of the object that a command changes.
type preconditions struct {
	generation, metageneration int64 // below 0: any
}

func (c *preconditions) register(fs *pflag.FlagSet) {
	c.generation, c.metageneration = -1, -1
	number := func(to *int64) func(string) error {
		return func(v string) error {
			n, err := parseGeneration(v)
			*to = n
			return err
		}
	}
	textFlag(fs, "if-generation-match", "only if this is the generation of what is there; 0: only if nothing is", number(&c.generation))
	textFlag(fs, "if-metageneration-match", "only if this is its metageneration", number(&c.metageneration))
}

// failures keeps count of what failed where the rest is done all the same. It is
// safe for concurrent use.
type failures struct {
	env  *Env
	goOn bool

	mu    sync.Mutex
	first error
	n     int
}

// take notes an error, and returns it where nothing more shall be done.
func (f *failures) take(err error) error {
	if err == nil || !f.goOn {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	if f.first == nil {
		f.first = err
	}
	f.env.warnf("%s", message(err))
	return nil
}

// end is the error of a command that went on.
func (f *failures) end() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n > 1 {
		return fmt.Errorf("%d failed, this one first: %w", f.n, f.first)
	}
	return f.first
}
