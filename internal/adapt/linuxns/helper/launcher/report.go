package launcher

import (
	"os"
	"strings"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// facts says what is in force.
func (s *server) facts() []string {
	facts := append([]string{"own user, mount, pid, ipc, uts, net and cgroup namespaces", "seccomp"}, s.tree.Facts()...)
	if s.full {
		facts = append(facts, "a range of user ids per service")
		if s.remaps {
			facts = append(facts, ipc.FactIDMap)
		}
		return facts
	}
	return append(facts, "user namespace with one id")
}

// missing says what is not.
func (s *server) missing() []string {
	missing := s.tree.Missing()
	if max, err := os.ReadFile("/proc/sys/user/max_user_namespaces"); err == nil && strings.TrimSpace(string(max)) == "0" {
		missing = append(missing, "sandboxes: user namespaces are switched off (sysctl user.max_user_namespaces)")
	}
	if s.full && !s.remaps {
		missing = append(missing, "idmapped mounts: the data directory's file system has none, so all containers have the same range of user ids")
	}
	if !s.full {
		missing = append(missing, "user ids: all sandboxes run as the server's own user; start as root for one range per service")
	}
	return missing
}
