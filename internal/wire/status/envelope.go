package status

import (
	"encoding/json"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/sunya-cloud/sunya"
)

// envelope is how Google's REST APIs show an error.
type envelope struct {
	Error body `json:"error"`
}

type body struct {
	Code    int               `json:"code"` // HTTP
	Message string            `json:"message"`
	Status  string            `json:"status"`
	Details []json.RawMessage `json:"details,omitempty"`
}

// Envelope returns {"error":{code, message, status, details}} and its HTTP
// status. Details of a type that this binary does not know are left out.
func Envelope(st *spb.Status) (http int, doc []byte) {
	code := sunya.Code(st.GetCode())
	out := envelope{body{Code: code.HTTP(), Message: st.GetMessage(), Status: code.String()}}
	for _, d := range st.GetDetails() {
		if raw, err := protojson.Marshal(d); err == nil {
			out.Error.Details = append(out.Error.Details, raw)
		}
	}
	doc, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return 500, []byte(`{"error":{"code":500,"message":"encode error","status":"INTERNAL"}}`)
	}
	return out.Error.Code, append(doc, '\n')
}
