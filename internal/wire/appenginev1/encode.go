package appenginev1

import (
	"fmt"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sunya-cloud/sunya/internal/core/appengine"
)

// fullOnly are the fields of which version.proto says "only returned in GET
// requests if view=FULL is set". The URL is shown always: nobody wants to build
// it himself.
func fullOnly() []protoreflect.Name {
	return []protoreflect.Name{
		"handlers", "error_handlers", "libraries", "api_config", "env_variables", "build_env_variables",
		"default_expiration", "health_check", "readiness_check", "liveness_check", "nobuild_files_regex",
		"deployment", "endpoints_api_service",
	}
}

// version shows a version: what was sent, with what the platform knows on top.
func (a *API) version(v *appengine.Version, view appenginepb.VersionView) (*appenginepb.Version, error) {
	out := &appenginepb.Version{}
	if len(v.Document) > 0 {
		if err := lenient().Unmarshal(v.Document, out); err != nil {
			return nil, fmt.Errorf("decode %s: %w", v.Name(), err)
		}
	}
	out.Name, out.Id = v.Name(), v.ID
	out.Runtime, out.Env = v.Runtime, "standard"
	out.InstanceClass = v.InstanceClass
	out.ServingStatus = appenginepb.ServingStatus(appenginepb.ServingStatus_value[string(v.ServingStatus)])
	out.CreatedBy = v.CreatedBy
	out.CreateTime = timestamppb.New(v.CreateTime)
	out.DiskUsageBytes = v.DiskBytes
	out.VersionUrl = a.Admin.VersionURL(v.Key)
	if view != appenginepb.VersionView_FULL {
		m := out.ProtoReflect()
		for _, name := range fullOnly() {
			m.Clear(m.Descriptor().Fields().ByName(name))
		}
	}
	return out, nil
}
