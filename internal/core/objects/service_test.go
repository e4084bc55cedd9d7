package objects_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/objects/objectstest"
)

type fixture struct {
	*objects.Service
	store *objectstest.Store
	blobs *objectstest.Blobs
	now   time.Time
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func setup(t testing.TB, o objects.Options) *fixture {
	t.Helper()
	f := &fixture{store: objectstest.NewStore(), blobs: &objectstest.Blobs{}, now: time.Unix(1_000_000, 0)}
	f.Service = objects.New(f.store, f.blobs, func() time.Time { return f.now }, slog.New(slog.DiscardHandler), o)
	if _, err := f.CreateBucket(t.Context(), objects.Bucket{Name: "stuff", Project: "p"}); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) put(t testing.TB, name, body string) *objects.Object {
	t.Helper()
	o, err := f.Put(t.Context(), objects.NewObject{Bucket: "stuff", Name: name}, strings.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func wantCode(t *testing.T, err error, want sunya.Code) {
	t.Helper()
	if got := sunya.CodeOf(err); got != want {
		t.Errorf("error %v has code %v, want %v", err, got, want)
	}
}

func TestBucketNames(t *testing.T) {
	for _, tt := range []struct {
		rule, name string
		ok         bool
	}{
		{"plain", "my-bucket_1", true},
		{"dotted", "staging.sunya.appspot.com", true},
		{"three characters", "abc", true},
		{"two characters", "ab", false},
		{"63 characters", strings.Repeat("a", 63), true},
		{"64 characters", strings.Repeat("a", 64), false},
		{"dotted up to 222", strings.Repeat("abcdefghi.", 22) + "ab", true},
		{"dotted, 223", strings.Repeat("abcdefghi.", 22) + "abc", false},
		{"part over 63", strings.Repeat("a", 64) + ".com", false},
		{"upper case", "Bucket", false},
		{"leading dash", "-bucket", false},
		{"trailing dot", "bucket.", false},
		{"two dots", "my..bucket", false},
		{"dash beside dot", "my-.bucket", false},
		{"IP address", "192.168.5.4", false},
		{"goog prefix", "google-stuff", false},
		{"contains google", "my-google-stuff", false},
		{"a path", "../etc", false},
		{"zero byte", "a\x00b", false},
	} {
		if err := objects.CheckBucketName(tt.name); (err == nil) != tt.ok {
			t.Errorf("%s: CheckBucketName(%q) = %v", tt.rule, tt.name, err)
		}
	}
}

func TestObjectNames(t *testing.T) {
	for _, tt := range []struct {
		rule, name string
		ok         bool
	}{
		{"path", "a/b c/ü?#%", true},
		{"only looks like a path", "../../etc/passwd", true},
		{"1024 bytes", strings.Repeat("x", 1024), true},
		{"1025 bytes", strings.Repeat("x", 1025), false},
		{"empty", "", false},
		{"line break", "a\nb", false},
		{"not UTF-8", "a\xff", false},
		{"dot", ".", false},
		{"dots", "..", false},
	} {
		if err := objects.CheckObjectName(tt.name); (err == nil) != tt.ok {
			t.Errorf("%s: CheckObjectName(%q) = %v", tt.rule, tt.name, err)
		}
	}
}

func TestEnsureBucket(t *testing.T) {
	f := setup(t, objects.Options{})
	b := objects.Bucket{Name: "staging.google-like.appspot.com", Project: "google-like"}
	for range 2 {
		if got, err := f.EnsureBucket(t.Context(), b); err != nil || got.Name != b.Name || got.Metageneration != 1 {
			t.Errorf("EnsureBucket = %+v, %v", got, err)
		}
	}
	b.Project = "other"
	_, err := f.EnsureBucket(t.Context(), b)
	wantCode(t, err, sunya.AlreadyExists)
}

func TestGenerationsGrow(t *testing.T) {
	f := setup(t, objects.Options{})
	first := f.put(t, "o", "1")
	if want := f.now.UnixMicro(); first.Generation != want {
		t.Errorf("generation %d, want the time %d", first.Generation, want)
	}
	second := f.put(t, "o", "2") // at the same time
	f.now = f.now.Add(-time.Hour)
	if err := f.Delete(t.Context(), "stuff", "o", 0, objects.Conditions{}); err != nil {
		t.Fatal(err)
	}
	third := f.put(t, "o", "3") // the clock went back
	if second.Generation <= first.Generation || third.Generation <= second.Generation {
		t.Errorf("generations %d, %d, %d do not grow", first.Generation, second.Generation, third.Generation)
	}
}

func TestOverwriteAndDeleteFreeTheBytes(t *testing.T) {
	f := setup(t, objects.Options{})
	f.put(t, "o", "1")
	f.put(t, "o", "2")
	if n := len(f.blobs.Names()); n != 1 {
		t.Errorf("%d blobs after an overwrite, want 1", n)
	}
	if err := f.Delete(t.Context(), "stuff", "o", 0, objects.Conditions{}); err != nil {
		t.Fatal(err)
	}
	if n := len(f.blobs.Names()); n != 0 {
		t.Errorf("%d blobs after the delete, want none", n)
	}
}

func TestPutThatFailsLeavesNothing(t *testing.T) {
	zero := int64(0)
	wrong := uint32(1)
	for _, tt := range []struct {
		rule string
		n    objects.NewObject
		body io.Reader
		size int64
		want sunya.Code
	}{
		{"no bucket", objects.NewObject{Bucket: "none", Name: "o"}, strings.NewReader("x"), 1, sunya.NotFound},
		{"no name", objects.NewObject{Bucket: "stuff"}, strings.NewReader("x"), 1, sunya.InvalidArgument},
		{"wrong checksum", objects.NewObject{Bucket: "stuff", Name: "o", Expect: objects.Checksums{CRC32C: &wrong}}, strings.NewReader("x"), 1, sunya.InvalidArgument},
		{"wrong md5", objects.NewObject{Bucket: "stuff", Name: "o", Expect: objects.Checksums{MD5: make([]byte, 16)}}, strings.NewReader("x"), 1, sunya.InvalidArgument},
		{"shorter than said", objects.NewObject{Bucket: "stuff", Name: "o"}, strings.NewReader("x"), 2, sunya.InvalidArgument},
		{"breaks off", objects.NewObject{Bucket: "stuff", Name: "o"}, iotest.ErrReader(errors.New("gone")), -1, sunya.Unknown},
		{"must not exist", objects.NewObject{Bucket: "stuff", Name: "live", Conditions: objects.Conditions{GenerationMatch: &zero}}, strings.NewReader("x"), 1, sunya.FailedPrecondition},
		{"a control character in the content type", objects.NewObject{Bucket: "stuff", Name: "o", ContentType: "text/plain\x00"}, strings.NewReader("x"), 1, sunya.InvalidArgument},
		{"too much metadata", objects.NewObject{Bucket: "stuff", Name: "o", Metadata: map[string]string{"k": strings.Repeat("x", 9<<10)}}, strings.NewReader("x"), 1, sunya.InvalidArgument},
	} {
		f := setup(t, objects.Options{})
		f.put(t, "live", "live")
		_, err := f.Put(t.Context(), tt.n, tt.body, tt.size)
		if got := sunya.CodeOf(err); got != tt.want {
			t.Errorf("%s: %v has code %v, want %v", tt.rule, err, got, tt.want)
		}
		if n := len(f.blobs.Names()); n != 1 {
			t.Errorf("%s: %d blobs, want the live one", tt.rule, n)
		}
	}
}

func TestConditions(t *testing.T) {
	f := setup(t, objects.Options{})
	o := f.put(t, "o", "x")
	n := func(v int64) *int64 { return &v }
	for _, tt := range []struct {
		rule string
		cond objects.Conditions
		name string // of the condition that fails
		not  bool
	}{
		{"nothing asked", objects.Conditions{}, "", false},
		{"all hold", objects.Conditions{n(o.Generation), n(0), n(1), n(2)}, "", false},
		{"other generation", objects.Conditions{GenerationMatch: n(1)}, "ifGenerationMatch", false},
		{"same generation", objects.Conditions{GenerationNotMatch: n(o.Generation)}, "ifGenerationNotMatch", true},
		{"other metageneration", objects.Conditions{MetagenerationMatch: n(2)}, "ifMetagenerationMatch", false},
		{"same metageneration", objects.Conditions{MetagenerationNotMatch: n(1)}, "ifMetagenerationNotMatch", true},
	} {
		_, err := f.Get(t.Context(), "stuff", "o", 0, tt.cond)
		var unmet *objects.ConditionNotMet
		if errors.As(err, &unmet) != (tt.name != "") {
			t.Errorf("%s: %v", tt.rule, err)
			continue
		}
		if unmet != nil && (unmet.Condition != tt.name || unmet.NotMatch != tt.not || sunya.CodeOf(err) != sunya.FailedPrecondition) {
			t.Errorf("%s: %+v", tt.rule, unmet)
		}
	}
}

func TestDamageIsNeverServed(t *testing.T) {
	f := setup(t, objects.Options{})
	o := f.put(t, "o", strings.Repeat("sunya", 10_000))
	r, err := f.Open(t.Context(), "stuff", "o")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(iotest.HalfReader(r)); err != nil || len(got) != 50_000 {
		t.Errorf("sound object: %d bytes, %v", len(got), err)
	}
	f.blobs.Damage(o.Blob)
	r, err = f.Open(t.Context(), "stuff", "o")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(r)
	wantCode(t, err, sunya.DataLoss)
	if err := f.blobs.Delete(t.Context(), o.Blob); err != nil {
		t.Fatal(err)
	}
	_, err = f.Open(t.Context(), "stuff", "o")
	wantCode(t, err, sunya.DataLoss)
}

func TestReadsDuringOverwritesSeeOneGeneration(t *testing.T) {
	f := setup(t, objects.Options{})
	f.put(t, "o", "aaaa")
	var writers sync.WaitGroup
	for _, body := range []string{"bbbbbbbb", "cc"} {
		writers.Go(func() {
			for range 200 {
				f.put(t, "o", body)
			}
		})
	}
	for range 200 {
		o, r, err := f.Read(t.Context(), "stuff", "o", 0, objects.Conditions{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || int64(len(got)) != o.Size || strings.Trim(string(got), string(got[:1])) != "" {
			t.Fatalf("read %q of %d bytes, %v", got, o.Size, err)
		}
	}
	writers.Wait()
}

func TestTotalLimitHoldsForUploadsSideBySide(t *testing.T) {
	const limit = 10 << 20
	f := setup(t, objects.Options{MaxTotalBytes: limit})
	var wg sync.WaitGroup
	var mu sync.Mutex
	stored := 0
	for i := range 16 {
		wg.Go(func() {
			body := bytes.NewReader(make([]byte, 1<<20))
			_, err := f.Put(t.Context(), objects.NewObject{Bucket: "stuff", Name: fmt.Sprint(i)}, body, int64(-1+i%2*(1<<20+1)))
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				stored++
				return
			}
			wantCode(t, err, sunya.ResourceExhausted)
		})
	}
	wg.Wait()
	used, err := f.store.UsedBytes(t.Context())
	if err != nil || used > limit || used != int64(stored)<<20 {
		t.Errorf("%d bytes used by %d objects, %v; limit %d", used, stored, err, limit)
	}
	if stored == 0 {
		t.Error("nothing was stored")
	}
}

func upload(t *testing.T, f *fixture, total int64) *objects.Upload {
	t.Helper()
	u, err := f.StartUpload(t.Context(), objects.NewObject{Bucket: "stuff", Name: "o"}, total)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func part(start int64, body string, total int64) objects.Part {
	return objects.Part{Start: start, Size: int64(len(body)), Total: total, Body: strings.NewReader(body)}
}

func TestUploadInParts(t *testing.T) {
	f := setup(t, objects.Options{})
	u := upload(t, f, -1)
	unit := strings.Repeat("x", objects.ChunkUnit)
	add := func(p objects.Part, received int64) *objects.Object {
		t.Helper()
		u, o, err := f.AppendUpload(t.Context(), u.ID, p)
		if err != nil {
			t.Fatal(err)
		}
		if o == nil && u.Received() != received {
			t.Errorf("received %d, want %d", u.Received(), received)
		}
		return o
	}
	add(part(0, unit, -1), objects.ChunkUnit)
	add(part(0, unit, -1), objects.ChunkUnit)        // the answer was lost: sent again
	add(part(0, unit+unit, -1), 2*objects.ChunkUnit) // half of it is known
	add(objects.Part{Total: -1}, 2*objects.ChunkUnit)
	o := add(part(2*objects.ChunkUnit, "end", 2*objects.ChunkUnit+3), 0)
	if o == nil || o.Size != 2*objects.ChunkUnit+3 {
		t.Fatalf("object %+v", o)
	}
	again := add(objects.Part{Total: o.Size}, 0) // the last answer was lost too
	if again == nil || again.Generation != o.Generation {
		t.Errorf("asked again: %+v", again)
	}
	if n := len(f.blobs.Names()); n != 1 {
		t.Errorf("%d blobs are left, want 1", n)
	}
	r, err := f.Open(t.Context(), "stuff", "o")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != unit+unit+"end" {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
}

func TestUploadRefusesWhatDoesNotFit(t *testing.T) {
	unit := strings.Repeat("x", objects.ChunkUnit)
	wrong := uint32(1)
	for _, tt := range []struct {
		rule  string
		total int64
		p     objects.Part
		want  sunya.Code
	}{
		{"a gap", -1, part(1, unit, -1), sunya.InvalidArgument},
		{"an odd size in the middle", -1, part(0, "odd", -1), sunya.InvalidArgument},
		{"behind the total", 2, part(0, "long", 4), sunya.InvalidArgument},
		{"another total", 10, part(0, unit, 11), sunya.InvalidArgument},
		{"over the limit", -1, part(0, unit+unit+unit+unit, -1), sunya.ResourceExhausted},
		{"wrong checksum", 1, objects.Part{Size: 1, Total: 1, Body: strings.NewReader("x"), Expect: objects.Checksums{CRC32C: &wrong}}, sunya.InvalidArgument},
	} {
		f := setup(t, objects.Options{MaxObjectBytes: 3 * objects.ChunkUnit})
		u := upload(t, f, tt.total)
		_, _, err := f.AppendUpload(t.Context(), u.ID, tt.p)
		if got := sunya.CodeOf(err); got != tt.want {
			t.Errorf("%s: %v has code %v, want %v", tt.rule, err, got, tt.want)
		}
		if n := len(f.blobs.Names()); n != 0 {
			t.Errorf("%s: %d blobs are left", tt.rule, n)
		}
	}
	f := setup(t, objects.Options{MaxObjectBytes: 100})
	_, err := f.StartUpload(t.Context(), objects.NewObject{Bucket: "stuff", Name: "o"}, 101)
	wantCode(t, err, sunya.ResourceExhausted)
}

// TestUploadKeepsWhatArrived goes on with parts that break off behind what came of
// them, also where the client has begun to send all of it again before that is known.
func TestUploadKeepsWhatArrived(t *testing.T) {
	f := setup(t, objects.Options{})
	u := upload(t, f, 8)
	half := func() objects.Part {
		return objects.Part{Size: 8, Total: 8, Body: io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF))}
	}
	r, w := io.Pipe()
	type result struct {
		o   *objects.Object
		err error
	}
	done := make(chan result)
	go func() {
		_, o, err := f.AppendUpload(t.Context(), u.ID, objects.Part{Size: 8, Total: 8, Body: r})
		done <- result{o, err}
	}()
	if _, err := w.Write([]byte("half")); err != nil { // the other request is under way
		t.Fatal(err)
	}
	if _, _, err := f.AppendUpload(t.Context(), u.ID, half()); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a part that breaks off: %v", err)
	}
	if u, _, err := f.AppendUpload(t.Context(), u.ID, objects.Part{Total: -1}); err != nil || u.Received() != 4 {
		t.Fatalf("%d bytes are stored, %v", u.Received(), err)
	}
	if _, err := w.Write([]byte("made")); err != nil {
		t.Fatal(err)
	}
	w.Close()
	got := <-done
	if got.err != nil || got.o == nil || f.read(t, "o") != "halfmade" {
		t.Fatalf("all of it: %+v, %v", got.o, got.err)
	}
	if n := len(f.blobs.Names()); n != 1 {
		t.Errorf("%d blobs are left", n)
	}
}

func TestEmptyUpload(t *testing.T) {
	f := setup(t, objects.Options{})
	u := upload(t, f, -1)
	_, o, err := f.AppendUpload(t.Context(), u.ID, objects.Part{Total: 0})
	if err != nil || o == nil || o.Size != 0 {
		t.Errorf("finish of nothing: %+v, %v", o, err)
	}
}

func TestCancelUpload(t *testing.T) {
	f := setup(t, objects.Options{})
	u := upload(t, f, -1)
	if _, _, err := f.AppendUpload(t.Context(), u.ID, part(0, strings.Repeat("x", objects.ChunkUnit), -1)); err != nil {
		t.Fatal(err)
	}
	if err := f.CancelUpload(t.Context(), u.ID); err != nil {
		t.Fatal(err)
	}
	_, _, err := f.GetUpload(t.Context(), u.ID)
	wantCode(t, err, sunya.NotFound)
	if n := len(f.blobs.Names()); n != 0 {
		t.Errorf("%d blobs are left", n)
	}
}

// TestRunTidies lets a week pass: what was never finished goes, and so does
// what a crash left without metadata.
func TestRunTidies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, blobs := objectstest.NewStore(), &objectstest.Blobs{}
		s := objects.New(store, blobs, time.Now, slog.New(slog.DiscardHandler), objects.Options{})
		if _, err := s.CreateBucket(t.Context(), objects.Bucket{Name: "stuff", Project: "p"}); err != nil {
			t.Fatal(err)
		}
		kept, err := s.Put(t.Context(), objects.NewObject{Bucket: "stuff", Name: "kept"}, strings.NewReader("x"), 1)
		if err != nil {
			t.Fatal(err)
		}
		u, err := s.StartUpload(t.Context(), objects.NewObject{Bucket: "stuff", Name: "o"}, -1)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.AppendUpload(t.Context(), u.ID, part(0, strings.Repeat("x", objects.ChunkUnit), -1)); err != nil {
			t.Fatal(err)
		}
		if _, err := blobs.Write(t.Context(), strings.NewReader("orphan"), -1); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(blobs.Names()); n != 2 {
			t.Errorf("%d blobs, want the object's and the upload's", n)
		}
		time.Sleep(8 * 24 * time.Hour)
		synctest.Wait()
		if left := blobs.Names(); len(left) != 1 || left[0] != kept.Blob {
			t.Errorf("left %v, want %s", left, kept.Blob)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	})
}
