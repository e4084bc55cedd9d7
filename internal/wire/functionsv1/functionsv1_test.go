package functionsv1

import (
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/functions/apiv1/functionspb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/functions"
)

func TestDecode(t *testing.T) {
	uploaded := &functionspb.CloudFunction_SourceUploadUrl{SourceUploadUrl: "http://h/sunya/sources/b/o.zip?signature=x"}
	a := New(Deps{URL: func(label string) string { return "http://" + label + ".localhost" }})
	s, warnings, err := a.decode("p", &functionspb.CloudFunction{
		Name: "n", Runtime: "go121", EntryPoint: "F", AvailableMemoryMb: 512, Timeout: durationpb.New(time.Minute), MaxInstances: 3, SourceCode: uploaded,
		IngressSettings: functionspb.CloudFunction_ALLOW_INTERNAL_AND_GCLB, KmsKeyName: "k", Status: functionspb.CloudFunctionStatus_ACTIVE, VersionId: 7,
		Trigger: &functionspb.CloudFunction_HttpsTrigger{HttpsTrigger: &functionspb.HttpsTrigger{Url: "u", SecurityLevel: functionspb.HttpsTrigger_SECURE_ALWAYS}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !s.FirstGen || s.MemoryBytes != 512<<20 || s.Timeout != time.Minute || s.Max != 3 || s.Source != (functions.Source{Bucket: "b", Object: "o.zip"}) || s.Ingress != sunya.IngressInternal || len(warnings) != 2 {
		t.Errorf("%+v, %q", s, warnings)
	}
	f, err := a.encode(&functions.Function{Key: functions.Key{Project: "p", Location: "l", ID: "f"}, Spec: s, State: functions.Failed, Number: 2, Build: "9"})
	if err != nil {
		t.Fatal(err)
	}
	if f.GetName() != "projects/p/locations/l/functions/f" || f.GetStatus() != functionspb.CloudFunctionStatus_OFFLINE || f.GetVersionId() != 2 || f.GetKmsKeyName() != "k" || f.GetBuildName() != "projects/p/locations/l/builds/9" ||
		f.GetHttpsTrigger().GetUrl() != "http://functions.localhost/p/l/f" || f.GetHttpsTrigger().GetSecurityLevel() != functionspb.HttpsTrigger_SECURE_ALWAYS {
		t.Errorf("%v", f)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for text, f := range map[string]*functionspb.CloudFunction{
		"there is no Secret Manager":         {SecretVolumes: []*functionspb.SecretVolume{{}}},
		"sources in repositories":            {SourceCode: &functionspb.CloudFunction_SourceRepository{SourceRepository: &functionspb.SourceRepository{}}},
		"not of the form gs://BUCKET/OBJECT": {SourceCode: &functionspb.CloudFunction_SourceArchiveUrl{SourceArchiveUrl: "b/o"}},
		"generateUploadUrl has returned":     {SourceCode: &functionspb.CloudFunction_SourceUploadUrl{SourceUploadUrl: "http://elsewhere/x"}},
		"ALL_TRAFFIC is not supported":       {VpcConnectorEgressSettings: functionspb.CloudFunction_ALL_TRAFFIC},
	} {
		if _, _, err := New(Deps{}).decode("p", f); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, want %q", err, text)
		}
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"", "projects/p/locations/l/services/f", "projects/p/locations/l", "functions/f"} {
		if _, err := parseFunction("name", name); sunya.CodeOf(err) != sunya.InvalidArgument {
			t.Errorf("%q: %v", name, err)
		}
	}
	if id := executionID("e03e41aa-3d39-4540-b923-1bc47971ff05"); id != "e03e41aa3d39" {
		t.Errorf("execution id = %q", id)
	}
}
