package cli

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/api/storage/v1"

	"github.com/sunya-cloud/sunya"
)

// listFlags are the flags of ls.
type listFlags struct {
	recursive, long, full, versions, buckets, readable bool
}

func newStorageListCommand(env *Env) *cobra.Command {
	f := &listFlags{}
	cmd := &cobra.Command{
		Use:   "ls [gs://BUCKET[/OBJECT]...]",
		Short: "List buckets, or what is in them.",
		Args:  args(0, 1<<20, ""),
		Long: "A folder shows what is directly in it. In patterns * and ? stay within a\n" +
			"folder, ** does not.",
		Example: "sunya storage ls -l gs://photos/holiday\nsunya storage ls 'gs://photos/**/x*.jpg' --format 'value(name,size)'",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStorage(cmd.Context(), env, func(a *storageAPI) error { return a.ls(cmd.Context(), env, f, args) })
		},
	}
	fs := cmd.Flags()
	fs.BoolVarP(&f.recursive, "recursive", "r", false, "folders with all that is in them (also -R)")
	fs.BoolVarP(&f.recursive, "recursive-too", "R", false, "")
	fs.BoolVarP(&f.long, "long", "l", false, "with size and time")
	fs.BoolVarP(&f.full, "full", "L", false, "with everything")
	fs.BoolVarP(&f.versions, "all-versions", "a", false, "older generations too")
	fs.BoolVarP(&f.buckets, "buckets", "b", false, "the buckets themselves")
	fs.BoolVar(&f.readable, "readable-sizes", false, "1.5 MiB instead of 1572864")
	hide(fs, "recursive-too")
	return cmd
}

func (a *storageAPI) ls(ctx context.Context, env *Env, f *listFlags, args []string) error {
	if len(args) == 0 {
		args = []string{"gs://"}
	}
	l := &lister{api: a, env: env, flags: f}
	for _, arg := range args {
		p, err := parsePlace(arg)
		if err != nil {
			return err
		}
		if !p.cloud() {
			return usagef("%q: write gs://BUCKET/OBJECT", arg)
		}
		if p.buckets && p.name == "" || f.buckets {
			err = l.listBuckets(ctx, p)
		} else {
			err = l.listPlace(ctx, p)
		}
		if err != nil {
			return err
		}
	}
	return l.end()
}

// lister prints as pages come; what goes to programs is printed at the end where
// its form asks for it.
type lister struct {
	api     *storageAPI
	env     *Env
	flags   *listFlags
	found   []any
	objects int
	bytes   uint64
}

// show prints one line, or keeps what it stands for.
func (l *lister) show(v any, line string) error {
	if l.env.output().kind == "table" && !l.flags.full {
		_, err := fmt.Fprintln(l.env.Stdout, printable(line))
		return err
	}
	if l.env.output().kind == "table" {
		if v == nil {
			return nil
		}
		if _, err := fmt.Fprintf(l.env.Stdout, "%s:\n", printable(line)); err != nil {
			return err
		}
		return printOne(l.env, v)
	}
	if v != nil {
		l.found = append(l.found, v)
	}
	return nil
}

func (l *lister) end() error {
	if l.env.output().kind != "table" {
		return printList(l.env, l.found, nil)
	}
	if l.flags.long && l.objects > 0 {
		_, err := fmt.Fprintf(l.env.Stdout, "TOTAL: %d objects, %d bytes (%v)\n", l.objects, l.bytes, sunya.Bytes(l.bytes)) //nolint:gosec // below 8 EiB
		return err
	}
	return nil
}

func (l *lister) listBuckets(ctx context.Context, p place) error {
	return l.api.expandBuckets(ctx, p, func(name string) error {
		b, err := l.api.Buckets.Get(name).Context(ctx).Do()
		if err != nil {
			return err
		}
		return l.show(b, "gs://"+name+"/")
	})
}

// listPlace lists what a place stands for; the content of several folders gets
// their names above it.
func (l *lister) listPlace(ctx context.Context, p place) error {
	heading := l.flags.recursive || isPattern(p.name) || p.buckets
	return l.api.expand(ctx, p, l.flags.versions, func(m match) error {
		if m.object != nil {
			return l.object(m)
		}
		return l.folder(ctx, m, heading)
	})
}

func (l *lister) folder(ctx context.Context, m match, heading bool) error {
	top := folder(m.name)
	if heading && l.env.output().kind == "table" {
		if _, err := fmt.Fprintf(l.env.Stdout, "\n%s:\n", printable("gs://"+m.bucket+"/"+top)); err != nil {
			return err
		}
	}
	var deeper []string
	err := l.api.list(ctx, m.bucket, top, "/", l.flags.versions, func(o *storage.Object) error {
		return l.object(matched(m.bucket, o, l.flags.versions))
	}, func(prefix string) error {
		if l.flags.recursive {
			deeper = append(deeper, prefix)
			return nil
		}
		line := "gs://" + m.bucket + "/" + prefix
		if l.flags.long {
			line = strings.Repeat(" ", 35) + line
		}
		return l.show(nil, line)
	})
	for _, prefix := range deeper {
		if err == nil {
			err = l.folder(ctx, match{place: place{bucket: m.bucket, name: prefix}}, true)
		}
	}
	return err
}

func (l *lister) object(m match) error {
	l.objects++
	l.bytes += m.object.Size
	if !l.flags.long {
		return l.show(m.object, m.String())
	}
	size := fmt.Sprint(m.object.Size)
	if l.flags.readable {
		size = sunya.Bytes(m.object.Size).String() //nolint:gosec // below 8 EiB
	}
	at, _, _ := strings.Cut(m.object.Updated, ".")
	return l.show(m.object, fmt.Sprintf("%10s  %-21s  %s", size, strings.TrimSuffix(at, "Z")+"Z", m))
}

func newStorageUsageCommand(env *Env) *cobra.Command {
	var summary, total, readable, versions bool
	cmd := &cobra.Command{
		Use:     "du gs://BUCKET[/OBJECT]...",
		Short:   "Show how many bytes folders and buckets hold.",
		Args:    args(1, 1<<20, "gs://BUCKET"),
		Example: "sunya storage du -s gs://photos\nsunya storage du --readable-sizes gs://photos/holiday",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStorage(cmd.Context(), env, func(a *storageAPI) error {
				d := usage{api: a, env: env, summary: summary, readable: readable, versions: versions}
				return d.run(cmd.Context(), args, total)
			})
		},
	}
	fs := cmd.Flags()
	fs.BoolVarP(&summary, "summarize", "s", false, "only what was asked for, not each folder")
	fs.BoolVarP(&total, "total", "c", false, "the sum of all")
	fs.BoolVarP(&readable, "readable-sizes", "r", false, "1.5 MiB instead of 1572864")
	fs.BoolVarP(&versions, "all-versions", "a", false, "older generations too")
	return cmd
}

// usage adds up the sizes of objects.
type usage struct {
	api                         *storageAPI
	env                         *Env
	summary, readable, versions bool
}

func (d usage) run(ctx context.Context, args []string, total bool) error {
	var all uint64
	for _, arg := range args {
		p, err := parseObject(arg)
		if err != nil {
			return err
		}
		err = d.api.expand(ctx, p, d.versions, func(m match) error {
			n, err := d.of(ctx, m)
			all += n
			return err
		})
		if err != nil {
			return err
		}
	}
	if total {
		return d.line(all, "total")
	}
	return nil
}

func (d usage) of(ctx context.Context, m match) (uint64, error) {
	if m.object != nil {
		return m.object.Size, d.line(m.object.Size, m.String())
	}
	top := folder(m.name)
	sums := map[string]uint64{}
	err := d.api.list(ctx, m.bucket, top, "", d.versions, func(o *storage.Object) error {
		for dir := o.Name; len(dir) > len(top); {
			dir = path.Dir(strings.TrimSuffix(dir, "/"))
			if dir == "." {
				dir = ""
			}
			dir = folder(dir)
			if len(dir) < len(top) {
				break
			}
			sums[dir] += o.Size
		}
		return nil
	}, nil)
	if err != nil {
		return 0, err
	}
	if !d.summary {
		for _, dir := range deepestFirst(sums, top) {
			if err := d.line(sums[dir], "gs://"+m.bucket+"/"+dir); err != nil {
				return 0, err
			}
		}
	}
	return sums[top], d.line(sums[top], "gs://"+m.bucket+"/"+top)
}

func (d usage) line(n uint64, what string) error {
	size := fmt.Sprint(n)
	if d.readable {
		size = sunya.Bytes(n).String() //nolint:gosec // below 8 EiB
	}
	_, err := fmt.Fprintf(d.env.Stdout, "%-12s %s\n", size, printable(what))
	return err
}

// deepestFirst are the folders below top, each after those in it.
func deepestFirst(sums map[string]uint64, top string) []string {
	var out []string
	for dir := range sums {
		if dir != top {
			out = append(out, dir)
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		switch {
		case strings.HasPrefix(a, b):
			return -1
		case strings.HasPrefix(b, a):
			return 1
		}
		return strings.Compare(a, b)
	})
	return out
}
