package runv1

import (
	"fmt"

	"cloud.google.com/go/run/apiv2/runpb"
	knative "google.golang.org/api/run/v1"

	"github.com/sunya-cloud/sunya"
)

// gcsDriver is the CSI driver that shows a bucket.
const gcsDriver = "gcsfuse.run.googleapis.com"

// decodeVolumes turns volumes into v2's, which says of those that there are not
// here why.
func decodeVolumes(field string, vs []*knative.Volume) ([]*runpb.Volume, error) {
	var out []*runpb.Volume
	for i, v := range vs {
		at := fmt.Sprintf("%s[%d]", field, i)
		if v == nil {
			return nil, sunya.Invalid(at, "is null")
		}
		m := &runpb.Volume{Name: v.Name}
		switch {
		case v.EmptyDir != nil:
			medium, ok := map[string]runpb.EmptyDirVolumeSource_Medium{
				"": runpb.EmptyDirVolumeSource_MEMORY, "Memory": runpb.EmptyDirVolumeSource_MEMORY,
			}[v.EmptyDir.Medium]
			if !ok {
				return nil, unimplemented(at+".emptyDir.medium", fmt.Sprintf("%q is not supported: use Memory", v.EmptyDir.Medium))
			}
			m.VolumeType = &runpb.Volume_EmptyDir{EmptyDir: &runpb.EmptyDirVolumeSource{Medium: medium, SizeLimit: v.EmptyDir.SizeLimit}}
		case v.Secret != nil:
			m.VolumeType = &runpb.Volume_Secret{Secret: &runpb.SecretVolumeSource{Secret: v.Secret.SecretName}}
		case v.Nfs != nil:
			m.VolumeType = &runpb.Volume_Nfs{Nfs: &runpb.NFSVolumeSource{Server: v.Nfs.Server, Path: v.Nfs.Path, ReadOnly: v.Nfs.ReadOnly}}
		case v.Csi != nil && v.Csi.Driver == gcsDriver:
			m.VolumeType = &runpb.Volume_Gcs{Gcs: &runpb.GCSVolumeSource{Bucket: v.Csi.VolumeAttributes["bucketName"], ReadOnly: v.Csi.ReadOnly}}
		case v.Csi != nil:
			return nil, unimplemented(at+".csi.driver", fmt.Sprintf("%q is not supported", v.Csi.Driver))
		case v.ConfigMap != nil:
			return nil, unimplemented(at+".configMap", "is not supported, as in Cloud Run: put the files into the image")
		}
		out = append(out, m)
	}
	return out, nil
}

func encodeVolumes(vs []*runpb.Volume) []*knative.Volume {
	var out []*knative.Volume
	for _, v := range vs {
		k := &knative.Volume{Name: v.GetName()}
		if d := v.GetEmptyDir(); d != nil {
			k.EmptyDir = &knative.EmptyDirVolumeSource{Medium: "Memory", SizeLimit: d.GetSizeLimit()}
		}
		if g := v.GetGcs(); g != nil {
			k.Csi = &knative.CSIVolumeSource{Driver: gcsDriver, ReadOnly: g.GetReadOnly(), VolumeAttributes: map[string]string{"bucketName": g.GetBucket()}}
		}
		out = append(out, k)
	}
	return out
}
