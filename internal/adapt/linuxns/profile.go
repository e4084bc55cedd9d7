package linuxns

import "github.com/sunya-cloud/sunya/internal/core/sandbox"

// profile is what a sandbox.Profile means to the kernel.
type profile struct {
	image bool     // Spec.Root is the file system, and it is writable
	uid   uint32   // of the program, inside; of an image's: the owner of what is made before its own is known
	caps  []string // what it may have, inside its user namespace
	path  string   // PATH, where nobody says
}

// The search paths: this machine's, and the one that Docker gives.
const (
	hostPath  = "/usr/local/bin:/usr/bin:/bin"
	imagePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

var profiles = map[sandbox.Profile]profile{
	sandbox.App:       {uid: appUID, path: hostPath},
	sandbox.Build:     {uid: appUID, path: hostPath},
	sandbox.Container: {image: true, path: imagePath, caps: containerCaps},
	sandbox.LayerWork: {path: hostPath, caps: layerCaps},
	sandbox.Builder:   {path: hostPath, caps: builderCaps},
}

// containerCaps are Docker's default capabilities (moby, oci/caps/defaults.go)
// less NET_RAW and MKNOD: images that start as root change owners and users
// with them.
var containerCaps = []string{
	"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
	"CAP_NET_BIND_SERVICE", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

// layerCaps are those that files of any owner and mode are made and removed
// with.
var layerCaps = []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_SETFCAP"}

// maxLayers is how many layers an image may have; Docker's own limit is 127.
// Each costs a descriptor of one message to the sandbox's first process.
const maxLayers = 160

// builderCaps are what a builder of images needs to lay layers on each other and
// to start the steps in namespaces of their own: those of a container, and the
// ones that mount and make namespaces.
var builderCaps = append([]string{"CAP_NET_ADMIN", "CAP_SYS_ADMIN", "CAP_SYS_RESOURCE"}, containerCaps...)
