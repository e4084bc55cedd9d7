package cli

import (
	"slices"

	"cloud.google.com/go/run/apiv2/runpb"
	"github.com/spf13/pflag"
)

// registerMounts adds the flags that show volumes inside a container.
func registerMounts(fs *pflag.FlagSet, s *containerSet) {
	pairsFlag(fs, "add-volume-mount", "volume to show in the container: volume=NAME,mount-path=PATH", func(v map[string]string) {
		s.change(func(c *runpb.Container) error {
			if v["volume"] == "" || v["mount-path"] == "" || len(v) != 2 {
				return usagef("--add-volume-mount: name a volume and a path, as in volume=scratch,mount-path=/scratch")
			}
			c.VolumeMounts = append(withoutMount(c, v["mount-path"]), &runpb.VolumeMount{Name: v["volume"], MountPath: v["mount-path"]})
			return nil
		})
	})
	listFlag(fs, "remove-volume-mount", "paths at which no volume is to be shown", func(paths []string) {
		s.change(func(c *runpb.Container) error { c.VolumeMounts = withoutMount(c, paths...); return nil })
	})
	switchFlag(fs, "clear-volume-mounts", "show no volume in the container", func(yes bool) {
		s.change(func(c *runpb.Container) error {
			if yes {
				c.VolumeMounts = nil
			}
			return nil
		})
	})
	hide(fs, "add-volume-mount", "remove-volume-mount", "clear-volume-mounts")
}

func withoutMount(c *runpb.Container, paths ...string) []*runpb.VolumeMount {
	return slices.DeleteFunc(slices.Clone(c.GetVolumeMounts()), func(m *runpb.VolumeMount) bool { return slices.Contains(paths, m.GetMountPath()) })
}

// volumeFrom reads gcloud's form of a volume: name=NAME,type=TYPE,….
func volumeFrom(v map[string]string) (*runpb.Volume, error) {
	if v["name"] == "" {
		return nil, usagef("--add-volume: the volume has no name: name=NAME,type=in-memory")
	}
	switch v["type"] {
	case "in-memory":
		return &runpb.Volume{Name: v["name"], VolumeType: &runpb.Volume_EmptyDir{EmptyDir: &runpb.EmptyDirVolumeSource{
			Medium: runpb.EmptyDirVolumeSource_MEMORY, SizeLimit: v["size-limit"],
		}}}, nil
	case "cloud-storage":
		return &runpb.Volume{Name: v["name"], VolumeType: &runpb.Volume_Gcs{Gcs: &runpb.GCSVolumeSource{
			Bucket: v["bucket"], ReadOnly: v["readonly"] == "true",
		}}}, nil
	}
	return nil, usagef("--add-volume: a volume of type %q is not supported: use in-memory", v["type"])
}

// volumeFlags are those of what containers share.
type volumeFlags struct {
	add    []map[string]string
	remove []string
	clear  bool
}

func (f *volumeFlags) register(fs *pflag.FlagSet) {
	pairsFlag(fs, "add-volume", "volume that containers share: name=NAME,type=in-memory,size-limit=64Mi", func(v map[string]string) { f.add = append(f.add, v) })
	listFlag(fs, "remove-volume", "volumes to take away: NAME,…", func(v []string) { f.remove = append(f.remove, v...) })
	switchFlag(fs, "clear-volumes", "take all volumes away", func(yes bool) { f.clear = yes })
	hide(fs, "add-volume", "remove-volume", "clear-volumes")
}

// apply returns the volumes after the flags.
func (f *volumeFlags) apply(now []*runpb.Volume) ([]*runpb.Volume, error) {
	out := slices.Clone(now)
	if f.clear {
		out = nil
	}
	drop := func(name string) {
		out = slices.DeleteFunc(out, func(v *runpb.Volume) bool { return v.GetName() == name })
	}
	for _, name := range f.remove {
		drop(name)
	}
	for _, pairs := range f.add {
		v, err := volumeFrom(pairs)
		if err != nil {
			return nil, err
		}
		drop(v.GetName())
		out = append(out, v)
	}
	return out, nil
}
