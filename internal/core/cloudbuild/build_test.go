package cloudbuild

import (
	"strings"
	"testing"
	"time"

	"github.com/sunya-cloud/sunya"
)

func TestSubstitutions(t *testing.T) {
	b := &Build{
		ID: "id1", Project: "p1", Location: "global",
		Steps:  []Step{{Name: "gcr.io/$PROJECT_ID/${_A}", Args: []string{"$$HOME", "$BUILD_ID", "${_A}b"}, Env: []string{"X=$LOCATION"}, Dir: "$_A"}},
		Images: []string{"gcr.io/$PROJECT_ID/x:$COMMIT_SHA-1"}, Tags: []string{"$_A"},
	}
	if err := substitute(b, map[string]string{"_A": "v"}, false); err != nil {
		t.Fatal(err)
	}
	s := b.Steps[0]
	got := strings.Join([]string{s.Name, s.Args[0], s.Args[1], s.Args[2], s.Env[0], s.Dir, b.Images[0], b.Tags[0]}, " ")
	if want := "gcr.io/p1/v $HOME id1 vb X=global v gcr.io/p1/x:-1 v"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestSubstitutionsThatAreWrong(t *testing.T) {
	for _, tt := range []struct {
		args  string
		own   map[string]string
		loose bool
		want  string
	}{
		{"$_NOPE", nil, false, "$_NOPE"},
		{"$_NOPE", nil, true, ""},
		{"x", map[string]string{"_A": "1"}, false, "not used"},
		{"x", map[string]string{"_A": "1"}, true, ""},
		{"$A", map[string]string{"A": "1"}, false, "begin with _"},
		{"$_a", map[string]string{"_a": "1"}, false, "begin with _"},
		{"$TAG_NAME", map[string]string{"TAG_NAME": "v1"}, false, ""},
		{"$_A", map[string]string{"_A": strings.Repeat("x", 5000)}, false, "4000"},
	} {
		err := substitute(&Build{Project: "p1", Steps: []Step{{Args: []string{tt.args}}}}, tt.own, tt.loose)
		if (tt.want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s %v: %v, want %q", tt.args, tt.loose, err, tt.want)
		}
	}
}

func TestFilters(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	b := &Build{
		ID: "1", Status: Success, Tags: []string{"v1", "x"}, Images: []string{"gcr.io/p/a"}, Results: []Image{{Name: "gcr.io/p/a:latest"}},
		Source: &Source{Bucket: "b", Object: "o"}, CreateTime: at,
	}
	for filter, want := range map[string]bool{
		"":                                       true,
		`status="SUCCESS"`:                       true,
		`status=success`:                         true,
		`status="FAILURE"`:                       false,
		`status!="FAILURE"`:                      true,
		`NOT status="SUCCESS"`:                   false,
		`-status="FAILURE"`:                      true,
		`tags="v1" AND tags="x"`:                 true,
		`tags="v1" tags="y"`:                     false,
		`images:"p/a"`:                           true,
		`results.images.name="gcr.io/p/a"`:       false,
		`source.storage_source.object = "o"`:     true,
		`create_time>"2026-01-02T03:04:04Z"`:     true,
		`createTime>="2026-01-02T03:04:05Z"`:     true,
		`createTime<"2026-01-02T03:04:05Z"`:      false,
		`build_id="1" AND status='SUCCESS'`:      true,
		`finishTime>"2020-01-01T00:00:00Z"`:      false,
		`status="SUCCESS" AND build_id = "nope"`: false,
	} {
		f, err := ParseFilter(filter)
		if err != nil {
			t.Errorf("%s: %v", filter, err)
			continue
		}
		if got := f.Holds(b); got != want {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
	}
	for filter, code := range map[string]sunya.Code{
		"status": sunya.InvalidArgument, "=": sunya.InvalidArgument, `(status="A")`: sunya.InvalidArgument, `status>"A"`: sunya.InvalidArgument,
		`create_time>"yesterday"`: sunya.InvalidArgument, `trigger_id="x"`: sunya.Unimplemented, `status="A" OR status="B"`: sunya.InvalidArgument,
		strings.Repeat("x", 3000): sunya.InvalidArgument,
	} {
		if _, err := ParseFilter(filter); sunya.CodeOf(err) != code {
			t.Errorf("%.40s: %v, want %v", filter, err, code)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	f.Add(`status="SUCCESS" AND NOT tags:'x'`)
	f.Fuzz(func(_ *testing.T, text string) {
		if filter, err := ParseFilter(text); err == nil {
			filter.Holds(&Build{})
		}
	})
}

func FuzzSubstitute(f *testing.F) {
	f.Add("$_A ${_B} $$C", "_A", "v")
	f.Fuzz(func(_ *testing.T, text, name, value string) {
		_ = substitute(&Build{Project: "p1", Steps: []Step{{Args: []string{text}}}}, map[string]string{name: value}, false)
	})
}

func TestCompile(t *testing.T) {
	docker := func(args ...string) Step { return Step{Name: "gcr.io/cloud-builders/docker", Args: args} }
	for _, tt := range []struct {
		name   string
		build  Build
		want   string // of the error
		steps  int
		packed int
	}{
		{"docker", Build{Steps: []Step{docker("build", "-t", "a", "."), docker("push", "a")}, Images: []string{"a"}}, "", 2, 0},
		{"container", Build{Steps: []Step{{Name: "node:20", Args: []string{"npm", "test"}}}}, "", 1, 0},
		{"versioned builder", Build{Steps: []Step{{Name: "gcr.io/cloud-builders/docker:20.10@sha256:" + strings.Repeat("a", 64), Args: []string{"push", "a"}}}}, "", 1, 0},
		{"pack", Build{Steps: []Step{{Name: "gcr.io/k8s-skaffold/pack", Entrypoint: "pack", Args: []string{"build", "a"}}}}, "", 0, 1},
		{"nothing", Build{}, "needs a step", 0, 0},
		{"mixed", Build{Steps: []Step{docker("push", "a"), {Name: "gcr.io/k8s-skaffold/pack", Args: []string{"build", "a"}}}}, "two builds", 0, 0},
		{"bad image", Build{Steps: []Step{{Name: "A B"}}}, "steps[0].name", 0, 0},
		{"bad tag", Build{Steps: []Step{docker("build", "-t", "A:::", ".")}}, "steps[0].args", 0, 0},
		{"bad images", Build{Steps: []Step{docker("push", "a")}, Images: []string{"??"}}, "images[0]", 0, 0},
		{"order", Build{Steps: []Step{{Name: "a", ID: "x"}, {Name: "a", WaitFor: []string{"y"}}}}, "no earlier step", 0, 0},
		{"ids", Build{Steps: []Step{{Name: "a", ID: "x"}, {Name: "a", ID: "x"}}}, "taken", 0, 0},
		{"wait", Build{Steps: []Step{{Name: "a", ID: "x"}, {Name: "a", WaitFor: []string{"-"}}, {Name: "a", WaitFor: []string{"x"}}}}, "", 3, 0},
		{"dir", Build{Steps: []Step{{Name: "a", Dir: "../x"}}}, "outside", 0, 0},
		{"script and args", Build{Steps: []Step{{Name: "a", Script: "x", Args: []string{"y"}}}}, "neither", 0, 0},
		{"volume", Build{Steps: []Step{{Name: "a", Volumes: []Volume{{Name: "v", Path: "rel"}}}}}, "volume", 0, 0},
	} {
		p, err := compile(&tt.build)
		if tt.want != "" {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
			}
			continue
		}
		if err != nil || len(p.steps) != tt.steps || len(p.packs) != tt.packed {
			t.Errorf("%s: %+v, %v", tt.name, p, err)
		}
	}
}
