package functionsv2

import (
	"strings"
	"testing"

	"cloud.google.com/go/functions/apiv2/functionspb"
)

func TestFilter(t *testing.T) {
	f := functionField(&functionspb.Function{
		Name: "projects/p/locations/l/functions/hello", Environment: functionspb.Environment_GEN_2, State: functionspb.Function_ACTIVE,
		BuildConfig: &functionspb.BuildConfig{Runtime: "python311"}, Labels: map[string]string{"team": "a b"},
	})
	for s, want := range map[string]string{
		"":                     "yes",
		`environment="GEN_2"`:  "yes",
		`environment = GEN_1`:  "no",
		`environment!="GEN_1"`: "yes",
		`environment="GEN_2" AND state=ACTIVE and labels.team="a b"`: "yes",
		`environment="GEN_2" state=FAILED`:                           "no",
		`name:Hello`:                                                 "yes",
		`buildConfig.runtime=python311`:                              "yes",
		`labels.none=""`:                                             "yes",
		`name="a\"b"`:                                                "no",
		`size>3`:                                                     "is not supported",
		`color=red`:                                                  `"color" cannot be asked for`,
		`name="x`:                                                    "is not supported",
		`name=x)`:                                                    "is not readable",
		`(name=x OR name=y)`:                                         "is not supported",
	} {
		got := "no"
		parsed, err := parseFilter(s, functionFields...)
		if err != nil {
			got = err.Error()
		} else if parsed.holds(f) {
			got = "yes"
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", s, got, want)
		}
	}
}

func FuzzFilter(f *testing.F) {
	f.Add(`name="x\"" AND labels.a:b state!=ACTIVE`)
	f.Fuzz(func(t *testing.T, s string) {
		parsed, err := parseFilter(s, functionFields...)
		if err == nil {
			parsed.holds(func(string) string { return s })
		}
	})
}
