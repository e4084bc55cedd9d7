package appenginev1_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestRESTAsCLIsSendIt holds what gcloud and curl do beyond the annotations.
func TestRESTAsCLIsSendIt(t *testing.T) {
	s := newServer(t)
	s.world.Upload("staging.sunya.appspot.com", sha1, 12)
	create := `{"id":"v1","runtime":"python311","madeUp":1,"handlers":[{"urlRegex":".*","script":{"scriptPath":"auto"},"colour":"red"}],
		"deployment":{"files":{"main.py":{"sourceUrl":"gs://staging.sunya.appspot.com/` + sha1 + `","sha1Sum":"` + sha1 + `"}}}}`
	made := s.do(t, "POST", "/v1/"+parent+"/versions?alt=json&prettyPrint=true&%24alt=json%3Benum-encoding%3Dint", create,
		http.Header{"Content-Type": {"application/json; charset=UTF-8"}}, 200)
	var op struct {
		Name     string
		Metadata struct {
			Type    string `json:"@type"`
			Warning []string
		}
	}
	if err := json.Unmarshal([]byte(made), &op); err != nil {
		t.Fatal(err)
	}
	if op.Metadata.Type != "type.googleapis.com/google.appengine.v1.OperationMetadataV1" {
		t.Errorf("metadata type = %s", op.Metadata.Type)
	}
	warnings := strings.Join(op.Metadata.Warning, "\n")
	for _, name := range []string{"madeUp: not a field", "handlers[0].colour: not a field"} {
		if !strings.Contains(warnings, name) {
			t.Errorf("no warning %q in %q", name, warnings)
		}
	}
	if err := s.world.Deploy(t.Context(), s.admin, nil); err != nil {
		t.Fatal(err)
	}
	done := s.do(t, "POST", "/v1/"+op.Name+":wait", `{"timeout":"1s"}`, nil, 200)
	if !strings.Contains(done, `"done":true`) && !strings.Contains(done, `"done": true`) {
		t.Errorf("wait = %s", done)
	}
	if list := s.get(t, "/v1/apps/sunya/operations?pageSize=1", 200); !strings.Contains(list, op.Name) {
		t.Errorf("operations = %s", list)
	}
	// gcloud really sends the comma, and Python's spelling of false.
	s.do(t, "PATCH", "/v1/"+parent+"?updateMask=split,&alt=json&migrateTraffic=False", `{"split":{"allocations":{"v1":1.0}}}`, nil, 200)
	s.do(t, "POST", "/v1/"+parent+"?updateMask=split%2C", `{"split":{"allocations":{"v1":1}}}`,
		http.Header{"X-Http-Method-Override": {"PATCH"}}, 200)
	s.do(t, "POST", "/v1/"+parent, "view=FULL", http.Header{
		"X-Http-Method-Override": {"GET"}, "Content-Type": {"application/x-www-form-urlencoded"},
	}, 400) // a service has no view: the form is the query
	s.do(t, "POST", "/v1/"+parent+"/versions/v1", "view=FULL", http.Header{
		"X-Http-Method-Override": {"GET"}, "Content-Type": {"application/x-www-form-urlencoded"},
	}, 200)
}

// TestRESTRefusals holds that every refusal has Google's envelope and the right
// status: bad input is never a 500.
func TestRESTRefusals(t *testing.T) {
	s := newServer(t)
	for _, c := range []struct {
		name, method, path, body string
		code                     int
		status, text             string
	}{
		{"unknown path", "GET", "/v1/nothing", "", 404, "NOT_FOUND", "/v1/nothing"},
		{"wrong verb", "PUT", "/v1/apps/sunya", "{}", 404, "NOT_FOUND", "PUT"},
		{"broken JSON", "POST", "/v1/apps", `{"id":`, 400, "INVALID_ARGUMENT", ""},
		{"wrong type", "POST", "/v1/apps", `{"id":{}}`, 400, "INVALID_ARGUMENT", "id"},
		{"array", "POST", "/v1/apps", `[]`, 400, "INVALID_ARGUMENT", ""},
		{"unknown enum", "POST", "/v1/" + parent + "/versions", `{"inboundServices":["X"]}`, 400, "INVALID_ARGUMENT", ""},
		{"unknown query", "GET", "/v1/apps/sunya?colour=red", "", 400, "INVALID_ARGUMENT", "colour"},
		{"bad number", "GET", "/v1/apps/sunya/services?pageSize=many", "", 400, "INVALID_ARGUMENT", "page_size"},
		{"bad escape", "GET", "/v1/apps/sunya/services?pageToken=%zz", "", 400, "INVALID_ARGUMENT", ""},
		{"negative page", "GET", "/v1/apps/sunya/services?pageSize=-1", "", 400, "INVALID_ARGUMENT", "pageSize"},
		{"made-up token", "GET", "/v1/apps/sunya/services?pageToken=abc", "", 400, "INVALID_ARGUMENT", "pageToken"},
		{"no such service", "GET", "/v1/apps/sunya/services/nope", "", 404, "NOT_FOUND", "service not found"},
		{"no such operation", "GET", "/v1/apps/sunya/operations/nope", "", 404, "NOT_FOUND", "operation"},
		{"another API's operation", "GET", "/v1/operations/nope", "", 400, "INVALID_ARGUMENT", "apps/*/operations/*"},
		{"unknown mask", "PATCH", "/v1/" + parent + "?updateMask=colour", `{}`, 400, "INVALID_ARGUMENT", "colour"},
		{"missing part", "GET", "/v1/apps/sunya/domainMappings", "", 501, "UNIMPLEMENTED", "domain mappings"},
		{"dispatch rules too early", "PATCH", "/v1/apps/sunya?updateMask=dispatchRules,", `{"dispatchRules":[]}`, 400, "FAILED_PRECONDITION", "no default service"},
		{"other fields of an application", "PATCH", "/v1/apps/sunya?updateMask=authDomain", `{"authDomain":"x"}`, 501, "UNIMPLEMENTED", "auth_domain"},
		{"deep JSON", "POST", "/v1/apps", strings.Repeat("[", 20000), 400, "INVALID_ARGUMENT", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc := s.do(t, c.method, c.path, c.body, nil, c.code)
			var e struct {
				Error struct {
					Code            int
					Status, Message string
				}
			}
			if err := json.Unmarshal([]byte(doc), &e); err != nil {
				t.Fatalf("not an envelope: %s", doc)
			}
			if e.Error.Code != c.code || e.Error.Status != c.status || !strings.Contains(e.Error.Message, c.text) {
				t.Errorf("got %s, want %d %s with %q", doc, c.code, c.status, c.text)
			}
		})
	}
}

// TestRESTRefusesForms: what a browser can send across origins without asking
// must not be read as JSON.
func TestRESTRefusesForms(t *testing.T) {
	s := newServer(t)
	for _, typ := range []string{"text/plain", "application/x-www-form-urlencoded", "application/grpc-web", "application/connect+json"} {
		s.do(t, "POST", "/v1/apps", `{"id":"other"}`, http.Header{"Content-Type": {typ}}, 400)
	}
}
