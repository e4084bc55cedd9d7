package projectv1_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/internal/wire/projectv1"
)

func TestAnswers(t *testing.T) {
	mux := http.NewServeMux()
	for _, r := range projectv1.Routes(func(api string) bool { return api == "run.googleapis.com" }) {
		pattern := strings.Replace(r.Pattern, "*", "{a}", 1)
		mux.Handle(r.Method+" /"+r.API+strings.Replace(pattern, "*", "{b}", 1), http.StripPrefix("/"+r.API, r.Handler))
	}
	const usage, manager = "/serviceusage.googleapis.com", "/cloudresourcemanager.googleapis.com"
	for _, tt := range []struct {
		method, path string
		code         int
		want         string
	}{
		{"GET", usage + "/v1/projects/sunya/services/run.googleapis.com", 200, `"state":"ENABLED"`},
		{"GET", usage + "/v1/projects/sunya/services/pubsub.googleapis.com", 200, `"state":"DISABLED"`},
		{"GET", manager + "/v1/projects/sunya", 200, `"projectNumber":"410827792011"`},
		{"GET", manager + "/v1/projects/No", 400, "No"},
		{"POST", manager + "/v1/projects/sunya:getIamPolicy", 200, `"roles/editor"`},
		{"POST", manager + "/v1/projects/sunya:setIamPolicy", 501, "setIamPolicy"},
		{"GET", "/cloudbuild.googleapis.com/v1/projects/sunya/locations/l/defaultServiceAccount", 200, "/serviceAccounts/410827792011-compute@developer.gserviceaccount.com"},
		{"GET", "/iam.googleapis.com/v1/projects/-/serviceAccounts/410827792011-compute@developer.gserviceaccount.com", 200, `"email":"410827792011-compute@`},
		{"GET", "/iam.googleapis.com/v1/projects/-/serviceAccounts/nobody", 400, "nobody"},
		{"GET", "/cloudfunctions.googleapis.com/v1/projects/sunya/locations", 200, `"locationId":"local"`},
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
		if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %s, want %d %s", tt.path, w.Code, w.Body, tt.code, tt.want)
		}
	}
}
