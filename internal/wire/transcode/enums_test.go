package transcode

import (
	"io"
	"log/slog"
	"strings"
	"testing"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
)

func TestEnumsInAnyCase(t *testing.T) {
	c := newCodec("test", slog.New(slog.NewTextHandler(io.Discard, nil)))
	v := &appenginepb.Version{}
	doc := `{"servingStatus":"stopped","handlers":[{"securityLevel":"Secure_Always","zz":1}],
		"inboundServices":["inbound_service_warmup","INBOUND_SERVICE_MAIL"],
		"envVariables":{"A":"stopped"},"diskUsageBytes":9007199254740993}`
	if err := c.Unmarshal([]byte(doc), v); err != nil {
		t.Fatal(err)
	}
	want := &appenginepb.Version{
		ServingStatus:   appenginepb.ServingStatus_STOPPED,
		Handlers:        []*appenginepb.UrlMap{{SecurityLevel: appenginepb.SecurityLevel_SECURE_ALWAYS}},
		InboundServices: []appenginepb.InboundServiceType{appenginepb.InboundServiceType_INBOUND_SERVICE_WARMUP, appenginepb.InboundServiceType_INBOUND_SERVICE_MAIL},
		EnvVariables:    map[string]string{"A": "stopped"},
		DiskUsageBytes:  9007199254740993,
	}
	if got := Ignored(v); len(got) != 1 || got[0] != "handlers[0].zz" {
		t.Errorf("ignored = %q", got)
	}
	v.ProtoReflect().SetUnknown(nil)
	if diff := cmp.Diff(want, v, protocmp.Transform()); diff != "" {
		t.Errorf("version (-want +got):\n%s", diff)
	}
}

func TestEnumValuesThatAreNone(t *testing.T) {
	c := newCodec("test", slog.New(slog.NewTextHandler(io.Discard, nil)))
	for doc, want := range map[string]string{
		`{"servingStatus":"asleep"}`:               `servingStatus: "asleep" is not allowed: use SERVING_STATUS_UNSPECIFIED, SERVING, STOPPED`,
		`{"handlers":[{},{"securityLevel":"no"}]}`: `handlers[1].securityLevel: "no" is not allowed`,
		`{"inboundServices":["pigeon"]}`:           `inboundServices[0]: "pigeon" is not allowed`,
	} {
		err := c.Unmarshal([]byte(doc), &appenginepb.Version{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", doc, err, want)
		}
	}
}
