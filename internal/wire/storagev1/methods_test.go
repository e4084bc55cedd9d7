package storagev1_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/storage/v1"

	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/wire/storagev1"
)

func (s server) versioned(t testing.TB) {
	t.Helper()
	if _, err := s.Buckets.Insert("sunya", &storage.Bucket{Name: "stuff", Versioning: &storage.BucketVersioning{Enabled: true}}).Do(); err != nil {
		t.Fatal(err)
	}
}

func (s server) read(t testing.TB, name string, generation int64) string {
	t.Helper()
	call := s.Objects.Get("stuff", name)
	if generation != 0 {
		call.Generation(generation)
	}
	res, err := call.Download()
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestVersions(t *testing.T) {
	s := serve(t, objects.Options{})
	s.versioned(t)
	one, two := s.put(t, "o", "one"), s.put(t, "o", "two")
	if got := s.read(t, "o", one.Generation); got != "one" {
		t.Errorf("the first generation reads %q", got)
	}
	list, err := s.Objects.List("stuff").Versions(true).Do()
	if err != nil || len(list.Items) != 2 || list.Items[0].TimeDeleted == "" || list.Items[1].TimeDeleted != "" {
		t.Errorf("versions %+v, %v", list, err)
	}
	if err := s.Objects.Delete("stuff", "o").Do(); err != nil {
		t.Fatal(err)
	}
	_, err = s.Objects.Get("stuff", "o").Do()
	wantStatus(t, err, 404, "notFound")
	err = s.Buckets.Delete("stuff").Do()
	wantStatus(t, err, 409, "conflict")
	back, err := s.Objects.Copy("stuff", "o", "stuff", "o", nil).SourceGeneration(one.Generation).Do()
	if err != nil || back.Generation <= two.Generation || s.read(t, "o", 0) != "one" {
		t.Errorf("restored %+v, %v", back, err)
	}
	for _, g := range []int64{one.Generation, two.Generation, back.Generation} {
		if err := s.Objects.Delete("stuff", "o").Generation(g).Do(); err != nil {
			t.Error(err)
		}
	}
	if n := len(s.blobs.Names()); n != 0 {
		t.Errorf("%d blobs are left", n)
	}
	if err := s.Buckets.Delete("stuff").Do(); err != nil {
		t.Error(err)
	}
}

func TestSoftDelete(t *testing.T) {
	s := serve(t, objects.Options{})
	_, err := s.Buckets.Insert("sunya", &storage.Bucket{Name: "other", SoftDeletePolicy: &storage.BucketSoftDeletePolicy{RetentionDurationSeconds: 60}}).Do()
	wantStatus(t, err, 400, "invalid")
	_, err = s.Buckets.Insert("sunya", &storage.Bucket{Name: "stuff", SoftDeletePolicy: &storage.BucketSoftDeletePolicy{RetentionDurationSeconds: 604800}}).Do()
	if err != nil {
		t.Fatal(err)
	}
	o := s.put(t, "o", "kept")
	if err := s.Objects.Delete("stuff", "o").Do(); err != nil {
		t.Fatal(err)
	}
	list, err := s.Objects.List("stuff").SoftDeleted(true).Do()
	if err != nil || len(list.Items) != 1 || list.Items[0].HardDeleteTime == "" {
		t.Fatalf("soft-deleted %+v, %v", list, err)
	}
	_, err = s.Objects.Get("stuff", "o").Generation(o.Generation).Do()
	wantStatus(t, err, 404, "notFound")
	if _, err := s.Objects.Get("stuff", "o").Generation(o.Generation).SoftDeleted(true).Do(); err != nil {
		t.Error(err)
	}
	back, err := s.Objects.Restore("stuff", "o", o.Generation).Do()
	if err != nil || back.HardDeleteTime != "" || s.read(t, "o", 0) != "kept" {
		t.Errorf("restored %+v, %v", back, err)
	}
	_, err = s.Objects.Restore("stuff", "o", 7).Do()
	wantStatus(t, err, 404, "notFound")
}

func TestCompose(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	a, b := s.put(t, "a", "hello "), s.put(t, "b", "world")
	req := &storage.ComposeRequest{Destination: &storage.Object{ContentType: "text/plain", Metadata: map[string]string{"k": "v"}},
		SourceObjects: []*storage.ComposeRequestSourceObjects{{Name: "a", Generation: a.Generation}, {Name: "b",
			ObjectPreconditions: &storage.ComposeRequestSourceObjectsObjectPreconditions{IfGenerationMatch: b.Generation}}}}
	o, err := s.Objects.Compose("stuff", "whole", req).Do()
	if err != nil {
		t.Fatal(err)
	}
	same := s.put(t, "same", "hello world")
	if o.ComponentCount != 2 || o.Md5Hash != "" || o.Crc32c != same.Crc32c || o.Size != 11 || o.Metadata["k"] != "v" || s.read(t, "whole", 0) != "hello world" {
		t.Errorf("composed %+v", o)
	}
	req.SourceObjects[0].Name, req.SourceObjects[0].Generation = "whole", 0
	if o, err = s.Objects.Compose("stuff", "whole", req).Do(); err != nil || o.ComponentCount != 3 {
		t.Errorf("composed with itself: %+v, %v", o, err)
	}
	req.SourceObjects[1].ObjectPreconditions.IfGenerationMatch = 1
	_, err = s.Objects.Compose("stuff", "whole", req).Do()
	wantStatus(t, err, 412, "conditionNotMet")
	req.SourceObjects[1] = &storage.ComposeRequestSourceObjects{Name: "missing"}
	_, err = s.Objects.Compose("stuff", "whole", req).Do()
	wantStatus(t, err, 404, "notFound")
	req.SourceObjects = slices.Repeat(req.SourceObjects[:1], 33)
	_, err = s.Objects.Compose("stuff", "whole", req).Do()
	wantStatus(t, err, 400, "invalid")
}

func TestRewriteCopiesNoBytes(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	if _, err := s.Buckets.Insert("sunya", &storage.Bucket{Name: "other"}).Do(); err != nil {
		t.Fatal(err)
	}
	o := s.put(t, "dir/o", "bytes")
	res, err := s.Objects.Rewrite("stuff", "dir/o", "other", "dir/p", nil).Do()
	if err != nil || !res.Done || res.ObjectSize != 5 || res.TotalBytesRewritten != 5 || res.Resource.Md5Hash != o.Md5Hash || res.Resource.Bucket != "other" {
		t.Fatalf("rewrite %+v, %v", res, err)
	}
	if n := len(s.blobs.Names()); n != 1 {
		t.Errorf("%d blobs, want one that both have", n)
	}
	res, err = s.Objects.Rewrite("stuff", "dir/o", "stuff", "dir/o", &storage.Object{StorageClass: "NEARLINE", ContentType: "text/x", Metadata: map[string]string{"new": "1"}}).Do()
	if err != nil || res.Resource.StorageClass != "NEARLINE" || res.Resource.ContentType != "text/x" || res.Resource.Metadata["new"] != "1" {
		t.Errorf("rewritten onto itself: %+v, %v", res, err)
	}
	_, err = s.Objects.Rewrite("stuff", "dir/o", "other", "q", nil).IfSourceGenerationMatch(1).Do()
	wantStatus(t, err, 412, "conditionNotMet")
	_, err = s.Objects.Rewrite("stuff", "dir/o", "other", "dir/p", nil).IfGenerationMatch(0).Do()
	wantStatus(t, err, 412, "conditionNotMet")
	_, err = s.Objects.Rewrite("stuff", "dir/o", "none", "q", nil).Do()
	wantStatus(t, err, 404, "notFound")
	for _, at := range []string{"stuff/dir/o", "other/dir/p"} {
		bucket, name, _ := strings.Cut(at, "/")
		if err := s.Objects.Delete(bucket, name).Do(); err != nil {
			t.Error(err)
		}
	}
	if n := len(s.blobs.Names()); n != 0 {
		t.Errorf("%d blobs are left of nothing", n)
	}
}

func TestMove(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	s.put(t, "from/a", "moved")
	o, err := s.Objects.Move("stuff", "from/a", "to/b").Do()
	if err != nil || o.Name != "to/b" || s.read(t, "to/b", 0) != "moved" {
		t.Errorf("moved %+v, %v", o, err)
	}
	_, err = s.Objects.Get("stuff", "from/a").Do()
	wantStatus(t, err, 404, "notFound")
	_, err = s.Objects.Move("stuff", "to/b", "to/b").Do()
	wantStatus(t, err, 400, "invalid")
}

func TestHoldsAndRetention(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	s.put(t, "o", "held")
	if _, err := s.Objects.Patch("stuff", "o", &storage.Object{TemporaryHold: true, CustomTime: "2030-01-02T03:04:05Z"}).Do(); err != nil {
		t.Fatal(err)
	}
	err := s.Objects.Delete("stuff", "o").Do()
	wantStatus(t, err, 403, "forbidden")
	_, err = s.Objects.Insert("stuff", &storage.Object{Name: "o"}).Media(strings.NewReader("x")).Do()
	wantStatus(t, err, 403, "forbidden")
	_, err = s.Objects.Patch("stuff", "o", &storage.Object{CustomTime: "2029-01-02T03:04:05Z"}).Do()
	wantStatus(t, err, 400, "invalid")
	o, err := s.Objects.Patch("stuff", "o", &storage.Object{TemporaryHold: false, ForceSendFields: []string{"TemporaryHold"}}).Do()
	if err != nil || o.TemporaryHold || !strings.HasPrefix(o.CustomTime, "2030-01-02T03:04:05") {
		t.Errorf("released: %+v, %v", o, err)
	}
	if _, err := s.Buckets.Patch("stuff", &storage.Bucket{RetentionPolicy: &storage.BucketRetentionPolicy{RetentionPeriod: 3600}}).Do(); err != nil {
		t.Fatal(err)
	}
	err = s.Objects.Delete("stuff", "o").Do()
	wantStatus(t, err, 403, "forbidden")
	b, err := s.Buckets.Patch("stuff", &storage.Bucket{NullFields: []string{"RetentionPolicy"}}).Do()
	if err != nil || b.RetentionPolicy != nil {
		t.Errorf("retention is still %+v, %v", b, err)
	}
	if err := s.Objects.Delete("stuff", "o").Do(); err != nil {
		t.Error(err)
	}
}

// TestNewObjectsInherit gives new objects the list that their bucket has for them,
// and old ones nothing.
func TestNewObjectsInherit(t *testing.T) {
	s := serve(t, objects.Options{Inherit: storagev1.Inherit})
	s.bucket(t)
	s.put(t, "old", "x")
	if _, err := s.DefaultObjectAccessControls.Insert("stuff", &storage.ObjectAccessControl{Entity: "allUsers", Role: "READER"}).Do(); err != nil {
		t.Fatal(err)
	}
	s.put(t, "new", "x")
	if _, err := s.Objects.Insert("stuff", &storage.Object{Name: "private"}).PredefinedAcl("private").Media(strings.NewReader("x")).Do(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"old": 3, "new": 4, "private": 1} {
		list, err := s.ObjectAccessControls.List("stuff", name).Do()
		if err != nil || len(list.Items) != want {
			t.Errorf("%s: %+v, %v, want %d entries", name, list, err, want)
		}
	}
}

// TestLockedRetention only grows, and stays.
func TestLockedRetention(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	if _, err := s.Buckets.Patch("stuff", &storage.Bucket{RetentionPolicy: &storage.BucketRetentionPolicy{RetentionPeriod: 3600}}).Do(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Buckets.LockRetentionPolicy("stuff", 1).Do()
	wantStatus(t, err, 412, "conditionNotMet")
	b, err := s.Buckets.LockRetentionPolicy("stuff", 2).Do()
	if err != nil || !b.RetentionPolicy.IsLocked || b.Metageneration != 3 {
		t.Fatalf("locked: %+v, %v", b, err)
	}
	_, err = s.Buckets.Patch("stuff", &storage.Bucket{NullFields: []string{"RetentionPolicy"}}).Do()
	wantStatus(t, err, 403, "forbidden")
	_, err = s.Buckets.Patch("stuff", &storage.Bucket{RetentionPolicy: &storage.BucketRetentionPolicy{RetentionPeriod: 60}}).Do()
	wantStatus(t, err, 403, "forbidden")
	b, err = s.Buckets.Patch("stuff", &storage.Bucket{RetentionPolicy: &storage.BucketRetentionPolicy{RetentionPeriod: 7200}}).Do()
	if err != nil || !b.RetentionPolicy.IsLocked || b.RetentionPolicy.RetentionPeriod != 7200 {
		t.Errorf("made longer: %+v, %v", b, err)
	}
}

func TestUpdateResetsWhatIsLeftOut(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	if _, err := s.Objects.Insert("stuff", &storage.Object{Name: "o", CacheControl: "no-store", Metadata: map[string]string{"a": "b"}}).Media(strings.NewReader("x")).Do(); err != nil {
		t.Fatal(err)
	}
	o, err := s.Objects.Update("stuff", "o", &storage.Object{ContentType: "text/z"}).Do()
	if err != nil || o.CacheControl != "" || o.Metadata != nil || o.ContentType != "text/z" || o.Metageneration != 2 {
		t.Errorf("updated %+v, %v", o, err)
	}
	b, err := s.Buckets.Update("stuff", &storage.Bucket{Versioning: &storage.BucketVersioning{Enabled: true}}).Do()
	if err != nil || b.Labels != nil || !b.Versioning.Enabled {
		t.Errorf("updated %+v, %v", b, err)
	}
	_, err = s.Buckets.Update("stuff", &storage.Bucket{}).IfMetagenerationMatch(1).Do()
	wantStatus(t, err, 412, "conditionNotMet")
}

func TestListOptions(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	for _, name := range []string{"a/", "a/1.txt", "a/b/2.txt", "c.txt", "d.md"} {
		s.put(t, name, "x")
	}
	for _, tt := range []struct {
		rule string
		set  func(*storage.ObjectsListCall)
		want string
	}{
		{"a trailing delimiter", func(c *storage.ObjectsListCall) { c.Delimiter("/").IncludeTrailingDelimiter(true) }, "a/ c.txt d.md [a/]"},
		{"without", func(c *storage.ObjectsListCall) { c.Delimiter("/") }, "c.txt d.md [a/]"},
		{"a glob in a segment", func(c *storage.ObjectsListCall) { c.MatchGlob("*.txt") }, "c.txt"},
		{"a glob across", func(c *storage.ObjectsListCall) { c.MatchGlob("**.txt") }, "a/1.txt a/b/2.txt c.txt"},
		{"choices", func(c *storage.ObjectsListCall) { c.MatchGlob("{c,d}.{txt,md}") }, "c.txt d.md"},
		{"a range", func(c *storage.ObjectsListCall) { c.StartOffset("a/b").EndOffset("d") }, "a/b/2.txt c.txt"},
	} {
		call := s.Objects.List("stuff")
		tt.set(call)
		list, err := call.Do()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range list.Items {
			got = append(got, o.Name)
		}
		for _, p := range list.Prefixes {
			got = append(got, "["+p+"]")
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %v, want %s", tt.rule, got, tt.want)
		}
	}
	_, body := s.do(t, "GET", "/storage/v1/b/stuff/o?maxResults=1&fields=items(name,size),kind", nil)
	if body != `{"items":[{"name":"a/","size":"1"}],"kind":"storage#objects"}` {
		t.Errorf("with a mask: %s", body)
	}
}

func TestPolicy(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	p, err := s.Buckets.GetIamPolicy("stuff").Do()
	if err != nil || p.Etag == "" || len(p.Bindings) == 0 {
		t.Fatalf("policy %+v, %v", p, err)
	}
	next := &storage.Policy{Etag: p.Etag, Bindings: []*storage.PolicyBindings{{Role: "roles/storage.objectViewer", Members: []string{"allUsers"}}}}
	if p, err = s.Buckets.SetIamPolicy("stuff", next).Do(); err != nil || p.Bindings[0].Members[0] != "allUsers" {
		t.Errorf("set %+v, %v", p, err)
	}
	_, err = s.Buckets.SetIamPolicy("stuff", next).Do()
	wantStatus(t, err, 412, "conditionNotMet")
	asked := []string{"storage.objects.get", "storage.buckets.delete"}
	may, err := s.Buckets.TestIamPermissions("stuff", asked).Do()
	if err != nil || !slices.Equal(may.Permissions, asked) {
		t.Errorf("may %+v, %v", may, err)
	}
}

func TestAccessControls(t *testing.T) {
	s := serve(t, objects.Options{})
	s.bucket(t)
	s.put(t, "o", "x")
	if _, err := s.BucketAccessControls.Insert("stuff", &storage.BucketAccessControl{Entity: "user-a@b.c", Role: "WRITER"}).Do(); err != nil {
		t.Error(err)
	}
	if _, err := s.DefaultObjectAccessControls.Insert("stuff", &storage.ObjectAccessControl{Entity: "allUsers", Role: "READER"}).Do(); err != nil {
		t.Error(err)
	}
	made, err := s.ObjectAccessControls.Insert("stuff", "o", &storage.ObjectAccessControl{Entity: "allUsers", Role: "READER"}).Do()
	if err != nil || made.Role != "READER" || made.Object != "o" {
		t.Errorf("inserted %+v, %v", made, err)
	}
	if _, err := s.ObjectAccessControls.Patch("stuff", "o", "allUsers", &storage.ObjectAccessControl{Role: "OWNER"}).Do(); err != nil {
		t.Error(err)
	}
	got, err := s.ObjectAccessControls.Get("stuff", "o", "allUsers").Do()
	if err != nil || got.Role != "OWNER" {
		t.Errorf("got %+v, %v", got, err)
	}
	o, err := s.Objects.Get("stuff", "o").Projection("full").Do()
	if err != nil || len(o.Acl) != 4 || o.Metageneration != 3 {
		t.Errorf("with its list %+v, %v", o, err)
	}
	if err := s.ObjectAccessControls.Delete("stuff", "o", "allUsers").Do(); err != nil {
		t.Error(err)
	}
	_, err = s.ObjectAccessControls.Get("stuff", "o", "allUsers").Do()
	wantStatus(t, err, 404, "notFound")
	_, err = s.ObjectAccessControls.Insert("stuff", "o", &storage.ObjectAccessControl{Entity: "nobody", Role: "READER"}).Do()
	wantStatus(t, err, 400, "invalid")
	list, err := s.BucketAccessControls.List("stuff").Do()
	if err != nil || len(list.Items) != 4 {
		t.Errorf("bucket's list %+v, %v", list, err)
	}
	if _, err := s.Objects.Insert("stuff", &storage.Object{Name: "p"}).PredefinedAcl("publicRead").Media(strings.NewReader("x")).Do(); err != nil {
		t.Error(err)
	}
	uniform := &storage.Bucket{IamConfiguration: &storage.BucketIamConfiguration{UniformBucketLevelAccess: &storage.BucketIamConfigurationUniformBucketLevelAccess{Enabled: true}}}
	b, err := s.Buckets.Patch("stuff", uniform).Do()
	if err != nil || b.IamConfiguration.UniformBucketLevelAccess.LockedTime == "" {
		t.Errorf("uniform %+v, %v", b, err)
	}
	_, err = s.ObjectAccessControls.List("stuff", "o").Do()
	wantStatus(t, err, 400, "invalid")
	_, err = s.Objects.Insert("stuff", &storage.Object{Name: "q"}).PredefinedAcl("publicRead").Media(strings.NewReader("x")).Do()
	wantStatus(t, err, 400, "invalid")
}

func TestRulesOfBuckets(t *testing.T) {
	s := serve(t, objects.Options{})
	want := &storage.Bucket{Name: "stuff", StorageClass: "NEARLINE", Labels: map[string]string{"team": "a"},
		Website: &storage.BucketWebsite{MainPageSuffix: "index.html"}, Cors: []*storage.BucketCors{{Origin: []string{"*"}, MaxAgeSeconds: 60}},
		Logging: &storage.BucketLogging{LogBucket: "logs"}, DefaultEventBasedHold: true,
		Lifecycle: &storage.BucketLifecycle{Rule: []*storage.BucketLifecycleRule{{Action: &storage.BucketLifecycleRuleAction{Type: "SetStorageClass", StorageClass: "ARCHIVE"},
			Condition: &storage.BucketLifecycleRuleCondition{Age: googleapi.Int64(30), CreatedBefore: "2030-01-02", MatchesPrefix: []string{"logs/"}}}}}}
	if _, err := s.Buckets.Insert("sunya", want).Do(); err != nil {
		t.Fatal(err)
	}
	b, err := s.Buckets.Get("stuff").Do()
	if err != nil {
		t.Fatal(err)
	}
	r := b.Lifecycle.Rule[0]
	if b.StorageClass != "NEARLINE" || b.Labels["team"] != "a" || b.Website.MainPageSuffix != "index.html" || b.Cors[0].MaxAgeSeconds != 60 ||
		b.Logging.LogBucket != "logs" || !b.DefaultEventBasedHold || *r.Condition.Age != 30 || r.Condition.CreatedBefore != "2030-01-02" || r.Action.StorageClass != "ARCHIVE" {
		t.Errorf("bucket %+v", b)
	}
	o := s.put(t, "o", "x")
	if o.StorageClass != "NEARLINE" || !o.EventBasedHold {
		t.Errorf("a new object %+v", o)
	}
	account, err := s.Projects.ServiceAccount.Get("sunya").Do()
	if err != nil || !strings.Contains(account.EmailAddress, "@gs-project-accounts") {
		t.Errorf("account %+v, %v", account, err)
	}
	res, body := s.do(t, http.MethodPost, "/storage/v1/b?project=sunya", strings.NewReader(`{"name":"bad","lifecycle":{"rule":[{"action":{"type":"Explode"},"condition":{"age":1}}]}}`))
	if res.StatusCode != 400 || !strings.Contains(body, "lifecycle.rule[0]") {
		t.Errorf("a bad rule: %s %s", res.Status, body)
	}
}
