package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/storage/v1"
)

// rsyncFlags are the flags of rsync.
type rsyncFlags struct {
	copyFlags
	delete, dry, sums bool
	exclude           []string
	excludes          []*regexp.Regexp
}

func newStorageRsyncCommand(env *Env) *cobra.Command {
	f := &rsyncFlags{}
	cmd := &cobra.Command{
		Use:   "rsync SOURCE DESTINATION",
		Short: "Copy what differs between two folders.",
		Long: "The same are two files of one size and time of change, else of one checksum.\n" +
			"The time is kept in an object's metadata, as gcloud does.",
		Args:    args(2, 2, "a source or the destination"),
		Example: "sunya storage rsync -r holiday gs://photos/holiday\nsunya storage rsync -r --delete-unmatched-destination-objects --dry-run gs://photos backup",
		RunE:    func(cmd *cobra.Command, args []string) error { return runRsync(cmd.Context(), env, f, args) },
	}
	fs := cmd.Flags()
	f.copyFlags.register(fs)
	fs.BoolVar(&f.delete, "delete-unmatched-destination-objects", false, "delete there what is not here")
	fs.BoolVar(&f.dry, "dry-run", false, "say what would be done, and do nothing")
	fs.BoolVar(&f.sums, "checksums-only", false, "compare checksums and not times")
	fs.StringArrayVarP(&f.exclude, "exclude", "x", nil, "leave out names that match this regular expression; may be repeated")
	hide(fs, "read-paths-from-stdin", "print-created-message", "do-not-decompress", "if-generation-match", "if-metageneration-match", "gzip-local", "gzip-local-all")
	return cmd
}

// side is one of the two folders: what is in it, by the path there.
type side struct {
	place
	files map[string]match
}

func runRsync(ctx context.Context, env *Env, f *rsyncFlags, args []string) error {
	f.meta.stamp = true
	for _, text := range f.exclude {
		re, err := regexp.Compile("^(?:" + text + ")")
		if err != nil {
			return usagef("--exclude: %q is not a regular expression: %v", text, err)
		}
		f.excludes = append(f.excludes, re)
	}
	return withStorage(ctx, env, func(a *storageAPI) error {
		from, err := a.side(ctx, env, f, args[0], true)
		if err != nil {
			return err
		}
		to, err := a.side(ctx, env, f, args[1], false)
		if err != nil {
			return err
		}
		if !from.cloud() && !to.cloud() {
			return usagef("both are on this machine: one of them is gs://BUCKET")
		}
		r := &syncer{copier{env: env, api: a, flags: &f.copyFlags, show: newCopying(env), fails: failures{env: env, goOn: f.goOn}}, f, from, to}
		return r.run(ctx)
	})
}

// side reads one of the two folders.
func (a *storageAPI) side(ctx context.Context, env *Env, f *rsyncFlags, arg string, must bool) (side, error) {
	p, err := parsePlace(arg)
	s := side{p, map[string]match{}}
	if err != nil {
		return s, err
	}
	if p.buckets || p.stream() || p.cloud() && isPattern(p.name) {
		return s, usagef("%q: rsync takes a folder: gs://BUCKET/FOLDER or a directory", arg)
	}
	take := func(rel string, m match) error {
		if rel == "" || strings.HasSuffix(rel, "/") || !f.recursive && strings.Contains(rel, "/") ||
			slices.ContainsFunc(f.excludes, func(re *regexp.Regexp) bool { return re.MatchString(rel) }) {
			return nil
		}
		s.files[rel] = m
		return nil
	}
	if p.cloud() {
		top := folder(p.name)
		return s, a.list(ctx, p.bucket, top, "", false, func(o *storage.Object) error {
			return take(strings.TrimPrefix(o.Name, top), matched(p.bucket, o, false))
		}, nil)
	}
	if !filepath.IsAbs(s.name) {
		s.name = filepath.Join(env.Dir, s.name)
	}
	info, err := os.Stat(s.name)
	if errors.Is(err, os.ErrNotExist) && !must {
		return s, nil
	}
	if err == nil && !info.IsDir() {
		err = usagef("%q is a file: rsync takes a folder", arg)
	}
	if err != nil {
		return s, err
	}
	return s, eachFile(env, s.name, func(file, rel string) error { return take(rel, match{place: place{name: file}}) })
}

// syncer makes one side like the other.
type syncer struct {
	copier
	rsync    *rsyncFlags
	from, to side
}

func (r *syncer) run(ctx context.Context) error {
	group, limited := errgroup.WithContext(ctx)
	group.SetLimit(transfers)
	for _, rel := range sortedKeys(r.from.files) {
		group.Go(func() error { return r.fails.take(r.update(limited, rel)) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if r.rsync.delete {
		for _, rel := range sortedKeys(r.to.files) {
			if _, ok := r.from.files[rel]; !ok {
				if err := r.fails.take(r.drop(ctx, r.to.files[rel])); err != nil {
					return err
				}
			}
		}
	}
	r.show.end("Copied")
	return r.fails.end()
}

func sortedKeys(m map[string]match) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func (r *syncer) update(ctx context.Context, rel string) error {
	m := r.from.files[rel]
	if there, ok := r.to.files[rel]; ok {
		same, err := r.same(m, there)
		if err != nil || same || r.flags.noClobber {
			return err
		}
	}
	to, err := goal{place: r.to.place, container: true}.named(rel)
	if err != nil {
		return err
	}
	if r.rsync.dry {
		r.show.notice(fmt.Sprintf("Would copy %s to %s", m.place, to))
		return nil
	}
	return r.copy(ctx, job{m.place, to, m.object})
}

// same reports whether two need no copying.
func (r *syncer) same(a, b match) (bool, error) {
	x, err := known(a)
	if err != nil {
		return false, err
	}
	y, err := known(b)
	if err != nil || x.size != y.size {
		return false, err
	}
	if !r.rsync.sums && x.changed != 0 && x.changed == y.changed {
		return true, nil
	}
	p, err := x.crc32c()
	if err != nil {
		return false, err
	}
	q, err := y.crc32c()
	return p == q, err
}

// facts are what two files are compared by.
type facts struct {
	size    int64
	changed int64 // seconds; 0: nobody knows
	path    string
	sum     string
}

func known(m match) (facts, error) {
	if m.object != nil {
		f := facts{size: int64(m.object.Size), sum: m.object.Crc32c} //nolint:gosec // below 8 EiB
		if at, ok := stamped(m.object); ok {
			f.changed = at.Unix()
		}
		return f, nil
	}
	info, err := os.Stat(m.name)
	if err != nil {
		return facts{}, err
	}
	return facts{size: info.Size(), changed: info.ModTime().Unix(), path: m.name}, nil
}

func (f facts) crc32c() (string, error) {
	if f.path == "" {
		return f.sum, nil
	}
	s, err := hashFile(f.path)
	return s.CRC32C, err
}

// drop deletes what is only at the destination.
func (r *syncer) drop(ctx context.Context, m match) error {
	switch {
	case r.rsync.dry:
		r.show.notice(fmt.Sprintf("Would remove %s", m.place))
		return nil
	case m.cloud():
		return r.api.remove(ctx, r.env, m, preconditions{generation: m.object.Generation, metageneration: -1})
	}
	r.show.notice(fmt.Sprintf("Removing %s", m.place))
	return os.Remove(m.name)
}
