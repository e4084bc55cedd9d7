package transcode

import (
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// boolParameters names the query parameters of an API that are booleans, in
// both spellings. gcloud writes them as Python does: migrateTraffic=False.
func boolParameters(services []string) map[string]bool {
	out := map[string]bool{}
	for _, name := range services {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
		if err != nil {
			continue
		}
		svc, ok := d.(protoreflect.ServiceDescriptor)
		if !ok {
			continue
		}
		for i := range svc.Methods().Len() {
			fields := svc.Methods().Get(i).Input().Fields()
			for j := range fields.Len() {
				if f := fields.Get(j); f.Kind() == protoreflect.BoolKind {
					out[f.JSONName()], out[string(f.Name())] = true, true
				}
			}
		}
	}
	return out
}
