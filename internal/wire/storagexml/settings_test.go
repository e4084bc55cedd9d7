package storagexml_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// TestSettings: what is written in XML is what the bucket has, read in XML again,
// and gone when it is taken away.
func TestSettings(t *testing.T) {
	s := serve(t)
	for _, tt := range []struct {
		name, body string
		want       string // what the body becomes, where it is not itself
		reset      string // what DELETE leaves
	}{
		{"versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>", "", "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"},
		{"cors", "<CorsConfig><Cors><Origins><Origin>https://a.example</Origin><Origin>*</Origin></Origins><Methods><Method>GET</Method></Methods><ResponseHeaders><ResponseHeader>X-A</ResponseHeader></ResponseHeaders><MaxAgeSec>60</MaxAgeSec></Cors></CorsConfig>", "", "<CorsConfig></CorsConfig>"},
		{"lifecycle", "<LifecycleConfiguration><Rule><Action><SetStorageClass>NEARLINE</SetStorageClass></Action><Condition><Age>30</Age><MatchesStorageClass>STANDARD</MatchesStorageClass></Condition></Rule><Rule><Action><Delete></Delete></Action><Condition><CreatedBefore>2020-01-02</CreatedBefore><IsLive>false</IsLive><NumberOfNewerVersions>3</NumberOfNewerVersions></Condition></Rule></LifecycleConfiguration>", "", "<LifecycleConfiguration></LifecycleConfiguration>"},
		{"logging", "<Logging><LogBucket>logs</LogBucket><LogObjectPrefix>p</LogObjectPrefix></Logging>", "", "<Logging></Logging>"},
		{"websiteConfig", "<WebsiteConfiguration><MainPageSuffix>index.html</MainPageSuffix></WebsiteConfiguration>", "", "<WebsiteConfiguration></WebsiteConfiguration>"},
		{"storageClass", "<StorageClass>nearline</StorageClass>", "<StorageClass>NEARLINE</StorageClass>", "<StorageClass>STANDARD</StorageClass>"},
		{"tagging", "<Tagging><TagSet><Tag><Key>team</Key><Value>a</Value></Tag><Tag><Key>and</Key><Value>b</Value></Tag></TagSet></Tagging>",
			"<Tagging><TagSet><Tag><Key>and</Key><Value>b</Value></Tag><Tag><Key>team</Key><Value>a</Value></Tag></TagSet></Tagging>", "<Tagging><TagSet></TagSet></Tagging>"},
	} {
		want := tt.want
		if want == "" {
			want = tt.body
		}
		if res, body := s.do(t, "PUT", "/stuff?"+tt.name, tt.body); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s %s", tt.name, res.Status, body)
		}
		if _, body := s.do(t, "GET", "/stuff?"+tt.name, ""); !strings.HasSuffix(body, want) {
			t.Errorf("%s: %s, want %s", tt.name, body, want)
		}
		if res, body := s.do(t, "DELETE", "/stuff?"+tt.name, ""); res.StatusCode != http.StatusNoContent {
			t.Errorf("%s: %s %s", tt.name, res.Status, body)
		}
		if _, body := s.do(t, "GET", "/stuff?"+tt.name, ""); !strings.HasSuffix(body, tt.reset) {
			t.Errorf("%s after it was taken away: %s, want %s", tt.name, body, tt.reset)
		}
	}
	for name, want := range map[string]string{"billing": "<RequesterPays>Disabled</RequesterPays>", "encryptionConfig": "<EncryptionConfiguration>", "location": "<LocationConstraint>"} {
		if res, body := s.do(t, "GET", "/stuff?"+name, ""); res.StatusCode != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %s %s", name, res.Status, body)
		}
	}
	// Labels are those of the document and no others.
	s.do(t, "PUT", "/stuff?tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>")
	s.do(t, "PUT", "/stuff?tagging", "<Tagging><TagSet><Tag><Key>b</Key><Value>2</Value></Tag></TagSet></Tagging>")
	if _, body := s.do(t, "GET", "/stuff?tagging", ""); strings.Contains(body, "<Key>a</Key>") {
		t.Errorf("labels of before: %s", body)
	}
}

func TestBadSettings(t *testing.T) {
	s := serve(t)
	for _, tt := range []struct{ name, body, want string }{
		{"versioning", "<VersioningConfiguration><Status>On</Status></VersioningConfiguration>", "Enabled or Suspended"},
		{"lifecycle", "<LifecycleConfiguration><Rule><Action/><Condition><Age>1</Age></Condition></Rule></LifecycleConfiguration>", "Action"},
		{"lifecycle", "<LifecycleConfiguration><Rule><Action><Delete/></Action><Condition><CreatedBefore>soon</CreatedBefore></Condition></Rule></LifecycleConfiguration>", "soon"},
		{"lifecycle", "<LifecycleConfiguration><Rule><Action><SetStorageClass>WARM</SetStorageClass></Action><Condition><Age>1</Age></Condition></Rule></LifecycleConfiguration>", "WARM"},
		{"storageClass", "<StorageClass>WARM</StorageClass>", "WARM"},
		{"tagging", "<Tagging><TagSet><Tag><Key>No Key</Key><Value>1</Value></Tag></TagSet></Tagging>", "No Key"},
		{"cors", "<CorsConfig>", "MalformedXML"},
		{"acl", "<AccessControlList><Entries><Entry><Permission>EAT</Permission><Scope type=\"AllUsers\"/></Entry></Entries></AccessControlList>", "EAT"},
		{"acl", "<AccessControlList><Entries><Entry><Permission>READ</Permission><Scope type=\"Nobody\"/></Entry></Entries></AccessControlList>", "Nobody"},
		{"defaultObjectAcl", "<AccessControlList><Entries><Entry><Permission>WRITE</Permission><Scope type=\"AllUsers\"/></Entry></Entries></AccessControlList>", "role"},
	} {
		if res, body := s.do(t, "PUT", "/stuff?"+tt.name, tt.body); res.StatusCode != http.StatusBadRequest || !strings.Contains(body, tt.want) {
			t.Errorf("%s: %s %s, want %q", tt.name, res.Status, body, tt.want)
		}
	}
	if res, body := s.do(t, "PUT", "/none?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"); res.StatusCode != http.StatusNotFound {
		t.Errorf("no bucket: %s %s", res.Status, body)
	}
	if res, body := s.do(t, "PUT", "/stuff?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>", "X-Goog-If-Metageneration-Match", "99"); res.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("a condition that fails: %s %s", res.Status, body)
	}
	if res, body := s.do(t, "PUT", "/stuff?billing", ""); res.StatusCode != http.StatusNotImplemented || !strings.Contains(body, "billing") {
		t.Errorf("requester pays: %s %s", res.Status, body)
	}
}

// TestLists: access lists in XML, of a bucket, for its objects and of one.
func TestLists(t *testing.T) {
	s := serve(t)
	s.put(t, "o", "text")
	entry := func(scope, permission string) string {
		return "<Entry>" + scope + "<Permission>" + permission + "</Permission></Entry>"
	}
	var entries string
	for _, scope := range []string{
		`<Scope type="AllUsers"></Scope>`, `<Scope type="AllAuthenticatedUsers"></Scope>`, `<Scope type="GroupByDomain"><Domain>example.org</Domain></Scope>`,
		`<Scope type="UserByEmail"><EmailAddress>joe@example.org</EmailAddress></Scope>`, `<Scope type="UserById"><ID>00b4</ID></Scope>`,
		`<Scope type="GroupByEmail"><EmailAddress>all@example.org</EmailAddress></Scope>`, `<Scope type="GroupById"><ID>00b5</ID></Scope>`,
		`<Scope type="GroupById"><ID>project-viewers-1</ID></Scope>`,
	} {
		entries += entry(scope, "READ")
	}
	entries += entry(`<Scope type="UserByEmail"><EmailAddress>ann@example.org</EmailAddress></Scope>`, "FULL_CONTROL")
	list := "<AccessControlList><Owner><ID>x</ID></Owner><Entries>" + entries + "</Entries></AccessControlList>"
	for _, path := range []string{"/stuff?acl", "/stuff?defaultObjectAcl", "/stuff/o?acl"} {
		if _, body := s.do(t, "GET", path, ""); strings.Count(body, "<Entry>") != 3 || !strings.Contains(body, "FULL_CONTROL") {
			t.Errorf("%s at first: %s", path, body)
		}
		if res, body := s.do(t, "PUT", path, list); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s %s", path, res.Status, body)
		}
		if _, body := s.do(t, "GET", path, ""); !strings.Contains(body, entries) {
			t.Errorf("%s: %s, want %s", path, body, entries)
		}
		if res, body := s.do(t, "PUT", path, "", "X-Goog-Acl", "public-read"); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s %s", path, res.Status, body)
		}
		if _, body := s.do(t, "GET", path, ""); strings.Count(body, "<Entry>") != 2 || !strings.Contains(body, "AllUsers") {
			t.Errorf("%s, public: %s", path, body)
		}
	}
	// Who writes an object can say it along.
	wantList := func(path string) {
		t.Helper()
		if _, body := s.do(t, "GET", path+"?acl", ""); !strings.Contains(body, "AllAuthenticatedUsers") {
			t.Errorf("%s: %s", path, body)
		}
	}
	const named, name = "X-Goog-Acl", "authenticated-read"
	s.do(t, "PUT", "/stuff/new", "text", named, name)
	wantList("/stuff/new")
	res, _ := s.do(t, "POST", "/stuff/later", "", named, name, "X-Goog-Resumable", "start")
	s.do(t, "PUT", strings.TrimPrefix(res.Header.Get("Location"), s.url), "text")
	wantList("/stuff/later")
	s.do(t, "PUT", "/stuff/joined?compose", "<ComposeRequest><Component><Name>new</Name></Component></ComposeRequest>", named, name)
	wantList("/stuff/joined")
	s.do(t, "PUT", "/stuff/typed", "text", "Content-Type", "text/plain")
	s.do(t, "PUT", "/stuff/copied", "", named, name, "X-Goog-Copy-Source", "/stuff/typed")
	wantList("/stuff/copied")
	if res, _ := s.do(t, "GET", "/stuff/copied", ""); res.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("the copy has not what its source says: %v", res.Header)
	}
	if res, body := s.do(t, "PUT", "/stuff/bad", "text", named, "everybody"); res.StatusCode != http.StatusBadRequest || !strings.Contains(body, "everybody") {
		t.Errorf("a list without such a name: %s %s", res.Status, body)
	}
	if _, err := s.UpdateBucket(t.Context(), "stuff", objects.Conditions{}, func(b *objects.Bucket) error { b.Rules.Uniform = true; return nil }); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/stuff?acl", "/stuff/o?acl"} {
		if res, body := s.do(t, "PUT", path, list); res.StatusCode != http.StatusBadRequest || !strings.Contains(body, "uniform") {
			t.Errorf("%s of a uniform bucket: %s %s", path, res.Status, body)
		}
	}
}

func TestCompose(t *testing.T) {
	s := serve(t)
	first := s.put(t, "a", "one ")
	s.put(t, "a", "two ")
	s.put(t, "b", "three")
	component := func(name, more string) string { return "<Component><Name>" + name + "</Name>" + more + "</Component>" }
	ask := func(parts ...string) (int, string) {
		res, body := s.do(t, "PUT", "/stuff/both?compose", "<ComposeRequest>"+strings.Join(parts, "")+"</ComposeRequest>", "Content-Type", "text/plain")
		return res.StatusCode, body
	}
	if code, body := ask(component("a", ""), component("b", "")); code != http.StatusOK {
		t.Errorf("%d %s", code, body)
	}
	if res, body := s.do(t, "GET", "/stuff/both", ""); body != "two three" || res.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("%q, %v", body, res.Header)
	}
	for _, tt := range []struct {
		parts []string
		code  int
	}{
		{nil, http.StatusBadRequest},
		{[]string{component("none", "")}, http.StatusNotFound},
		{[]string{component("a", "<Generation>x</Generation>")}, http.StatusBadRequest},
		{[]string{component("a", fmt.Sprintf("<IfGenerationMatch>%d</IfGenerationMatch>", first.Generation))}, http.StatusPreconditionFailed},
	} {
		if code, body := ask(tt.parts...); code != tt.code {
			t.Errorf("%q: %d %s", tt.parts, code, body)
		}
	}
}

// TestListVersions: every generation once, page by page, and which is live.
func TestListVersions(t *testing.T) {
	s := serve(t)
	if _, err := s.UpdateBucket(t.Context(), "stuff", objects.Conditions{}, func(b *objects.Bucket) error { b.Rules.Versioning = true; return nil }); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, name := range []string{"a", "a", "a", "b/c", "d", "d"} {
		want[fmt.Sprintf("<Key>%s</Key><Generation>%d<", name, s.put(t, name, "text").Generation)] = false
	}
	path, latest := "/stuff?versions&max-keys=2", 0
	for more := ""; ; {
		_, body := s.do(t, "GET", path+more, "")
		for v := range want {
			if strings.Contains(body, v) {
				if want[v] {
					t.Errorf("%s is there twice", v)
				}
				want[v] = true
			}
		}
		latest += strings.Count(body, "<IsLatest>true<")
		marker := between(body, "<NextMarker>", "</NextMarker>")
		if marker == "" {
			break
		}
		more = "&marker=" + marker + "&generation-marker=" + between(body, "<NextGenerationMarker>", "</NextGenerationMarker>")
	}
	for v, seen := range want {
		if !seen {
			t.Errorf("%s is missing", v)
		}
	}
	if latest != 3 {
		t.Errorf("%d are the latest, want 3", latest)
	}
}

func between(s, begin, end string) string {
	_, rest, _ := strings.Cut(s, begin)
	out, _, ok := strings.Cut(rest, end)
	if !ok {
		return ""
	}
	return out
}
