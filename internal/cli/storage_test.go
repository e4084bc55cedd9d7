package cli

import (
	"bytes"
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya/internal/adapt/disk"
	"github.com/sunya-cloud/sunya/internal/adapt/sqlite"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/wire/storagev1"
)

// withObjects is a fake with all of Cloud Storage, on a disk.
func withObjects(t *testing.T) *fake {
	t.Helper()
	f, log := newFake(t), slog.New(slog.DiscardHandler)
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	blobs, err := disk.OpenBlobs(filepath.Join(t.TempDir(), "blobs"), time.Hour, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	f.store = storagev1.New(storagev1.Deps{Objects: objects.New(db, blobs, time.Now, log, objects.Options{}), Log: log})
	execute(t, f, "storage", "mb", "gs://one", "gs://two").expect(t, exitOK)
	return f
}

// in runs a command of storage in a directory.
func in(t *testing.T, f *fake, dir, line string) *run {
	t.Helper()
	r := prepare(t, f, append([]string{"storage"}, strings.Fields(line)...)...)
	r.env.Dir = dir
	return r.do(t)
}

// objectsIn are the objects of a bucket.
func objectsIn(t *testing.T, f *fake, url string) string {
	t.Helper()
	r := in(t, f, t.TempDir(), "objects list "+url+" --format value(name)")
	return strings.Join(strings.Fields(r.stdout.String()), " ")
}

// tree is what a directory holds: paths, each with its content.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	err := eachFile(prepare(t, nil).env, dir, func(file, rel string) error {
		b, err := os.ReadFile(file)
		out = append(out, rel+"="+string(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func holiday(t *testing.T) string {
	return source(t, map[string]string{"pics/a.txt": "a", "pics/deep/xb.txt": "b", "pics/deep/er/xc.jpg": "c", "d.html": "d"})
}

// TestStorageCopyNames: what is copied keeps or gets the name that gcloud would
// give it.
func TestStorageCopyNames(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"d.html gs://one", "d.html"},
		{"d.html gs://one/x", "x"},
		{"d.html gs://one/x/", "x/d.html"},
		{"d.html pics/a.txt gs://one/x", "x/a.txt x/d.html"},
		{"-r pics gs://one", "pics/a.txt pics/deep/er/xc.jpg pics/deep/xb.txt"},
		{"-r pics gs://one/new", "new/a.txt new/deep/er/xc.jpg new/deep/xb.txt"},
		{"-r pics gs://one/new/", "new/pics/a.txt new/pics/deep/er/xc.jpg new/pics/deep/xb.txt"},
		{"-r . gs://one/new", "new/d.html new/pics/a.txt new/pics/deep/er/xc.jpg new/pics/deep/xb.txt"},
		{"pics/* gs://one", "a.txt"},
		{"-R pics/* gs://one", "a.txt deep/er/xc.jpg deep/xb.txt"},
		{"pics/**/x*.txt gs://one", "xb.txt"},
		{"pics/** gs://one/flat", "flat/a.txt flat/xb.txt flat/xc.jpg"},
	} {
		f := withObjects(t)
		in(t, f, holiday(t), "cp "+tt.line).expect(t, exitOK)
		if got := objectsIn(t, f, "gs://one"); got != tt.want {
			t.Errorf("cp %s made %q, want %q", tt.line, got, tt.want)
		}
	}
}

func TestStorageCopyBack(t *testing.T) {
	f := withObjects(t)
	in(t, f, holiday(t), "cp -r pics d.html gs://one").expect(t, exitOK)
	in(t, f, holiday(t), "cp -r pics gs://one/other/pics").expect(t, exitOK)
	for _, tt := range []struct{ line, want string }{
		{"gs://one/d.html .", "d.html=d"},
		{"gs://one/d.html e.html", "e.html=d"},
		{"gs://one/d.html new/e.html", "new/e.html=d"},
		{"-r gs://one/pics .", "pics/a.txt=a pics/deep/er/xc.jpg=c pics/deep/xb.txt=b"},
		{"-r gs://one/pics new", "new/a.txt=a new/deep/er/xc.jpg=c new/deep/xb.txt=b"},
		{"gs://one/pics/**/x*.txt .", "xb.txt=b"},
		{"gs://one/pics/deep/**/x*.jpg .", "xc.jpg=c"},
		{"gs://one/pics/*/x?.txt .", "xb.txt=b"},
		{"gs://one/pics/[a-b].txt .", "a.txt=a"},
		{"-r gs://one/o*/pics/deep .", "deep/er/xc.jpg=c deep/xb.txt=b"},
		{"gs://on*/d.html .", "d.html=d"},
	} {
		dir := t.TempDir()
		in(t, f, dir, "cp "+tt.line).expect(t, exitOK)
		if got := tree(t, dir); got != tt.want {
			t.Errorf("cp %s made %q, want %q", tt.line, got, tt.want)
		}
	}
}

func TestStorageRefusals(t *testing.T) {
	f, dir := withObjects(t), holiday(t)
	in(t, f, dir, "cp -r pics gs://one").expect(t, exitOK)
	in(t, f, dir, "cp d.html gs://one/../../etc/passwd").expect(t, exitOK)
	for _, tt := range []struct {
		line string
		code int
		want string
	}{
		{"cp d.html", exitUsage, "the destination is missing"},
		{"cp pics gs://one", exitUsage, "use --recursive"},
		{"cp gs://one/pics .", exitUsage, "use --recursive"},
		{"cp gs://one/nope .", exitNotFound, "matches nothing"},
		{"cp nope* gs://one", exitNotFound, "matches nothing"},
		{"cp d.html gs://nope/x", exitNotFound, "nope"},
		{"cp d.html gs://one/*", exitUsage, "without wildcards"},
		{"cp d.html pics/a.txt", exitUsage, "both on this machine"},
		{"cp s3://b/x .", exitUsage, "neither gs://BUCKET/OBJECT nor a file"},
		{"cp - gs://one", exitUsage, "needs the name of an object"},
		{"cp pics/a.txt pics/../pics/a.txt gs://one/t/", exitUsage, "would both become"},
		{"cp -r gs://one/.. .", exitUsage, "outside of"},
		{"cp d.html gs://one/pics/a.txt --if-generation-match 5", exitConflict, "pre-condition"},
		{"cp d.html gs://one/x --if-generation-match soon", exitUsage, "is not a generation"},
		{"ls pics", exitUsage, "write gs://"},
		{"ls gs://nope", exitNotFound, "nope"},
		{"ls gs://one/nope", exitNotFound, "matches nothing"},
		{"rm gs://one", exitUsage, "use --recursive"},
		{"rm gs://one/pics", exitUsage, "use --recursive"},
		{"rm -r gs://one", exitUsage, "--yes"},
		{"rm gs://one/nope", exitNotFound, "matches nothing"},
		{"rb gs://one", exitConflict, "empty"},
		{"mb one/two", exitUsage, "write gs://BUCKET"},
		{"mb gs://one", exitConflict, "exist"},
		{"cat gs://one/pics/a.txt --range x", exitUsage, "is not a range"},
		{"cat gs://one/pics/a.txt --range 9-", exitUsage, "begins behind the end"},
		{"rsync pics d.html", exitUsage, "takes a folder"},
		{"rsync pics more", exitUsage, "both are on this machine"},
		{"rsync pics gs://one -x (", exitUsage, "is not a regular expression"},
		{"buckets update gs://one", exitUsage, "nothing to change"},
		{"buckets update gs://one --cors-file nope.json", exitUsage, "nope.json"},
		{"objects update gs://one/pics/a.txt", exitUsage, "nothing to change"},
		{"sign-url gs://one/a --duration 8d", exitUsage, "between 1s and 7d"},
		{"sign-url gs://one/a --private-key-file d.html", exitUsage, "no key of a service account"},
	} {
		r := in(t, f, dir, tt.line).expect(t, tt.code)
		if all := r.stdout.String() + r.stderr.String(); !strings.Contains(all, tt.want) {
			t.Errorf("%s: %q is not in\n%s", tt.line, tt.want, all)
		}
	}
}

// TestStorageVerbs is a session, line after line.
func TestStorageVerbs(t *testing.T) {
	f, dir := withObjects(t), holiday(t)
	for _, tt := range []struct{ line, want string }{
		{"cp -r pics gs://one --cache-control no-store --custom-metadata by=me", "Copied 3 objects, 3 B"},
		{"cp -n d.html gs://one/pics/a.txt", "Skipping file://"},
		{"cat gs://one/pics/a.txt gs://one/pics/deep/xb.txt", "ab"},
		{"cat -d gs://one/pics/a.txt", "==> gs://one/pics/a.txt <==\na"},
		{"cp gs://one/pics/a.txt -", "a"},
		{"cp d.html gs://two/page -v", "Created: gs://two/page#"},
		{"objects describe gs://one/pics/a.txt --format value(contentType,cacheControl,metadata.by)", "text/plain\tno-store\tme"},
		{"objects update gs://one/pics/a.txt --content-type text/x --clear-cache-control --remove-custom-metadata by", "Updated [gs://one/pics/a.txt]"},
		{"objects describe gs://one/pics/a.txt --format value(contentType,cacheControl,metadata.by)", "text/x\t\t\n"},
		{"objects list gs://one", "pics/deep/xb.txt"},
		{"ls", "gs://one/\ngs://two/\n"},
		{"ls gs://one", "gs://one/pics/\n"},
		{"ls gs://one/pics", "gs://one/pics/a.txt\ngs://one/pics/deep/\n"},
		{"ls -r gs://one/pics", "\ngs://one/pics/deep/er/:\ngs://one/pics/deep/er/xc.jpg\n"},
		{"ls -l gs://one/**/x*", "TOTAL: 2 objects, 2 bytes (2 B)"},
		{"ls gs://one/** --format value(name,size)", "pics/a.txt\t1\npics/deep/er/xc.jpg\t1\n"},
		{"ls -L gs://two/page", "md5Hash:"},
		{"ls -b gs://t*", "gs://two/\n"},
		{"ls gs://*/pa*", "gs://two/page\n"},
		{"du gs://one", "1            gs://one/pics/deep/er/\n2            gs://one/pics/deep/\n3            gs://one/pics/\n3            gs://one/\n"},
		{"du -s -c gs://one/pics/deep", "2            gs://one/pics/deep/\n2            total\n"},
		{"hash d.html --skip-crc32c --hex --format value(md5_hash)", "8277e0910d750195b448797616e091ad"},
		{"hash gs://two/page --format value(crc32c_hash,digest_format)", "9CFXLA==\tbase64"},
		{"mv d.html gs://two/moved", "Moved 1 objects"},
		{"buckets list", "two"},
		{"buckets describe gs://two --format value(name)", "two"},
		{"buckets notifications create gs://two --topic changes --event-types OBJECT_FINALIZE --object-prefix in/", "1\n"},
		{"buckets notifications list gs://two", "changes  OBJECT_FINALIZE  in/"},
		{"buckets notifications delete gs://two 1", "Deleted notification [1]"},
		{"cp gs://two/page gs://one/copied", "Copying gs://two/page to gs://one/copied"},
		{"cp -r gs://one gs://two/all --content-type text/y", "Copied 4 objects"},
		{"objects describe gs://two/all/copied --format value(contentType,size)", "text/y\t1"},
		{"mv gs://one/copied gs://two/renamed", "Moved 1 objects"},
		{"rm gs://one/pics/a.txt#1 -c", ""},
		{"rm gs://one/pics/deep/*.txt", "Removed gs://one/pics/deep/xb.txt"},
		{"rm -r gs://one/pics", "Removed gs://one/pics/deep/er/xc.jpg"},
		{"rm -r --yes gs://one gs://two", "Removed bucket [gs://two]"},
		{"ls", ""},
	} {
		r := in(t, f, dir, tt.line)
		if !strings.HasSuffix(tt.line, "-c") {
			r.expect(t, exitOK)
		}
		if all := r.stdout.String() + r.stderr.String(); !strings.Contains(all, tt.want) {
			t.Errorf("%s: %q is not in\n%s", tt.line, tt.want, all)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "d.html")); !os.IsNotExist(err) {
		t.Errorf("what was moved is still there: %v", err)
	}
}

func TestStorageRsync(t *testing.T) {
	f, dir, back := withObjects(t), holiday(t), t.TempDir()
	step := func(where, line, want, not string) {
		t.Helper()
		r := in(t, f, where, "rsync "+line).expect(t, exitOK)
		if all := r.stderr.String(); !strings.Contains(all, want) || not != "" && strings.Contains(all, not) {
			t.Errorf("rsync %s: %q is not, or %q is in\n%s", line, want, not, all)
		}
	}
	step(dir, "-r pics gs://one/p --dry-run", "Would copy file://", "Copying")
	step(dir, "-r pics gs://one/p", "Copied 3 objects", "")
	step(dir, "-r pics gs://one/p", "Copied 0 objects", "Copying")
	step(back, "-r gs://one/p .", "Copied 3 objects", "")
	step(back, "-r gs://one/p .", "Copied 0 objects", "")
	if err := os.WriteFile(filepath.Join(dir, "pics", "a.txt"), []byte("A"), 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Now().Add(time.Hour)
	for path, err := range map[string]error{
		"pics/a.txt":        os.Chtimes(filepath.Join(dir, "pics/a.txt"), now, now),
		"pics/deep/xb.txt":  os.Chtimes(filepath.Join(dir, "pics/deep/xb.txt"), now, now), // the same inside
		"pics/deep/er/x.go": os.Remove(filepath.Join(dir, "pics/deep/er/xc.jpg")),
	} {
		if err != nil {
			t.Fatal(path, err)
		}
	}
	step(dir, "-r pics gs://one/p --delete-unmatched-destination-objects --dry-run", "Would remove gs://one/p/deep/er/xc.jpg", "Would copy file://"+dir+"/pics/deep/xb.txt")
	step(dir, "-r pics gs://one/p --delete-unmatched-destination-objects -x .*jpg$", "Copied 1 objects", "Removed")
	step(dir, "-r pics gs://one/p --delete-unmatched-destination-objects", "Removed gs://one/p/deep/er/xc.jpg", "")
	step(back, "-r gs://one/p . --delete-unmatched-destination-objects", "Removing file://", "")
	if got, want := tree(t, back), "a.txt=A deep/xb.txt=b"; got != want {
		t.Errorf("synced: %q, want %q", got, want)
	}
	step(dir, "pics gs://one/flat", "Copied 1 objects", "deep")
}

// TestStorageStreams: standard input and output, and what is stored with gzip.
func TestStorageStreams(t *testing.T) {
	f, dir := withObjects(t), t.TempDir()
	long := strings.Repeat("0123456789", 1000)
	r := prepare(t, f, "storage", "cp", "-", "gs://one/s.txt")
	r.env.Stdin = strings.NewReader(long)
	r.do(t).expect(t, exitOK)
	if got := in(t, f, dir, "cat --range 5-14 gs://one/s.txt").stdout.String(); got != "5678901234" {
		t.Errorf("a part: %q", got)
	}
	if got := in(t, f, dir, "cat --range -5 gs://one/s.txt").stdout.String(); got != "56789" {
		t.Errorf("the end: %q", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "s.txt"), []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	in(t, f, dir, "cp --gzip-local txt s.txt gs://one/z.txt").expect(t, exitOK)
	o := in(t, f, dir, "objects describe gs://one/z.txt --format value(contentEncoding,contentType)").stdout.String()
	if o != "gzip\ttext/plain\n" {
		t.Errorf("packed: %q", o)
	}
	in(t, f, dir, "cp gs://one/z.txt plain").expect(t, exitOK)
	in(t, f, dir, "cp --do-not-decompress gs://one/z.txt packed").expect(t, exitOK)
	plain, _ := os.ReadFile(filepath.Join(dir, "plain"))
	packed, _ := os.ReadFile(filepath.Join(dir, "packed"))
	if string(plain) != long {
		t.Errorf("unpacked are %d bytes", len(plain))
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(z); string(got) != long {
		t.Errorf("packed are %d bytes", len(got))
	}
}

// TestStorageLargeFile goes up in chunks, one of which breaks, and down over a
// connection that breaks.
func TestStorageLargeFile(t *testing.T) {
	f, dir := withObjects(t), t.TempDir()
	content := bytes.Repeat([]byte("sunya---"), 5<<20) // 40 MiB
	if err := os.WriteFile(filepath.Join(dir, "big"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	whole := f.store
	var puts, gets atomic.Int32
	f.store = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("upload_id") && puts.Add(1) == 2 {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		if r.Method == http.MethodGet && r.URL.Query().Get("alt") == "media" && gets.Add(1) == 1 {
			broken := httptest.NewRecorder()
			whole.ServeHTTP(broken, r)
			w.Header().Set("Content-Length", broken.Header().Get("Content-Length"))
			_, _ = w.Write(broken.Body.Bytes()[:10<<20])
			panic(http.ErrAbortHandler)
		}
		whole.ServeHTTP(w, r)
	})
	in(t, f, dir, "cp big gs://one").expect(t, exitOK)
	if n := puts.Load(); n < 4 {
		t.Errorf("%d chunks, want 3 and one again", n)
	}
	in(t, f, dir, "cp gs://one/big back").expect(t, exitOK)
	if got, _ := os.ReadFile(filepath.Join(dir, "back")); !bytes.Equal(got, content) || gets.Load() != 2 {
		t.Errorf("%d bytes came back in %d requests", len(got), gets.Load())
	}
}

// TestStorageDamage: bytes that change on their way are noticed, and nothing is
// left of them.
func TestStorageDamage(t *testing.T) {
	f, dir := withObjects(t), holiday(t)
	in(t, f, dir, "cp d.html gs://one").expect(t, exitOK)
	whole := f.store
	f.store = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(bytes.Replace(body, []byte("\r\nd\r\n"), []byte("\r\nD\r\n"), 1)))
		}
		if r.Method == http.MethodGet && r.URL.Query().Get("alt") == "media" {
			_, _ = w.Write([]byte("D"))
			return
		}
		whole.ServeHTTP(w, r)
	})
	r := in(t, f, dir, "cp d.html gs://one/new").expect(t, exitUsage)
	if !strings.Contains(r.stderr.String(), "send the bytes again") {
		t.Errorf("upload: %s", r.stderr)
	}
	out := t.TempDir()
	r = in(t, f, out, "cp gs://one/d.html .").expect(t, exitFailed)
	if !strings.Contains(r.stderr.String(), "damaged on their way") {
		t.Errorf("download: %s", r.stderr)
	}
	if got := tree(t, out); got != "" {
		t.Errorf("left: %q", got)
	}
	f.store = whole
	if got := objectsIn(t, f, "gs://one"); got != "d.html" {
		t.Errorf("objects: %q", got)
	}
}

// TestStorageGoesOn: -c does the others.
func TestStorageGoesOn(t *testing.T) {
	f, dir := withObjects(t), holiday(t)
	long := strings.Repeat("n", 200)
	if err := os.WriteFile(filepath.Join(dir, "pics", long), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	to := "gs://one/" + strings.Repeat("p", 900) + "/"
	in(t, f, dir, "cp -r -c pics "+to).expect(t, exitUsage)
	if got := strings.Count(objectsIn(t, f, "gs://one"), "pics/"); got != 3 {
		t.Errorf("%d are there, want 3", got)
	}
}

func TestMatcher(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"a*", "ab", true}, {"a*", "a/b", false}, {"a**", "a/b", true}, {"**/x*.txt", "d/e/x1.txt", true}, {"**/x*.txt", "x1.txt", false},
		{"a?c", "abc", true}, {"a?c", "a/c", false}, {"[a-c]x", "bx", true}, {"[!a-c]x", "bx", false}, {"[!a-c]x", "dx", true},
		{"a[", "a[", true}, {"a[]", "a[]", true}, {"ü*", "üñ", true}, {"a?", "aü", true}, {"a.b", "axb", false}, {`a\b`, `a\b`, true}, {"a\n*", "a\nb", true},
	} {
		re, err := matcher(tt.pattern)
		if err != nil || re.MatchString(tt.name) != tt.want {
			t.Errorf("%q of %q: not %v (%v)", tt.pattern, tt.name, tt.want, err)
		}
	}
}

func FuzzParsePlace(f *testing.F) {
	for _, s := range []string{"gs://b/o#12", "gs://", "gs://b*/x[a-z]/**", "-", "file:///tmp/x", "a/b", "s3://x", "gs://b/[z-a]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePlace(s)
		if err != nil {
			return
		}
		if again, err := parsePlace(p.String()); !p.stream() && p.bucket != "" && (err != nil || again != p) {
			t.Errorf("%q is %+v, and again %+v, %v", s, p, again, err)
		}
		if re, err := matcher(p.name); err == nil && !isPattern(p.name) && !re.MatchString(p.name) && strings.ToValidUTF8(p.name, "") == p.name {
			t.Errorf("%q does not match itself", p.name)
		}
	})
}
