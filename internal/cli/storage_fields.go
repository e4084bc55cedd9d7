package cli

import (
	"os"
	"strconv"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/api/storage/v1"
)

// mtimeKey is where gcloud and gsutil keep when a file was changed, in seconds.
const mtimeKey = "goog-reserved-file-mtime"

// objectFields are what flags say of an object.
type objectFields struct {
	set   []func(*storage.Object)
	stamp bool // keep times of files in the metadata
}

func (f *objectFields) register(fs *pflag.FlagSet) {
	for _, t := range []struct {
		name, usage string
		field       func(*storage.Object) *string
	}{
		{"content-type", "what it is, such as text/html (default: by the ending)", func(o *storage.Object) *string { return &o.ContentType }},
		{"cache-control", "how long it may be cached: no-store, public, max-age=60", func(o *storage.Object) *string { return &o.CacheControl }},
		{"content-encoding", "how it is packed: gzip", func(o *storage.Object) *string { return &o.ContentEncoding }},
		{"content-disposition", "how browsers treat it: attachment", func(o *storage.Object) *string { return &o.ContentDisposition }},
		{"content-language", "its language: en", func(o *storage.Object) *string { return &o.ContentLanguage }},
	} {
		textFlag(fs, t.name, t.usage, func(v string) error {
			f.add(func(o *storage.Object) { *t.field(o) = v })
			return nil
		})
	}
	pairsFlag(fs, "custom-metadata", "metadata of your own: KEY=VALUE,…", func(v map[string]string) {
		f.add(func(o *storage.Object) { o.Metadata = added(nil, v) })
	})
	hide(fs, "content-language", "content-disposition")
}

func (f *objectFields) add(set func(*storage.Object)) { f.set = append(f.set, set) }

func (f *objectFields) any() bool { return len(f.set) > 0 }

func (f *objectFields) apply(o *storage.Object) {
	for _, set := range f.set {
		set(o)
	}
}

// stamp notes when a file was changed.
func stamp(o *storage.Object, file *os.File) {
	if info, err := file.Stat(); err == nil {
		o.Metadata = added(o.Metadata, map[string]string{mtimeKey: strconv.FormatInt(info.ModTime().Unix(), 10)})
	}
}

// restamp gives a file the time that its object has noted.
func restamp(path string, o *storage.Object) {
	if at, ok := stamped(o); ok {
		_ = os.Chtimes(path, at, at) // a file without is compared by its sum
	}
}

func stamped(o *storage.Object) (time.Time, bool) {
	n, err := strconv.ParseInt(o.Metadata[mtimeKey], 10, 64)
	return time.Unix(n, 0), err == nil
}
