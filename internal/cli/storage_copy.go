package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/storage/v1"
)

// transfers is how many objects are on their way at once.
const transfers = 8

// copyFlags are the flags of cp and mv.
type copyFlags struct {
	recursive  bool
	noClobber  bool
	goOn       bool
	listed     bool // sources come on standard input
	created    bool
	compressed bool
	gzip       []string // endings of files that are compressed on their way up
	gzipAll    bool
	cond       preconditions
	meta       objectFields
}

func (f *copyFlags) register(fs *pflag.FlagSet) {
	fs.BoolVarP(&f.recursive, "recursive", "r", false, "folders with all that is in them (also -R)")
	fs.BoolVarP(&f.recursive, "recursive-too", "R", false, "")
	fs.BoolVarP(&f.noClobber, "no-clobber", "n", false, "replace nothing")
	fs.BoolVarP(&f.goOn, "continue-on-error", "c", false, "do the others when one fails")
	fs.BoolVarP(&f.listed, "read-paths-from-stdin", "I", false, "sources are the lines of standard input")
	fs.BoolVarP(&f.created, "print-created-message", "v", false, "print what was made, with its generation")
	fs.BoolVar(&f.compressed, "do-not-decompress", false, "write what is stored with gzip as it is")
	fs.StringSliceVarP(&f.gzip, "gzip-local", "z", nil, "store files with these endings (txt,html) with gzip")
	fs.BoolVarP(&f.gzipAll, "gzip-local-all", "Z", false, "store all files with gzip")
	f.cond.register(fs)
	f.meta.register(fs)
	hide(fs, "recursive-too")
}

func newStorageCopyCommand(env *Env) *cobra.Command {
	f := &copyFlags{}
	cmd := &cobra.Command{
		Use:     "cp SOURCE... DESTINATION",
		Short:   "Copy files and objects: up, down and within; - is a stream.",
		Args:    args(1, 1<<20, "a source or the destination"),
		Example: "sunya storage cp -r holiday gs://photos\nsunya storage cp 'gs://photos/**/x*.jpg' .",
		RunE:    func(cmd *cobra.Command, args []string) error { return runCopy(cmd.Context(), env, f, args, false) },
	}
	f.register(cmd.Flags())
	return cmd
}

func newStorageMoveCommand(env *Env) *cobra.Command {
	f := &copyFlags{}
	cmd := &cobra.Command{
		Use:     "mv SOURCE... DESTINATION",
		Short:   "Copy, and delete each source once its copy is stored.",
		Args:    args(1, 1<<20, "a source or the destination"),
		Example: "sunya storage mv gs://photos/new.jpg gs://photos/old.jpg\nsunya storage mv gs://photos/2025 gs://archive",
		RunE: func(cmd *cobra.Command, args []string) error {
			f.recursive = true
			return runCopy(cmd.Context(), env, f, args, true)
		},
	}
	f.register(cmd.Flags())
	hide(cmd.Flags(), "recursive")
	return cmd
}

// job is one object or file to be copied.
type job struct {
	from, to place
	object   *storage.Object // of the source, where it is one
}

// copier copies.
type copier struct {
	env   *Env
	api   *storageAPI
	flags *copyFlags
	show  *copying
	move  bool
	fails failures
}

func runCopy(ctx context.Context, env *Env, f *copyFlags, args []string, move bool) error {
	if f.listed {
		var sources []string
		lines := bufio.NewScanner(env.Stdin)
		for lines.Scan() {
			sources = append(sources, strings.TrimSpace(lines.Text()))
		}
		if err := lines.Err(); err != nil {
			return fmt.Errorf("read sources: %w", err)
		}
		args = append(sources, args...)
	}
	if len(args) < 2 {
		return usagef("the destination is missing")
	}
	to, err := parsePlace(args[len(args)-1])
	if err != nil {
		return err
	}
	if to.buckets || to.cloud() && isPattern(to.name) {
		return usagef("%s: a destination is one place, without wildcards", to)
	}
	return withStorage(ctx, env, func(a *storageAPI) error {
		c := &copier{env: env, api: a, flags: f, show: newCopying(env), move: move, fails: failures{env: env, goOn: f.goOn}}
		if err := c.run(ctx, args[:len(args)-1], to); err != nil {
			return err
		}
		c.show.end(map[bool]string{false: "Copied", true: "Moved"}[move])
		return c.fails.end()
	})
}

// run copies several at a time; to a stream one after the other.
func (c *copier) run(ctx context.Context, sources []string, to place) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(transfers)
	if to.stream() {
		group.SetLimit(1)
	}
	err := c.plan(ctx, sources, to, func(j job) error {
		group.Go(func() error { return c.fails.take(c.copy(ctx, j)) })
		return context.Cause(ctx)
	})
	if failed := group.Wait(); failed != nil {
		return failed
	}
	return err
}

// copy does one job, and what mv does after it.
func (c *copier) copy(ctx context.Context, j job) error {
	done, err := c.transfer(ctx, j)
	if err != nil {
		return fmt.Errorf("copy %s: %w", j.from, err)
	}
	if !done {
		return nil
	}
	c.show.done()
	if !c.move {
		return nil
	}
	return c.remove(ctx, j)
}

// transfer copies unless there is something that must not be replaced.
func (c *copier) transfer(ctx context.Context, j job) (done bool, err error) {
	what := "Copying"
	if c.move {
		what = "Moving"
	}
	c.show.begin(what, j.from, j.to)
	switch {
	case j.from.cloud() && j.to.cloud():
		err = c.rewrite(ctx, j)
	case j.to.cloud():
		err = c.upload(ctx, j)
	case j.from.cloud():
		err = c.download(ctx, j)
	default:
		return false, usagef("%s and %s are both on this machine: use cp without sunya", j.from, j.to)
	}
	if c.flags.noClobber && (present(err) || errors.Is(err, errExists)) {
		c.show.notice(fmt.Sprintf("Skipping %s: %s exists", j.from, j.to))
		return false, nil
	}
	return err == nil, err
}

var errExists = errors.New("it exists")

// ifGeneration is what must be at the destination: below 0 anything.
func (c *copier) ifGeneration() int64 {
	if c.flags.noClobber {
		return 0
	}
	return c.flags.cond.generation
}

// made says what was made, to those who asked.
func (c *copier) made(o *storage.Object) {
	if c.flags.created {
		c.show.notice(fmt.Sprintf("Created: gs://%s/%s#%d", o.Bucket, o.Name, o.Generation))
	}
}
