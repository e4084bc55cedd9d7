package storagev1_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/objects/objectstest"
	"github.com/sunya-cloud/sunya/internal/wire/storagev1"
)

// server is the API over an empty store, and Google's client of it.
type server struct {
	*storage.Service
	url   string
	blobs *objectstest.Blobs
}

func serve(t testing.TB, o objects.Options) server {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	blobs := &objectstest.Blobs{}
	h := storagev1.New(storagev1.Deps{Objects: objects.New(objectstest.NewStore(), blobs, time.Now, log, o), Log: log})
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	client, err := storage.NewService(t.Context(), option.WithEndpoint(srv.URL+"/storage/v1/"), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	return server{Service: client, url: srv.URL, blobs: blobs}
}

// bucket makes the bucket that most tests use.
func (s server) bucket(t testing.TB) {
	t.Helper()
	if _, err := s.Buckets.Insert("sunya", &storage.Bucket{Name: "stuff", Labels: map[string]string{"a": "b"}}).Do(); err != nil {
		t.Fatal(err)
	}
}

func (s server) put(t testing.TB, name, body string) *storage.Object {
	t.Helper()
	o, err := s.Objects.Insert("stuff", &storage.Object{Name: name}).Media(strings.NewReader(body)).Do()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// wantStatus fails unless err is the API's error of this status and reason.
func wantStatus(t *testing.T, err error, status int, reason string) {
	t.Helper()
	var e *googleapi.Error
	if !errors.As(err, &e) || e.Code != status || len(e.Errors) > 0 && e.Errors[0].Reason != reason {
		t.Errorf("got %v, want %d %s", err, status, reason)
	}
}

func TestBuckets(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	_, err := s.Buckets.Insert("sunya", &storage.Bucket{Name: "stuff"}).Do()
	wantStatus(t, err, 409, "conflict")
	_, err = s.Buckets.Insert("sunya", &storage.Bucket{Name: "No Good"}).Do()
	wantStatus(t, err, 400, "invalid")
	_, err = s.Buckets.Insert("sunya", &storage.Bucket{Name: "folders", HierarchicalNamespace: &storage.BucketHierarchicalNamespace{Enabled: true}}).Do()
	wantStatus(t, err, 501, "notImplemented")
	_, err = s.Buckets.Get("missing").Do()
	wantStatus(t, err, 404, "notFound")

	layout, err := s.Buckets.GetStorageLayout("stuff").Do()
	if err != nil || layout.HierarchicalNamespace == nil || layout.HierarchicalNamespace.Enabled {
		t.Errorf("GetStorageLayout = %+v, %v", layout, err)
	}
	_, err = s.Buckets.LockRetentionPolicy("stuff", 1).Do()
	wantStatus(t, err, 400, "invalid") // there is none

	b, err := s.Buckets.Patch("stuff", &storage.Bucket{Labels: map[string]string{"c": "d"}}).IfMetagenerationMatch(1).Do()
	if err != nil || b.Metageneration != 2 || b.Labels["a"] != "b" || b.Labels["c"] != "d" {
		t.Errorf("Patch = %+v, %v", b, err)
	}
	_, err = s.Buckets.Patch("stuff", &storage.Bucket{}).IfMetagenerationMatch(1).Do()
	wantStatus(t, err, 412, "conditionNotMet")

	s.put(t, "o", "x")
	wantStatus(t, s.Buckets.Delete("stuff").Do(), 409, "conflict")
	if err := s.Objects.Delete("stuff", "o").Do(); err != nil {
		t.Error(err)
	}
	if err := s.Buckets.Delete("stuff").Do(); err != nil {
		t.Error(err)
	}
}

func TestListBucketsPages(t *testing.T) {
	s := serve(t, objects.Options{})
	for i := range 5 {
		if _, err := s.Buckets.Insert("sunya", &storage.Bucket{Name: fmt.Sprint("bucket-", i)}).Do(); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	err := s.Buckets.List("sunya").MaxResults(2).Pages(t.Context(), func(l *storage.Buckets) error {
		for _, b := range l.Items {
			names = append(names, b.Name)
		}
		return nil
	})
	if err != nil || len(names) != 5 {
		t.Errorf("listed %v, %v", names, err)
	}
	_, err = s.Buckets.List("").Do()
	wantStatus(t, err, 400, "required")
	_, err = s.Buckets.List("sunya").PageToken("nonsense").Do()
	wantStatus(t, err, 400, "invalid")
}

// TestUploads sends the same bytes in each of the ways that the client knows.
func TestUploads(t *testing.T) {
	for _, tt := range []struct {
		way   string
		size  int
		chunk int
	}{
		{"empty", 0, 0},
		{"media in one request", 300 << 10, 0},
		{"multipart", 100 << 10, googleapi.MinUploadChunkSize},
		{"resumable", 700 << 10, googleapi.MinUploadChunkSize},
		{"resumable, whole chunks", 512 << 10, googleapi.MinUploadChunkSize},
	} {
		t.Run(tt.way, func(t *testing.T) {
			s := serve(t, objects.Options{})
			s.bucket(t)
			want := bytes.Repeat([]byte("sunya"), tt.size/5+1)[:tt.size]
			o, err := s.Objects.Insert("stuff", &storage.Object{Name: "dir/a b", ContentType: "text/x", Metadata: map[string]string{"k": "v"}}).
				Media(bytes.NewReader(want), googleapi.ChunkSize(tt.chunk)).Do()
			if err != nil {
				t.Fatal(err)
			}
			if o.Size != uint64(tt.size) || o.ContentType != "text/x" || o.Metadata["k"] != "v" || o.Generation == 0 {
				t.Errorf("object = %+v", o)
			}
			res, err := s.Objects.Get("stuff", "dir/a b").Download()
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			got, err := io.ReadAll(res.Body)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("read %d bytes, %v; want %d", len(got), err, len(want))
			}
			if n := len(s.blobs.Names()); n != 1 {
				t.Errorf("%d blobs are left, want 1", n)
			}
		})
	}
}

func TestPreconditions(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	first := s.put(t, "o", "1")
	_, err := s.Objects.Insert("stuff", &storage.Object{Name: "o"}).Media(strings.NewReader("2")).IfGenerationMatch(0).Do()
	wantStatus(t, err, 412, "conditionNotMet")
	second := s.put(t, "o", "2")
	if second.Generation <= first.Generation {
		t.Errorf("generation %d after %d", second.Generation, first.Generation)
	}
	_, err = s.Objects.Get("stuff", "o").Generation(first.Generation).Do()
	wantStatus(t, err, 404, "notFound")
	_, err = s.Objects.Get("stuff", "o").IfGenerationNotMatch(second.Generation).Do()
	if !googleapi.IsNotModified(err) {
		t.Errorf("IfGenerationNotMatch on get: %v, want 304", err)
	}
	err = s.Objects.Delete("stuff", "o").IfGenerationMatch(first.Generation).Do()
	wantStatus(t, err, 412, "conditionNotMet")
	if err := s.Objects.Delete("stuff", "o").IfGenerationMatch(second.Generation).Do(); err != nil {
		t.Error(err)
	}
	if left := s.blobs.Names(); len(left) != 0 {
		t.Errorf("blobs %v are left", left)
	}
}

func TestChecksumMismatchLeavesNothing(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	_, err := s.Objects.Insert("stuff", &storage.Object{Name: "o", Crc32c: "AAAAAA=="}).Media(strings.NewReader("x")).Do()
	wantStatus(t, err, 400, "invalid")
	_, err = s.Objects.Insert("stuff", &storage.Object{Name: "o", Md5Hash: "nonsense"}).Media(strings.NewReader("x")).Do()
	wantStatus(t, err, 400, "invalid")
	_, err = s.Objects.Get("stuff", "o").Do()
	wantStatus(t, err, 404, "notFound")
	if left := s.blobs.Names(); len(left) != 0 {
		t.Errorf("blobs %v are left", left)
	}
}

func TestQuota(t *testing.T) {
	s := serve(t, objects.Options{MaxObjectBytes: 1000, MaxTotalBytes: 1500})
	s.bucket(t)
	insert := func(name string, n int) error {
		_, err := s.Objects.Insert("stuff", &storage.Object{Name: name}).Media(strings.NewReader(strings.Repeat("x", n))).Do()
		return err
	}
	wantStatus(t, insert("large", 1001), 413, "uploadTooLarge")
	if err := insert("a", 1000); err != nil {
		t.Fatal(err)
	}
	err := insert("b", 600)
	wantStatus(t, err, 413, "uploadTooLarge")
	if !strings.Contains(err.Error(), "upload of stuff/b exceeds") {
		t.Errorf("error %q does not say what exceeds", err)
	}
	if err := insert("c", 500); err != nil {
		t.Errorf("what fits is refused: %v", err)
	}
}

func TestListObjects(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	for _, name := range []string{"a", "b/1", "b/2", "b/c/3", "b0", "ü", "z"} {
		s.put(t, name, name)
	}
	for _, tt := range []struct {
		rule string
		call func(*storage.ObjectsListCall) *storage.ObjectsListCall
		want string
	}{
		{"all, in byte order", func(c *storage.ObjectsListCall) *storage.ObjectsListCall { return c }, "a b/1 b/2 b/c/3 b0 z ü"},
		{"prefix", func(c *storage.ObjectsListCall) *storage.ObjectsListCall { return c.Prefix("b/") }, "b/1 b/2 b/c/3"},
		{"delimiter", func(c *storage.ObjectsListCall) *storage.ObjectsListCall { return c.Delimiter("/") }, "a [b/] b0 z ü"},
		{"prefix and delimiter", func(c *storage.ObjectsListCall) *storage.ObjectsListCall { return c.Prefix("b/").Delimiter("/") }, "b/1 b/2 [b/c/]"},
		{"offsets", func(c *storage.ObjectsListCall) *storage.ObjectsListCall { return c.StartOffset("b/2").EndOffset("z") }, "b/2 b/c/3 b0"},
	} {
		for _, size := range []int64{1, 2, 1000} {
			var got []string
			err := tt.call(s.Objects.List("stuff")).MaxResults(size).Pages(t.Context(), func(l *storage.Objects) error {
				var page []string
				for _, o := range l.Items {
					page = append(page, o.Name)
				}
				for _, p := range l.Prefixes {
					page = append(page, "["+p+"]")
				}
				if int64(len(page)) > size {
					t.Errorf("%s: page of %d, want at most %d", tt.rule, len(page), size)
				}
				slices.SortFunc(page, func(a, b string) int { return strings.Compare(strings.Trim(a, "[]"), strings.Trim(b, "[]")) })
				got = append(got, page...)
				return nil
			})
			if err != nil || strings.Join(got, " ") != tt.want {
				t.Errorf("%s, pages of %d: %v, %v; want %s", tt.rule, size, got, err, tt.want)
			}
		}
	}
	_, err := s.Objects.List("missing").Do()
	wantStatus(t, err, 404, "notFound")
	_, err = s.Objects.List("stuff").MatchGlob("[a").Do()
	wantStatus(t, err, 400, "invalid")
}

func TestPatchMergesMetadata(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	o, err := s.Objects.Insert("stuff", &storage.Object{Name: "o", CacheControl: "no-cache", Metadata: map[string]string{"a": "1", "b": "2"}}).
		Media(strings.NewReader("x")).Do()
	if err != nil {
		t.Fatal(err)
	}
	patched, err := s.Objects.Patch("stuff", "o", &storage.Object{ContentType: "text/y", Metadata: map[string]string{"c": "3"}}).Do()
	if err != nil {
		t.Fatal(err)
	}
	if patched.Generation != o.Generation || patched.Metageneration != 2 || patched.ContentType != "text/y" ||
		patched.CacheControl != "no-cache" || len(patched.Metadata) != 3 {
		t.Errorf("patched = %+v", patched)
	}
	_, err = s.Objects.Patch("stuff", "o", &storage.Object{KmsKeyName: "k"}).Do()
	wantStatus(t, err, 501, "notImplemented")
}

func TestUnimplementedIsNamed(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	s.put(t, "o", "x")
	_, err := s.Objects.BulkRestore("stuff", &storage.BulkRestoreObjectsRequest{}).Do()
	wantStatus(t, err, 501, "notImplemented")
	if !strings.Contains(err.Error(), "objects.bulkRestore") {
		t.Errorf("error %q does not name what is missing", err)
	}
}

func TestNotifications(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	_, err := s.Notifications.Insert("stuff", &storage.Notification{PayloadFormat: "NONE"}).Do()
	wantStatus(t, err, 400, "required")
	_, err = s.Notifications.Insert("stuff", &storage.Notification{Topic: "nonsense", PayloadFormat: "NONE"}).Do()
	wantStatus(t, err, 400, "invalid")
	want := &storage.Notification{Topic: "//pubsub.googleapis.com/projects/sunya/topics/changes", PayloadFormat: "JSON_API_V1",
		EventTypes: []string{"OBJECT_FINALIZE"}, ObjectNamePrefix: "in/", CustomAttributes: map[string]string{"k": "v"}}
	made, err := s.Notifications.Insert("stuff", want).Do()
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Notifications.Get("stuff", made.Id).Do()
	if err != nil {
		t.Fatal(err)
	}
	if got.Id == "" || got.Topic != want.Topic || got.EventTypes[0] != "OBJECT_FINALIZE" || got.ObjectNamePrefix != "in/" || got.CustomAttributes["k"] != "v" {
		t.Errorf("got %+v", got)
	}
	list, err := s.Notifications.List("stuff").Do()
	if err != nil || len(list.Items) != 1 {
		t.Errorf("list %+v, %v", list, err)
	}
	if err := s.Notifications.Delete("stuff", made.Id).Do(); err != nil {
		t.Error(err)
	}
	_, err = s.Notifications.Get("stuff", made.Id).Do()
	wantStatus(t, err, 404, "notFound")
}
