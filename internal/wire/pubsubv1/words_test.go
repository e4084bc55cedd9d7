package pubsubv1

import (
	"errors"
	"testing"

	"google.golang.org/grpc/codes"
	gstatus "google.golang.org/grpc/status"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/wire/status"
)

func TestWorded(t *testing.T) {
	const topic = "projects/p/topics/letters"
	for _, tt := range []struct {
		rule string
		err  *sunya.Error
		want string // empty: as it is
	}{
		{"not there", sunya.Errorf(sunya.NotFound, topic, "the topic does not exist"), "Resource not found (resource=letters)."},
		{"taken", sunya.Errorf(sunya.AlreadyExists, topic, "the topic exists already"), "Resource already exists in the project (resource=letters)."},
		{"something else is not there", sunya.Errorf(sunya.NotFound, topic, "its schema was deleted"), ""},
		{"of another API", sunya.Errorf(sunya.NotFound, "projects/p/buckets/b", "the bucket does not exist"), ""},
		{"another error", sunya.Errorf(sunya.FailedPrecondition, topic, "it does not exist"), ""},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			if tt.want == "" {
				if got := worded(tt.err); !errors.Is(got, tt.err) {
					t.Errorf("became %v", got)
				}
				return
			}
			unary := gstatus.ErrorProto(status.FromError(tt.err))
			for _, err := range []error{tt.err, unary} { // of a stream, of a call
				if st := gstatus.Convert(worded(err)); st.Message() != tt.want || st.Code() != codes.Code(tt.err.Code) {
					t.Errorf("%v became %v", err, st)
				}
			}
			if len(gstatus.Convert(worded(unary)).Details()) == 0 {
				t.Error("the details are gone")
			}
		})
	}
	if worded(nil) != nil {
		t.Error("nil became an error")
	}
}
